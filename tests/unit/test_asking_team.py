"""What settings come to: the limits of budgets, and which engines' calls have a price."""

from pathlib import Path
from typing import Any

import pytest

from events.budget import BUDGET
from services.asking.consulting import Consultant, Errand
from services.asking.limits import Limit
from services.asking.team import limits_of, unpriced
from services.engines.choosing import policy_of
from services.engines.port import Task
from services.engines.scripted import Answering, ScriptedEngine
from services.prompting.template import Template
from services.runtime.settings import Settings, load
from tests.asking_example import BECAUSE, Plan, Time, answering, asker, book_at


def settings(home: Path, **names: str) -> Settings:
    return load({"APS_HOME": str(home), **names})


def test_limits_are_given_in_dollars_and_calls(tmp_path: Path) -> None:
    limits = limits_of(settings(tmp_path, APS_BUDGET_DAY="2.50", APS_BUDGET_DAY_RUNS="0"))
    assert limits.day == Limit(2_500_000, 0)
    assert limits.improvement == Limit(5_000_000, 30)


@pytest.mark.parametrize(
    ("names", "free"),
    [
        ({}, set()),
        ({"CLAUDE_CODE_API_KEY": "k" * 20}, set()),
        ({"CLAUDE_CODE_TOKEN": "t" * 20}, {"claude_code"}),
        ({"OPENAI_COMPATIBLE_PRICE": "0/0"}, {"openai_compatible"}),
        ({"OPENAI_COMPATIBLE_PRICE": "1/2"}, set()),
    ],
)
def test_what_a_subscription_pays_or_nobody_has_no_price(
    tmp_path: Path, names: dict[str, str], free: set[str]
) -> None:
    assert unpriced(settings(tmp_path, **names)) == free


@pytest.mark.parametrize(("free", "reserved"), [({"claude_code"}, 0), (set(), 2_000_000)])
async def test_no_money_is_reserved_where_there_is_no_price(free: set[str], reserved: int) -> None:
    book = await book_at(Time())
    limits = limits_of(settings(Path("/srv/aps"), APS_BUDGET_DAY="20"))
    held: list[int] = []

    async def looking(_: Task[Any]) -> Answering:
        held.append((await book.state(BUDGET, "day-2026-03-01")).reserved_micros)
        return answering()

    engine = ScriptedEngine(looking, name="claude_code")
    consultant = Consultant(
        asker(book, limits), "pm", {engine.name: engine}, policy_of("claude_code"), unpriced=frozenset(free)
    )
    errand = Errand("requirements", Template.load("services.prompting", "untrusted"), "what is wanted?")
    assert (await consultant.ask(errand, Plan, "imp-1", BECAUSE)).value
    assert held == [reserved]
