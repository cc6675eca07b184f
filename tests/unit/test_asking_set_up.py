"""Where no engine can be asked, a newcomer reads which settings are missing, and what a right value is."""

from pathlib import Path

import pytest

from schemas.engine import FailureKind
from services.asking.consulting import Consultant, Errand
from services.asking.readiness import unready
from services.asking.setting_up import lacking
from services.asking.waiting import halted
from services.asking.words import NotAnswered
from services.engines.choosing import AUTO, Wanted, policy_of
from services.engines.scripted import ScriptedEngine
from services.prompting.template import Template
from services.runtime.settings import Settings, load
from tests.asking_example import BECAUSE, Plan, Time, answering, asker, book_at

URL = "OPENAI_COMPATIBLE_URL (such as http://"
MODEL = "OPENAI_COMPATIBLE_MODEL (such as "
PRICE = "OPENAI_COMPATIBLE_PRICE (such as "
THERE = {"OPENAI_COMPATIBLE_URL": "http://127.0.0.1:1/v1"}
CHEAP = {"OPENAI_COMPATIBLE_PRICE": "0/0"}


def given(tmp_path: Path, **names: str) -> Settings:
    return load({"APS_HOME": str(tmp_path), **names})


@pytest.mark.parametrize(
    ("names", "model", "missing"),
    [
        ({}, "", (URL, MODEL, PRICE)),
        (THERE, "", (MODEL, PRICE)),
        (THERE | CHEAP, "", (MODEL,)),
        (THERE, "m", (PRICE,)),
        (THERE | CHEAP, "m", ()),
        (THERE | CHEAP | {"OPENAI_COMPATIBLE_MODEL": "m"}, "", ()),
    ],
)
def test_each_missing_setting_of_a_server_is_named_with_an_example(
    tmp_path: Path, names: dict[str, str], model: str, missing: tuple[str, ...]
) -> None:
    said = lacking(given(tmp_path, **names), Wanted("", "openai_compatible", model))
    assert [one for one in (URL, MODEL, PRICE) if one in said] == list(missing)
    assert bool(said) == bool(missing)


async def test_only_the_engine_that_is_named_is_told_about(tmp_path: Path) -> None:
    said = await unready(given(tmp_path, APS_ENGINES="openai_compatible"), AUTO)
    assert URL in said
    assert "CLAUDE_CODE" not in said
    assert said.startswith("no AI engine is set up, and the deterministic engine cannot do")
    alone = await unready(given(tmp_path), "claude_code")
    assert alone == (
        "claude_code is not set up: set CLAUDE_CODE_API_KEY (or CLAUDE_CODE_TOKEN, a subscription's)"
    )


async def test_a_policy_that_names_nobody_is_told(tmp_path: Path) -> None:
    said = await unready(given(tmp_path, APS_ENGINES="pm=claude_code"), AUTO)
    assert "APS_ENGINES='pm=claude_code' names no engine for developer: name one for everybody" in said


async def test_an_engine_that_is_ready_but_not_named_is_told(tmp_path: Path) -> None:
    settings = given(tmp_path, APS_ENGINES="claude_code", OPENAI_COMPATIBLE_MODEL="m", **(THERE | CHEAP))
    said = await unready(settings, AUTO)
    assert "openai_compatible is set up, but APS_ENGINES='claude_code' does not name it for developer" in said


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (
            "developer=claude_code",
            "APS_ENGINES names none for it; name one for everybody, such as claude_code",
        ),
        ("openai_compatible", "APS_ENGINES names openai_compatible for it; set that up, or name another"),
    ],
)
async def test_a_role_that_may_ask_nobody_says_what_the_policy_names(policy: str, says: str) -> None:
    book = await book_at(Time())
    consultant = Consultant(
        asker(book), "pm", {"claude_code": ScriptedEngine(answering())}, policy_of(policy)
    )
    errand = Errand("requirements", Template.load("services.prompting", "untrusted", takes=()), "what?")
    with pytest.raises(NotAnswered, match=r"no engine is set up for pm\.requirements") as nobody:
        await consultant.ask(errand, Plan, "imp-1", BECAUSE)
    assert says in str(nobody.value)


def test_a_model_that_nobody_knows_names_the_settings_it_comes_from() -> None:
    nobody = NotAnswered(FailureKind.UNKNOWN_MODEL, "model: gpt-0")
    said = halted("no engine wrote it", nobody, "imp-1").reason
    assert said == (
        "no engine wrote it: model: gpt-0. Name a model that it knows (APS_ENGINES, such as"
        " claude_code:opus; OPENAI_COMPATIBLE_MODEL), then: aps improvements retry imp-1"
    )
