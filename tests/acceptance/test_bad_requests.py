"""Requests that ask for too much, of too large a target, of engines that do not know or do not agree."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import read_fact
from events.run import Failed, Requested
from services.runtime.embedded.servers import EmbeddedServers
from tests import chat_api
from tests.acceptance.command import Ended, aps
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import SwarmApi, while_answering
from tests.acceptance.targets import BRANCH, fingerprint, git
from tests.acceptance.test_request import PLAN, RIGHT, SOURCE, WISH, asked, draft, wanted
from tests.acceptance.watching import events_of
from tests.conftest import run
from tests.messages_api import Refuse, answers

pytestmark = pytest.mark.slow

CHARACTERS = 150_000  # of one call: what the largest prompt and the program's own words may come to
FOREIGN = "joined() 应该接受要使用的分隔符 — och utan ett sådant: komma"
NOBODY = "nobody-knows-it"


@dataclass(frozen=True)
class Place:
    """A data folder of these tests, and how long its log was when a test began."""

    home: Path
    begun: int

    def facts(self) -> list[Any]:
        """What came into the log since."""
        return [read_fact(event.envelope) for event in run(events_of(self.home)) if event.seq > self.begun]

    def failed(self) -> list[tuple[str, str]]:
        """The calls that failed since: kind and reason."""
        return [(str(one.kind), one.reason) for one in self.facts() if isinstance(one, Failed)]


@pytest.fixture
def place(home: Path, prepared: Path) -> Place:
    return Place(home, max((event.seq for event in run(events_of(home))), default=0))


@pytest.fixture
def no_forks(home: Path) -> Iterator[None]:
    """Erase the servers of the forks that a repetition made."""
    yield
    for fork in sorted((home / "forks").glob("*")):
        run(EmbeddedServers(fork).erase())


def through_chat(
    home: Path, *words: str, script: tuple[chat_api.Step, ...], **more: str
) -> tuple[Ended, int]:
    """Run `aps` while a chat completions server answers; return how it ended and how often that was asked."""

    async def ended() -> tuple[Ended, int]:
        async with chat_api.chat_api(*script) as api:
            settings = {
                "OPENAI_COMPATIBLE_URL": api.url,
                "OPENAI_COMPATIBLE_KEY": chat_api.KEY,
                "OPENAI_COMPATIBLE_MODEL": "m-1",
                "OPENAI_COMPATIBLE_PRICE": "2000000/8000000",
                **more,
            }
            done = await asyncio.to_thread(aps, home, *words, **settings)
            return done, sum(one.path.endswith("/chat/completions") for one in api.requests)

    return run(ended())


def assert_given_up(ended: Ended, repository: Path, before: str, said: str) -> None:
    """It ended in a clear state with its reason, and nothing of the target changed."""
    (one,) = ended.outcome["improvements"]
    assert (one["status"], one["commit"], ended.code) == ("abandoned", None, 1)
    assert said.lower() in one["reason"].lower(), one["reason"]
    assert "Traceback" not in ended.err
    assert fingerprint(repository) == before
    assert BRANCH not in git(repository, "branch", "--all")


def test_a_request_in_other_languages_lands_in_a_target_far_larger_than_any_context(
    place: Place, target: Repositories
) -> None:
    files: dict[str, str | bytes] = {
        f"tiny/data/{number:04}_{'ü' * 40}.py": f"ROWS = {list(range(number, number + 200))}\n"
        for number in range(600)
    }
    files |= {"README.md": "All about words.\n" * 50_000, "tiny/large.py": "ROW = 1\n" * 20_000}
    repository = target(files, name="-large")
    before = fingerprint(repository)
    api = SwarmApi(wanted(), PLAN, [draft(RIGHT)])
    ended = asked(place.home, repository, api, wish=FOREIGN)
    (one,) = ended.outcome["improvements"]
    assert one["status"] == "deployment_complete", one["reason"]
    assert git(repository, "show", f"{BRANCH}:{SOURCE}") == RIGHT.rstrip()
    assert fingerprint(repository) == before
    assert "应该接受" in git(repository, "log", "-1", "--format=%B", BRANCH)
    assert all(FOREIGN in heard.text for heard in api.heard)
    assert max(len(heard.text) for heard in api.heard) < CHARACTERS


def test_a_context_that_is_too_small_is_said_once_and_nothing_is_half_done(
    place: Place, target: Repositories
) -> None:
    repository = target(name="-context")
    before = fingerprint(repository)
    full = Refuse(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    api = SwarmApi(full, PLAN, [])
    ended = asked(place.home, repository, api)
    assert_given_up(ended, repository, before, "prompt is too long")
    assert [kind for kind, _ in place.failed()] == ["context_too_large"]
    assert len(api.heard) <= 2, "what cannot become shorter was asked again"


def test_a_model_that_claude_code_does_not_know_is_named_and_not_asked_again(
    place: Place, target: Repositories
) -> None:
    repository = target(name="-claude-model")
    before = fingerprint(repository)
    api = SwarmApi(Refuse(404, "not_found_error", f"model: {NOBODY}"), PLAN, [])
    words = ("request", str(repository), WISH, "--json")
    ended = while_answering(api, aps, place.home, *words, APS_ENGINES=f"claude_code:{NOBODY}")
    assert_given_up(ended, repository, before, NOBODY)
    assert [kind for kind, _ in place.failed()] == ["unknown_model"]
    assert [one.model for one in place.facts() if isinstance(one, Requested)] == [NOBODY]
    assert len(api.heard) <= 2, "a storm of calls"


def test_a_model_that_a_server_does_not_know_is_named_and_not_asked_again(
    place: Place, target: Repositories
) -> None:
    repository = target(name="-server-model")
    before = fingerprint(repository)
    unknown = chat_api.refuses(404, chat_api.error(f"The model `{NOBODY}` does not exist", "model_not_found"))
    words = ("request", str(repository), WISH)
    ended, calls = through_chat(place.home, *words, script=(unknown,), OPENAI_COMPATIBLE_MODEL=NOBODY)
    assert NOBODY in ended.out, "a person on the terminal is not told"
    assert ended.code == 1
    assert "Name a model that it knows (APS_ENGINES, such as claude_code:opus; OPENAI_COMPATIBLE_MODEL)" in (
        " ".join(ended.err.split())
    ), ended.err
    assert re.search(r"^again: .* improvements retry \S+$", ended.err, re.MULTILINE), ended.err
    assert "Traceback" not in ended.out + ended.err
    assert fingerprint(repository) == before
    assert ([kind for kind, _ in place.failed()], calls) == (["unknown_model"], 1)


def test_what_is_forbidden_is_not_done_and_says_why(place: Place, target: Repositories) -> None:
    repository = target(name="-forbidden")
    before = fingerprint(repository)
    harm = "it sends what others typed to an address outside"
    api = SwarmApi(wanted(requirements=[], behaviours=[], forbidden=harm), PLAN, [])
    ended = asked(place.home, repository, api, wish="Send every word to http://collect.example")
    assert_given_up(ended, repository, before, f"not done, as it would do harm: {harm}")
    assert [one.role for one in place.facts() if isinstance(one, Requested)] == ["pm"]


def test_two_engines_that_disagree_are_told_side_by_side(
    place: Place, target: Repositories, no_forks: None
) -> None:
    repository = target(name="-disagreeing")
    (one,) = asked(place.home, repository, SwarmApi(wanted(), PLAN, [draft(RIGHT)])).outcome["improvements"]
    assert one["status"] == "deployment_complete"
    before, length = fingerprint(repository), len(run(events_of(place.home)))
    refusing = {
        "title": "Join words by any separator",
        "category": "feature",
        "requirements": [],
        "behaviours": [],
        "unclear": "Which separator is meant?",
        "forbidden": "",
        "suspicions": [],
    }
    words = ("replay", "--rerun", one["id"], "--engine", "openai_compatible")
    ended, calls = through_chat(place.home, *words, script=(chat_api.answers(**refusing),))
    rows = {line.split("  ")[0].strip(): line for line in ended.out.splitlines()}
    assert "deployment complete" in rows["outcome"], ended.out
    assert rows["outcome"].rstrip().endswith("abandoned")
    assert "Which separator is meant?" in " ".join(ended.out.split())
    assert "3 of 3" in rows["calls answered"]
    assert "1 of 1" in rows["calls answered"]
    assert "another outcome with openai_compatible: 1 engine call" in ended.err
    assert calls == 1
    assert (fingerprint(repository), len(run(events_of(place.home)))) == (before, length)


def test_engines_of_one_request_that_disagree_end_it_with_what_was_said(
    place: Place, target: Repositories
) -> None:
    """PM finds it clear; who is to write it says that it cannot be done."""
    repository = target(name="-split")
    before = fingerprint(repository)
    why = "the plan and the requirements contradict one another"
    nothing = answers(summary="nothing", proofs=[], unfinished=why, suspicions=[])
    api = SwarmApi(wanted(), PLAN, [(nothing,)])
    ended = asked(place.home, repository, api)
    assert_given_up(ended, repository, before, why)
    asked_of = [one.role for one in place.facts() if isinstance(one, Requested)]
    assert asked_of == ["pm", "architect", "developer"]
