"""A change that is refused for a secret leaves the secret nowhere in what is stored or shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.catalogue import read_fact
from events.improvement_facts import ChangeImplemented, ChangeRefuted
from events.subjects import ARTEFACT_STREAM, STREAM
from services.cli.keeping.backing_up import messages
from services.runtime.ground import stand
from services.runtime.settings import load
from tests.acceptance.command import aps
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import SwarmApi
from tests.acceptance.test_request import PLAN, RIGHT, asked, draft, untouched, wanted
from tests.acceptance.watching import events_of
from tests.conftest import run

pytestmark = pytest.mark.slow

SECRET = "sk-ant-api03-Zq8vT1bW5xY2kL9mN4pR7sD3fG6hJ0aC"


async def as_stored(home: Path) -> bytes:
    """Return what the inspector can read of the log and the artefacts."""
    async with stand(load({"APS_HOME": str(home)})) as ground, ground.log("inspector") as (connection, _):
        streams = (STREAM, ARTEFACT_STREAM)
        return b"\n".join([one.body for name in streams async for one in messages(connection, name)])


def told(home: Path, *words: str) -> dict[str, Any]:
    ended = aps(home, *words, "--json")
    assert ended.code == 0, ended.err
    assert SECRET not in ended.out + ended.err
    return dict(orjson.loads(ended.out))


def test_a_secret_that_an_engine_wrote_is_refused_and_stands_nowhere(
    fresh_home: Callable[[str], Path], target: Repositories
) -> None:
    home, repository = fresh_home("given-away"), target(name="-given-away")
    given_away = f'{RIGHT}\n\nKEY = "{SECRET}"\n'
    with untouched(repository):
        outcome = asked(home, repository, SwarmApi(wanted(), PLAN, [draft(given_away)])).outcome
    (one,) = outcome["improvements"]
    facts = [read_fact(event.envelope) for event in run(events_of(home))]
    assert one["status"] == "abandoned"
    assert "the very change that was refused" in one["reason"]
    (refused,) = [fact for fact in facts if isinstance(fact, ChangeRefuted)]
    assert "secrets_absent" in refused.reason
    (written,) = [fact for fact in facts if isinstance(fact, ChangeImplemented)]
    assert written.patch.sealed_for == f"improvement/{one['id']}"
    stored = run(as_stored(home))
    assert b"secrets_absent" in stored
    assert SECRET.encode() not in stored

    shown = told(home, "improvements", "show", one["id"], "--diff")
    assert '+KEY = "[***]"' in shown["diff"]
    again = told(home, "replay", "--rerun", one["id"])
    assert (again["engine_calls"], again["events"]["unlike"]) == (0, [])
    assert again["rerun"]["attempts"] == again["original"]["attempts"]
