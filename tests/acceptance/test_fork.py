"""A fork is a world of its own: work is repeated in it with other settings, and nothing outside notices."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from tests.acceptance.command import Ended, aps, improve
from tests.acceptance.targets import BRANCH, git, repository, subjects, tree
from tests.conftest import run

# Each would change the outcome, or fail the command, where it counted.
OUTSIDE = {
    "APS_AUTONOMY": "low",
    "APS_HEALTH_COMMAND": "exit 1",
    "NATS_URL": "nats://127.0.0.1:9",
    "DATABASE_URL": "postgresql://127.0.0.1:9/aps",
}


@dataclass(frozen=True)
class World:
    """A data folder, its target, and what came of the last cycle in it."""

    home: Path
    root: Path
    cycle: Ended

    def ask(self, *words: str) -> Any:
        return orjson.loads(self.told(*words, "--json").out)

    def told(self, *words: str) -> Ended:
        ended = aps(self.home, *words)
        assert ended.code == 0, ended.err
        return ended

    def events(self) -> list[dict[str, Any]]:
        return list(self.ask("events", "list", "--after", "0", "--limit", "10000"))


def digest(root: Path) -> str:
    """Digest every byte below a folder."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def state_of(world: World) -> tuple[str, list[dict[str, Any]], Any, str]:
    """Return all that a fork must leave alone: target, log, views, clone."""
    views = world.ask("improvements", "list"), world.ask("deployments", "list"), world.ask("claims", "list")
    return digest(world.root), world.events(), views, digest(world.home / "repositories")


@dataclass(frozen=True)
class Parted:
    """The original, its state before there was a fork, and the fork after work with other settings."""

    original: World
    before: tuple[str, list[dict[str, Any]], Any, str]
    seq: int
    fork: World


@pytest.fixture(scope="module")
def homes(ground: Path, prepared: Path) -> Iterator[list[Path]]:
    """Two data folders with empty logs, whose servers stay up, so that commands adopt them."""
    folders = [ground / name for name in ("forked", "from-the-start")]
    for folder in folders:
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)
        shutil.copytree(prepared, folder / "environments", symlinks=True)
    servers = [EmbeddedServers(folder) for folder in folders]
    for one in servers:
        run(one.join())
    yield folders
    for fork in sorted((folders[0] / "forks").glob("*")):
        run(EmbeddedServers(fork).erase())
    for one in servers:
        run(one.leave())
    for folder in folders:
        run(EmbeddedServers(folder).erase())
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def parted(ground: Path, homes: list[Path]) -> Iterator[Parted]:
    """One cycle; a fork after its discovery; the rest of the cycle again in there, less trusting."""
    root = repository(ground / "targets" / "forked" / "tiny")
    original = World(homes[0], root, improve(homes[0], root))
    assert original.cycle.code == 0, original.cycle.err
    before = state_of(original)
    seq = max(one["seq"] for one in before[1] if one["event"]["type"] == "aps.improvement.discovered.v1")
    opened = orjson.loads(original.told("fork", str(seq), "--name", "low", "--json").out)
    servers = EmbeddedServers(Path(opened["home"]))
    run(servers.join())
    try:
        cycle = improve(Path(opened["home"]), root, **OUTSIDE)
        assert cycle.code == 0, cycle.err
        (copy,) = opened["targets"].values()
        yield Parted(original, before, seq, World(Path(opened["home"]), Path(copy), cycle))
    finally:
        run(servers.leave())


def test_nothing_of_the_original_is_touched_by_work_in_the_fork(parted: Parted) -> None:
    assert state_of(parted.original) == parted.before


def test_the_fork_shares_the_past_to_the_byte_and_says_its_name_in_what_is_new(parted: Parted) -> None:
    there, here = parted.fork.events(), parted.before[1]
    assert there[: parted.seq] == here[: parted.seq]
    sources = {one["event"]["source"] for one in there[parted.seq :]}
    assert sources
    assert all(source.startswith("aps/fork/low/") for source in sources)
    assert not any("fork" in one["event"]["source"] for one in there[: parted.seq])


def test_its_log_verifies_and_its_views_follow_from_it(parted: Parted) -> None:
    assert parted.fork.ask("events", "verify")["faults"] == []
    assert parted.fork.ask("replay", "--check")["equal"]


def test_the_cycle_went_on_where_it_was(parted: Parted) -> None:
    scans = [one for one in parted.fork.events() if one["event"]["type"].startswith("aps.target.scan")]
    assert [one["event"]["type"] for one in scans] == [
        "aps.target.scan_requested.v1",
        "aps.target.scanned.v1",
    ]
    assert "under way already" in parted.fork.cycle.err


def test_the_other_settings_count_and_what_leads_outside_does_not(parted: Parted) -> None:
    waiting = [
        one for one in parted.fork.cycle.outcome["improvements"] if one["status"] == "testing_complete"
    ]
    assert waiting
    assert "deployment_complete" in parted.fork.cycle.statuses.values()
    deployed = parted.fork.ask("deployments", "list")
    assert [(one["state"], one["healthy"]) for one in deployed] == [("succeeded", None)]


def test_what_lands_lands_on_a_copy_of_the_target(parted: Parted) -> None:
    assert parted.fork.root.is_relative_to(parted.fork.home)
    assert git(parted.fork.root, "rev-parse", "main") == git(parted.original.root, "rev-parse", "main")
    assert git(parted.fork.root, "status", "--porcelain") == ""
    assert git(parted.fork.root, "remote") == ""
    assert tree(parted.fork.root) != tree(parted.original.root)


def test_the_outcome_is_that_of_the_same_settings_from_the_start(
    parted: Parted, ground: Path, homes: list[Path]
) -> None:
    root = repository(ground / "targets" / "from-the-start" / "tiny")
    started = improve(homes[1], root, APS_AUTONOMY="low")
    assert started.statuses == parted.fork.cycle.statuses
    assert subjects(root) == subjects(parted.fork.root)
    assert tree(root) == tree(parted.fork.root)


def test_the_comparison_names_what_stands_otherwise(parted: Parted) -> None:
    found = parted.original.ask("fork", "compare", "low")
    mine, theirs = found["courses"]
    assert (found["seq"], mine["name"], theirs["name"]) == (parted.seq, "the original", "low")
    assert (mine["events"], theirs["events"]) == (
        len(parted.before[1]) - parted.seq,
        len(parted.fork.events()) - parted.seq,
    )
    assert theirs["statuses"]["testing_complete"] > 0 == mine["statuses"].get("testing_complete", 0)
    assert mine["landed"] > theirs["landed"]
    assert {"deployment_complete", "testing_complete"} in [{*one["statuses"]} for one in found["differing"]]
    assert found["equal"] + len(found["differing"]) == mine["improvements"]


def test_a_fork_says_what_it_is(parted: Parted) -> None:
    health = {one["name"]: one["detail"] for one in parted.fork.ask("status")["components"]}
    assert f"low: {parted.original.home} up to event {parted.seq} " in health["fork"]
    assert "fork" in {one["name"] for one in parted.fork.ask("doctor")["checks"]}
    assert "fork" not in {one["name"] for one in parted.original.ask("status")["components"]}


def test_a_target_the_fork_has_no_copy_of_is_refused(parted: Parted, ground: Path) -> None:
    other = repository(ground / "targets" / "forked" / "other")
    refused = improve(parted.fork.home, other)
    assert (refused.code, "has no copy in this fork" in refused.err) == (Exit.USAGE, True)
    assert git(other, "branch", "--list", BRANCH) == ""


def test_a_change_that_landed_before_is_taken_back_in_the_fork_alone(parted: Parted) -> None:
    landed = parted.original.cycle.id_of("C416")
    opened = parted.original.ask("fork", str(len(parted.before[1])), "--name", "back")
    (copy,) = (Path(one) for one in opened["targets"].values())
    assert git(copy, "rev-parse", BRANCH) == git(parted.original.root, "rev-parse", BRANCH)
    taken = aps(Path(opened["home"]), "improvements", "rollback", landed, "--json")
    assert taken.code == 0, taken.err
    assert tree(copy) != tree(parted.original.root)
    assert state_of(parted.original) == parted.before
    parted.original.told("fork", "remove", "back")
    assert not Path(opened["home"]).exists()
    assert [one["name"] for one in parted.original.ask("fork", "list")] == ["low"]


VIEWS = ("improvement_board", "timeline", "task_board", "engine_usage", "targets", "deployments", "budgets")


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_as_of_an_event_is_what_a_replay_up_to_it_gives(parted: Parted, view: str) -> None:
    for seq in (parted.seq, len(parted.before[1]) - 3):
        shown = parted.original.ask("views", "show", view, "--at", str(seq))
        replayed = parted.original.ask("replay", view, "--until", str(seq))["rows"]
        assert in_any_order(shown) == in_any_order(replayed)
        assert shown or view in ("engine_usage", "deployments", "budgets")


def in_any_order(rows: list[dict[str, Any]]) -> list[bytes]:
    """Return rows as they stood: when one ended was not known then."""
    return sorted(orjson.dumps({**row, "valid_to_seq": None}, option=orjson.OPT_SORT_KEYS) for row in rows)


def test_a_moment_is_named_by_its_time_as_well(parted: Parted) -> None:
    at = parted.before[1][-1]["event"]["time"]
    for topic in ("improvements", "claims", "runs", "deployments"):
        assert parted.original.ask(topic, "list", "--at", at) == parted.original.ask(topic, "list")


@pytest.mark.parametrize("topic", ["improvements", "claims", "runs", "deployments"])
def test_a_moment_that_never_was_is_not_found(parted: Parted, topic: str) -> None:
    assert aps(parted.original.home, topic, "list", "--at", "99999d ago").code == Exit.NOT_FOUND


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("at", "100000"), Exit.NOT_FOUND),
        (("at", "0"), Exit.NOT_FOUND),
        (("at", "2999-01-01"), Exit.NOT_FOUND),
        (("at", "1999-01-01"), Exit.NOT_FOUND),
        (("at", "someday"), Exit.USAGE),
        (("at", "5", "--name", "../up"), Exit.USAGE),
        (("at", "5", "--name", "low"), Exit.CONFLICT),
        (("remove", "lo"), Exit.NOT_FOUND),
        (("compare", "nobody"), Exit.NOT_FOUND),
        (("compare", "low", "--with", "nobody"), Exit.NOT_FOUND),
    ],
)
def test_what_cannot_be_is_refused_by_its_code(parted: Parted, words: tuple[str, ...], code: Exit) -> None:
    ended = aps(parted.original.home, "fork", *words)
    assert ended.code == code, ended.err
    assert [one["name"] for one in parted.original.ask("fork", "list")] == ["low"]
