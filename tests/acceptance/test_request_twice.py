"""What is asked for again in other words is not done twice, unless somebody insists."""

import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from events.catalogue import read_fact
from events.improvement_facts import Related
from events.run import Requested
from schemas.improvement import Relation
from tests.acceptance.command import aps
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import SwarmApi, while_answering
from tests.acceptance.test_request import PLAN, RIGHT, asked, draft, untouched, wanted
from tests.acceptance.watching import events_of
from tests.conftest import run
from tests.messages_api import Heard, Step, answers

pytestmark = pytest.mark.slow

HEADING = "# Duplicates and relations between improvements"
OTHER_WORDS = "let the caller of joined() choose what stands between the words"
QUOTES = ("the separator to use", "choose what stands between the words")


class Comparing(SwarmApi):
    """Answers like any swarm's, and calls whatever is compared a duplicate."""

    def step(self, heard: Heard) -> Step:
        if HEADING not in heard.text:
            return super().step(heard)
        one, other = re.findall(r"## ([a-z0-9-]+)", heard.text.replace("\\n", "\n"))[:2]
        said = {
            "one": one,
            "relation": "duplicate",
            "other": other,
            "reason": "Both let the caller choose it.",
        }
        return answers(relations=[{**said, "evidence": list(QUOTES)}])


def test_the_same_wish_in_other_words_ends_as_a_duplicate_that_can_be_insisted_on(
    fresh_home: Callable[[str], Path], target: Repositories
) -> None:
    home, repository = fresh_home("twice"), target({}, name="-twice")
    api = Comparing(wanted(), PLAN, [draft(RIGHT)])
    with untouched(repository):
        (first,) = asked(home, repository, api, "--dry-run").outcome["improvements"]
        ended = asked(home, repository, api, "--dry-run", wish=OTHER_WORDS)
    assert first["status"] == "testing_complete", first["reason"]
    (second,) = ended.outcome["improvements"]
    assert second["status"] == "abandoned"
    assert f"it asks for the same as {first['id']}, which is testing_complete" in second["reason"]
    assert f"aps improvements retry {second['id']}" in second["reason"]

    logged = run(events_of(home))
    told = [(e.envelope.address.id, read_fact(e.envelope)) for e in logged]
    related = {id: fact for id, fact in told if isinstance(fact, Related)}
    assert {id: (fact.other, fact.relation) for id, fact in related.items()} == {
        second["id"]: (first["id"], Relation.DUPLICATE),
        first["id"]: (second["id"], Relation.DUPLICATE),
    }
    assert all((one.judged_by, one.evidence) == ("claude_code", QUOTES) for one in related.values())
    mine = [(f.role, f.task) for _, f in told if isinstance(f, Requested) and f.improvement == second["id"]]
    assert mine == [("pm", "judge_relations")], "what is a duplicate was worked on"
    shown = aps(home, "improvements", "show", first["id"])
    assert f"asks for the same as {second['id']}: Both let the caller choose it." in shown.out

    repeated = aps(home, "replay", "--rerun", second["id"], "--json")
    assert repeated.code == 0, repeated.err + repeated.out

    engineless = aps(home, "improvements", "retry", second["id"])
    assert (engineless.code, "set CLAUDE_CODE_API_KEY" in engineless.err) == (6, True), engineless.err
    assert len(run(events_of(home))) == len(logged)

    with untouched(repository):
        insisted = while_answering(api, aps, home, "improvements", "retry", second["id"], "--json")
    assert insisted.code == 0, insisted.err
    board = orjson.loads(aps(home, "improvements", "list", "--json").out)
    assert {row["id"]: row["status"] for row in board} == dict.fromkeys(related, "testing_complete")
