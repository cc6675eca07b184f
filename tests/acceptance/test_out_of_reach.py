"""A target that moved away or may not be written is refused with the reason; mended, it is tried again."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from services.runtime.data_folder import SERVICE_UID
from tests.acceptance.command import aps, improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import BRANCH, git, subjects

pytestmark = pytest.mark.slow


@contextmanager
def moved_away(root: Path) -> Iterator[None]:
    """Let the target lie elsewhere for the time of the block."""
    elsewhere = root.rename(root.with_name(f"{root.name}-elsewhere"))
    yield
    elsewhere.rename(root)


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    """Let nobody write the target; as root the services write it as its owner, who is not root here."""
    folders = [root / ".git", *(path for path in (root / ".git").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    if os.geteuid() == 0:
        give(root, SERVICE_UID)
    yield
    if os.geteuid() == 0:
        give(root, 0)  # or git would not trust it for us
    for folder in folders:
        folder.chmod(0o755)


def give(root: Path, owner: int) -> None:
    """Make a whole tree somebody's."""
    for path in (root, *root.rglob("*")):
        os.lchown(path, owner, owner)


@contextmanager
def no_repository(root: Path) -> Iterator[None]:
    """Let the target's folder stand without a repository in it."""
    kept = (root / ".git").rename(root.with_name(f"{root.name}.git"))
    yield
    kept.rename(root / ".git")


Way = Callable[[Path], AbstractContextManager[None]]
WAYS: list[tuple[Way, str]] = [
    (moved_away, "is gone"),
    (read_only, "cannot be written"),
    (no_repository, "cannot be read"),
]


@pytest.mark.parametrize(("away", "why"), WAYS)
def test_a_deployment_out_of_reach_fails_with_its_reason_and_is_retried_when_mended(
    home: Path, target: Repositories, away: Way, why: str
) -> None:
    root = target(name=away.__name__)
    id = improve(home, root, APS_AUTONOMY="low").id_of("UP004")
    with away(root):
        ended = aps(home, "improvements", "approve", id)
    assert (ended.code, f"{id} is rolled_back" in ended.err, why in ended.err) == (1, True, True), ended.err
    assert "()" not in ended.err, "the reason is told"
    assert "UP004" not in "".join(subjects(root))
    assert "no dead letters" in aps(home, "dead", "list").out
    again = aps(home, "improvements", "retry", id)
    assert again.code == 0, again.err
    assert "UP004" in subjects(root)[-1]


@pytest.mark.parametrize(("away", "why"), WAYS)
def test_taking_back_out_of_reach_is_refused_and_done_when_mended(
    home: Path, target: Repositories, away: Way, why: str
) -> None:
    root = target(name=away.__name__)
    id = improve(home, root).id_of("UP004")
    tip = git(root, "rev-parse", BRANCH)
    with away(root):
        ended = aps(home, "improvements", "rollback", id)
    assert (ended.code, f"{id} is deployment_complete" in ended.err, why in ended.err) == (1, True, True)
    assert git(root, "rev-parse", BRANCH) == tip
    assert "no dead letters" in aps(home, "dead", "list").out
    assert aps(home, "improvements", "rollback", id).code == 0
    assert git(root, "rev-parse", BRANCH) != tip


def test_what_was_taken_back_twice_can_be_taken_back_again(home: Path, target: Repositories) -> None:
    root = target()
    id = improve(home, root).id_of("F401")
    for word in ("rollback", "retry", "rollback", "retry"):
        ended = aps(home, "improvements", word, id)
        assert ended.code == 0, (word, ended.err)
