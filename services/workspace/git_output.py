"""Names what git tells about: identities, files, commits, conflicts; and reads its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Identity:
    """Who a commit is by."""

    name: str
    email: str


@dataclass(frozen=True)
class Entry:
    """One file of a tree: `mode` as git writes it (100644, 100755, 120000 link, 160000 submodule)."""

    mode: str
    sha: str


@dataclass(frozen=True)
class CommitInfo:
    """What one commit says about itself."""

    commit: str
    tree: str
    parents: tuple[str, ...]
    author: Identity
    when: datetime
    message: str


@dataclass(frozen=True)
class Conflict:
    """A merge that git will not make by itself, and the paths that stand in its way."""

    paths: tuple[str, ...]


def parsed_blobs(answer: bytes) -> Mapping[str, bytes]:
    """Read the answer of `git cat-file --batch`."""
    found: dict[str, bytes] = {}
    place = 0
    while place < len(answer):
        start = answer.index(b"\n", place) + 1
        sha, _, size = answer[place : start - 1].decode().split(" ")
        found[sha] = answer[start : start + int(size)]
        place = start + int(size) + 1
    return found


def commit_info(record: str) -> CommitInfo:
    """Read one record of the format `Repository.log` asks for."""
    commit, tree, parents, name, email, seconds, message = record.strip("\n").split("\0")
    return CommitInfo(
        commit,
        tree,
        tuple(parents.split()),
        Identity(name, email),
        datetime.fromtimestamp(int(seconds), UTC),
        message,
    )
