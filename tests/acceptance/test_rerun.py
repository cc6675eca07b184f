"""An improvement is repeated from the log: nobody is called, and the same events come of it."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.runtime.embedded.servers import EmbeddedServers
from tests.acceptance.command import ROOT, SECONDS, Ended, aps, environment, improve, program
from tests.acceptance.swarm_script import SwarmApi, while_answering, written
from tests.acceptance.targets import fingerprint, repository
from tests.acceptance.test_request import PLAN, RIGHT, SOURCE, WRONG, asked, draft, wanted
from tests.acceptance.watching import events_of
from tests.conftest import run

pytestmark = pytest.mark.slow

PARTS = ("services", "events", "schemas", "projections", "nats")
UNFINISHED = written(
    {SOURCE: WRONG}, summary="begun", proofs=[], unfinished="the separator is not used yet", suspicions=[]
)


@dataclass(frozen=True)
class Done:
    """A request that came to its end, and what its scripted API had heard by then."""

    home: Path
    target: Path
    id: str
    status: str
    api: SwarmApi

    def again(self, *words: str, **settings: str) -> Ended:
        return rerun(self.home, self.id, *words, **settings)

    def state(self) -> tuple[object, int, int]:
        """Return what a repetition must leave alone."""
        return fingerprint(self.target), len(run(events_of(self.home))), len(self.api.heard)


def rerun(home: Path, id: str, *words: str, **settings: str) -> Ended:
    return aps(home, "replay", "--rerun", id, "--json", *words, **settings)


def told(ended: Ended) -> dict[str, Any]:
    return dict(orjson.loads(ended.out))


@pytest.fixture(scope="module")
def make_home(ground: Path, prepared: Path) -> Iterator[Callable[[str], Path]]:
    """Makes data folders with empty logs, whose servers stay up, so that commands adopt them."""
    made: dict[Path, EmbeddedServers] = {}

    def make(name: str) -> Path:
        folder = ground / name
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)
        shutil.copytree(prepared, folder / "environments", symlinks=True)
        made[folder] = EmbeddedServers(folder)
        run(made[folder].join())
        return folder

    yield make
    for folder, servers in made.items():
        for fork in sorted((folder / "forks").glob("*")):
            run(EmbeddedServers(fork).erase())
        run(servers.leave())
        run(EmbeddedServers(folder).erase())
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def landed(ground: Path, make_home: Callable[[str], Path]) -> Done:
    """A request whose change was refused once, with a bug report, and then landed."""
    home, target = make_home("rerun-landed"), repository(ground / "targets" / "rerun-landed")
    api = SwarmApi(wanted(), PLAN, [draft(WRONG), draft(RIGHT)])
    issue = ground / "issue.md"
    issue.write_text("Joining by anything but a comma takes a loop.\n")
    (one,) = asked(home, target, api, "--context", f"issue={issue}").outcome["improvements"]
    return Done(home, target, one["id"], one["status"], api)


def test_a_request_is_repeated_without_a_call_and_ends_in_the_same_events(landed: Done) -> None:
    assert landed.status == "deployment_complete"
    before = landed.state()
    ended = landed.again()
    assert ended.code == 0, ended.err
    found = told(ended)
    assert (found["engine_calls"], found["answered_from_log"], found["unanswered"]) == (0, 4, [])
    assert (found["events"]["unlike"], found["events"]["compared"] > 40) == ([], True)
    assert "equal but for ids and times" in ended.err
    assert found["original"]["status"] == found["rerun"]["status"] == "deployment_complete"
    assert found["original"]["attempts"] == found["rerun"]["attempts"] == 2
    assert landed.state() == before, "the original, its target or its engine noticed"
    assert list((landed.home / "forks").iterdir()) == []


def test_another_engine_repeats_a_request_and_both_are_weighed(landed: Done) -> None:
    before = landed.state()
    other = SwarmApi(wanted(), PLAN, [draft(RIGHT)])
    ended = while_answering(other, landed.again, "--engine", "claude_code", "--keep", "other")
    assert ended.code == 0, ended.err
    found = told(ended)
    one, two = found["original"], found["rerun"]
    assert one["status"] == two["status"] == "deployment_complete"
    assert (one["attempts"], two["attempts"]) == (2, 1)
    assert (one["calls"], two["calls"], found["engine_calls"]) == (4, 3, 3)
    assert one["cost_micros"] > two["cost_micros"] > 0
    assert one["tests_passed"] == two["tests_passed"] == one["tests_before"] + 1
    assert (one["lines_added"], one["lines_removed"]) == (two["lines_added"], two["lines_removed"])
    assert found["events"] is None
    assert landed.state() == before, "the original, its target or its engine noticed"
    kept = orjson.loads(aps(landed.home, "fork", "list", "--json").out)
    assert [one["name"] for one in kept] == ["other"]
    assert aps(landed.home, "fork", "remove", "other").code == 0


def test_a_prompt_that_changed_since_is_named(ground: Path, landed: Done) -> None:
    changed = ground / "changed"
    for part in PARTS:
        shutil.copytree(ROOT / part, changed / part, ignore=shutil.ignore_patterns("__pycache__"))
    prompt = changed / "services" / "developer" / "prompts" / "change.md"
    prompt.write_text(prompt.read_text() + "\nWrite it well.\n")
    ended = subprocess.run(
        program("replay", "--rerun", landed.id, "--json"),
        cwd=changed,
        env=environment(landed.home, PYTHONPATH=str(changed)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "the prompt of 'change' changed: recorded" in ended.stderr
    found = orjson.loads(ended.stdout)
    assert (found["engine_calls"], found["answered_from_log"]) == (0, 2)
    assert found["rerun"]["status"] == "abandoned"


def test_an_unknown_id_is_not_found_and_what_cannot_be_combined_is_refused(landed: Done) -> None:
    unknown = rerun(landed.home, f"{landed.id}x")
    assert (unknown.code, f"nearest: {landed.id}" in unknown.err) == (3, True), unknown.err
    strange = landed.again("--engine", "gpt")
    assert (strange.code, "there are: recorded, claude_code" in strange.err) == (2, True), strange.err
    without_key = landed.again("--engine", "claude_code")
    assert (without_key.code, "CLAUDE_CODE_API_KEY" in without_key.err) == (6, True), without_key.err
    both = landed.again("--until", "5")
    assert (both.code, "leave --until out" in both.err) == (2, True), both.err
    alone = aps(landed.home, "replay", "--engine", "recorded")
    assert (alone.code, "--rerun" in alone.err) == (2, True), alone.err


def test_what_was_left_unfinished_is_repeated_to_the_same_end(
    ground: Path, make_home: Callable[[str], Path]
) -> None:
    home, target = make_home("rerun-unfinished"), repository(ground / "targets" / "rerun-unfinished")
    (one,) = asked(home, target, SwarmApi(wanted(), PLAN, [UNFINISHED])).outcome["improvements"]
    assert one["status"] == "abandoned"
    ended = rerun(home, one["id"])
    assert ended.code == 0, ended.err
    found = told(ended)
    assert (found["engine_calls"], found["answered_from_log"]) == (0, 3)
    assert found["rerun"]["reason"] == "the engine did not finish: the separator is not used yet"
    forgotten = aps(home, "keys", "delete", f"improvement/{one['id']}", "--reason", "asked for", "--yes")
    assert forgotten.code == 0, forgotten.err
    ended = rerun(home, one["id"])
    assert ended.code == 3, ended.err
    assert "cannot be repeated as it was recorded" in ended.err
    assert "was deleted on" in ended.err
    assert not any((home / "forks").glob("*"))


def test_what_rules_found_is_repeated_and_every_byte_of_it_is_the_same(
    ground: Path, make_home: Callable[[str], Path]
) -> None:
    home, target = make_home("rerun-improve"), repository(ground / "targets" / "rerun-improve")
    one = improve(home, target).outcome["improvements"][0]
    ended = rerun(home, one["id"])
    assert ended.code == 0, ended.err
    found = told(ended)
    assert (found["engine_calls"], found["answered_from_log"]) == (0, 0)
    assert found["events"]["unlike"] == []
    assert found["original"]["rules"] == found["rerun"]["rules"] > 0
    refused = rerun(home, one["id"], "--engine", "openai_compatible")
    assert (refused.code, "was found by a rule" in refused.err) == (2, True), refused.err
