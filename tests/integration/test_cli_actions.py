"""The commands that explain, describe and propose: on a real log, by rules and by the real Claude Code."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.improvement import IMPROVEMENT
from events.improvement_facts import Related
from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.log import JetStreamEventStore
from events.run import RUN
from events.swarm import ALL, SWARM, Paused
from schemas.improvement import Relation
from services.cli.decisions import board, explaining
from services.cli.documents import describing
from services.cli.history import proposing
from services.cli.session import Exit, Stop
from services.runtime.log import Log
from services.runtime.settings import Settings, load
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import Keyring
from tests import cycle_example as example
from tests.asking_example import BECAUSE
from tests.asking_process import ROOT
from tests.claude_asking import KEY, program
from tests.cycle_example import BAD, GOOD, HELD, Recorder
from tests.log_server import PASSWORDS, LogServer
from tests.messages_api import MessagesApi, Refuse, Step, answers

SCENARIO = "actions"
AUTO, RULES = "auto", "deterministic"
DISCOVERED = "aps.improvement.discovered.v1"


pytestmark = pytest.mark.usefixtures("quiet")


@dataclass
class Place:
    """A log with one recorded cycle, and the settings that lead there."""

    recorder: Recorder
    environment: dict[str, str]
    capture: pytest.CaptureFixture[str]

    @property
    def book(self) -> Log:
        return self.recorder.book

    @property
    def settings(self) -> Settings:
        return load(self.environment)

    async def said(self, command: Coroutine[Any, Any, None]) -> tuple[Any, str]:
        """The JSON that a command says, and its words."""
        self.capture.readouterr()
        await command
        told = self.capture.readouterr()
        return orjson.loads(told.out), " ".join(told.err.split())

    async def shown(self, command: Coroutine[Any, Any, None]) -> str:
        """What a command shows a person."""
        self.capture.readouterr()
        await command
        return self.capture.readouterr().out

    @asynccontextmanager
    async def answered(self, *steps: Step) -> AsyncIterator[tuple[Settings, MessagesApi]]:
        """Give settings by which Claude Code asks a scripted API."""
        async with MessagesApi({SCENARIO: steps}).serving() as api:
            engine = {
                "CLAUDE_CODE_PATH": str(program()),
                "CLAUDE_CODE_API_KEY": KEY,
                "CLAUDE_CODE_API_URL": api.url(SCENARIO),
            }
            yield load({**self.environment, **engine}), api

    async def requested(self, run: str) -> Any:
        return (await self.book.state(RUN, run)).requested


@pytest.fixture
async def place(
    server: LogServer, database: str, open_home: Path, capfd: pytest.CaptureFixture[str]
) -> AsyncIterator[Place]:
    addresses = {"NATS_URL": server.url, "DATABASE_URL": database, "APS_HOME": str(open_home / "actions")}
    async with server.connection("admin") as admin:
        keys = JetStreamKeyStore(admin)
        await keys.add_first_root(ROOT.id)
        recorder = Recorder()
        recorder.book = Log(
            JetStreamEventStore(admin, recorder.clock),
            JetStreamArtefacts(admin),
            recorder.clock,
            keyring=Keyring(keys, ROOT, None, recorder.clock),
        )
        await example.whole(recorder)
        recorder.now = datetime.now(UTC)
        yield Place(recorder, {**addresses, **PASSWORDS, "SECRET_KEY_BASE": "s" * 40}, capfd)


async def stopped(command: Coroutine[Any, Any, None]) -> Stop:
    with pytest.raises(Stop) as ended:
        await command
    return ended.value


def explained(**changed: Any) -> Step:
    told = {
        "summary": "The change made dict() calls literals, and one that takes keywords broke.",
        "causes": [{"evidence": "test:tests/test_shop.py::test_total", "says": "a call lost its keywords"}],
        "next_steps": ["Leave the call in shop/odd.py as it is."],
    }
    return answers(**{**told, **changed})


async def test_a_refusal_is_explained_by_rules_where_no_engine_is_set_up(place: Place) -> None:
    told, words = await place.said(explaining.explain(place.settings, BAD, AUTO, as_json=True))
    assert (told["improvement"], told["status"], told["made_by"], told["run"]) == (
        BAD,
        "abandoned",
        "rules",
        "",
    )
    assert "set CLAUDE_CODE_API_KEY" in told["why_rules"]
    assert "made by rules: no AI engine is set up" in words
    assert [cause["evidence"] for cause in told["causes"]] == ["test:tests/test_shop.py::test_total"]
    assert "TypeError" in told["causes"][0]["says"]
    assert any(f"improvements retry {BAD}" in step for step in told["next_steps"])


async def test_claude_code_explains_a_refusal_by_its_evidence(place: Place) -> None:
    async with place.answered(explained()) as (settings, api):
        told, words = await place.said(explaining.explain(settings, BAD, AUTO, as_json=True))
    assert (told["made_by"], told["why_rules"]) == ("claude_code", "")
    assert told["summary"].startswith("The change made dict() calls literals")
    assert f"made by claude_code; see: aps runs show {told['run']}" in words
    asked = await place.requested(told["run"])
    assert (asked.role, asked.task, asked.improvement) == ("cli", "explain_refusal", BAD)
    assert asked.prompt.sealed_for == f"improvement/{BAD}"
    assert "untrusted kind=" in api.heard[0].text


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (
            explained(causes=[{"evidence": "gate:magic", "says": "so"}]),
            "the answer of claude_code was not taken: there is no evidence 'gate:magic'",
        ),
        (
            explained(next_steps=["Skip the failing test."]),
            "the answer of claude_code was not taken: a step would weaken what judges",
        ),
        (Refuse(401, "authentication_error", "invalid x-api-key"), "no engine answered"),
    ],
)
async def test_an_answer_that_is_not_taken_is_said_and_the_rules_explain(
    place: Place, step: Step, why: str
) -> None:
    async with place.answered(step) as (settings, _):
        told, words = await place.said(explaining.explain(settings, BAD, AUTO, as_json=True))
    assert told["made_by"] == "rules"
    assert why in told["why_rules"]
    assert f"made by rules: {why}" in words
    assert [cause["evidence"] for cause in told["causes"]] == ["test:tests/test_shop.py::test_total"]
    assert (await place.requested(told["run"])).task == "explain_refusal"


async def test_no_engine_is_asked_where_none_is_to_be_or_all_is_paused(place: Place) -> None:
    async with place.answered(explained()) as (settings, api):
        told, _ = await place.said(explaining.explain(settings, BAD, RULES, as_json=True))
        assert (told["made_by"], told["why_rules"]) == ("rules", "no engine was to be asked")
        await place.book.record(SWARM, ALL, Paused(reason="a look first"), cause=BECAUSE)
        told, _ = await place.said(explaining.explain(settings, BAD, AUTO, as_json=True))
        assert "everything is paused (a look first)" in told["why_rules"]
        assert api.heard == []


async def test_only_what_was_refused_is_explained(place: Place) -> None:
    for id, code in ((HELD, Exit.CONFLICT), ("nothing-1", Exit.NOT_FOUND)):
        stop = await stopped(explaining.explain(place.settings, id, AUTO, as_json=True))
        assert stop.code is code
    text = await place.shown(explaining.explain(place.settings, BAD, AUTO, as_json=False))
    assert "Causes\ntest:tests/test_shop.py::test_total  " in text
    assert "What to do next\n- " in text


async def test_a_relation_is_shown_with_the_improvement(place: Place) -> None:
    reason = "both rewrite shop/odd.py"
    fact = Related(other=GOOD, relation=Relation.CONFLICTS, reason=reason, judged_by="rules")
    await place.book.record(IMPROVEMENT, HELD, fact, cause=BECAUSE)
    told, _ = await place.said(board.show(place.settings, HELD, "", diff=False, as_json=True))
    assert [(one["other"], one["relation"]) for one in told["relations"]] == [(GOOD, "conflicts")]
    text = await place.shown(board.show(place.settings, HELD, "", diff=False, as_json=False))
    assert f"Relations\nconflicts with {GOOD}: {reason} (judged by rules)\n" in text
    assert told["timeline"][-1]["summary"] == f"conflicts with {GOOD}: {reason} (judged by rules)"


async def test_a_type_of_event_is_described_by_its_source_or_by_claude_code(place: Place) -> None:
    told, _ = await place.said(
        describing.describe(place.settings, "improvement.discovered", AUTO, as_json=True)
    )
    assert (told["name"], told["made_by"]) == (DISCOVERED, "rules")
    assert {
        "name": "files",
        "type": "list of string",
        "required": True,
        "says": "list of string, required",
    } in (told["parts"])
    fields = [{"name": one["name"], "says": f"what {one['name']} is"} for one in told["parts"]]
    async with place.answered(answers(summary="It was found.", parts=fields)) as (settings, _):
        told, _ = await place.said(describing.describe(settings, DISCOVERED, AUTO, as_json=True))
        assert (told["made_by"], told["summary"]) == ("claude_code", "It was found.")
        text = await place.shown(describing.describe(settings, DISCOVERED, AUTO, as_json=False))
    assert "what files is" in text
    async with place.answered(answers(summary="It was found.", parts=fields[1:])) as (settings, _):
        # the same question has an answer already, so nobody is asked
        told, _ = await place.said(describing.describe(settings, DISCOVERED, AUTO, as_json=True))
    assert told["made_by"] == "claude_code"
    stop = await stopped(describing.describe(place.settings, "improvement.discoverd", AUTO, as_json=True))
    assert (stop.code, "improvement.discovered" in str(stop)) == (Exit.NOT_FOUND, True)


async def test_an_endpoint_and_a_workflow_are_described_by_their_source(place: Place, tmp_path: Path) -> None:
    told, _ = await place.said(describing.describe(place.settings, "GET /api/health", AUTO, as_json=True))
    assert (told["kind"], told["made_by"]) == ("endpoint", "rules")
    assert any(note.startswith("It answers 200") for note in told["notes"])
    stop = await stopped(describing.describe(place.settings, "GET /api/helth", AUTO, as_json=True))
    assert (stop.code, "GET /api/health" in str(stop)) == (Exit.NOT_FOUND, True)

    file = tmp_path / "nightly.yaml"
    file.write_text(
        "name: nightly\npurpose: Looks once a night.\nstarts: at two\nsteps:\n- {name: scan, does: looks}\n"
    )
    parts = [{"name": "scan", "says": "Looks at every target."}]
    async with place.answered(answers(summary="A nightly look.", parts=parts)) as (settings, _):
        told, _ = await place.said(describing.describe(settings, str(file), AUTO, as_json=True))
    assert (told["kind"], told["name"], told["made_by"]) == ("workflow", "nightly", "claude_code")
    assert told["parts"][0]["says"] == "Looks at every target."
    file.write_text("name: nightly\nsteps: none\n")
    stop = await stopped(describing.describe(place.settings, str(file), AUTO, as_json=True))
    assert (stop.code, "purpose: Field required" in str(stop)) == (Exit.FAILED, True)
    stop = await stopped(describing.describe(place.settings, "gone.yaml", AUTO, as_json=True))
    assert (stop.code, str(stop)) == (Exit.NOT_FOUND, "there is no file gone.yaml")


async def test_rules_are_proposed_for_the_events_of_a_type(place: Place) -> None:
    told, words = await place.said(
        proposing.propose(place.settings, "improvement.discovered", 100, AUTO, as_json=True)
    )
    assert (told["type"], told["examples"], told["made_by"]) == (DISCOVERED, 4, "rules")
    rules = {(rule["field"], rule["demand"]): rule for rule in told["rules"]}
    assert rules["sites.sha256", "pattern"]["text"] == r"[0-9a-f]{64}"
    assert rules["rank", "minimum"]["number"] == 1
    assert "4 events of type" in words
    text = await place.shown(proposing.propose(place.settings, DISCOVERED, 2, RULES, as_json=False))
    assert "rank" in text
    stop = await stopped(proposing.propose(place.settings, "swarm.paused", 9, AUTO, as_json=True))
    assert (stop.code, str(stop)) == (
        Exit.NOT_FOUND,
        "no event of the type aps.swarm.paused.v1 is on the log yet",
    )


@pytest.mark.parametrize(
    ("rule", "taken"),
    [
        ({"field": "rank", "demand": "minimum", "number": 1, "why": "a rank counts from 1"}, True),
        ({"field": "rank", "demand": "maximum", "number": 1, "why": "so"}, False),
        ({"field": "base", "demand": "pattern", "text": "(.+)+", "why": "so"}, False),
    ],
)
async def test_claude_codes_rules_are_taken_where_all_events_hold_to_them(
    place: Place, rule: dict[str, Any], taken: bool
) -> None:
    async with place.answered(answers(rules=[rule])) as (settings, _):
        told, _ = await place.said(proposing.propose(settings, DISCOVERED, 100, AUTO, as_json=True))
    assert told["made_by"] == ("claude_code" if taken else "rules")
    assert (len(told["rules"]) == 1) is taken
