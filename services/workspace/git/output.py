"""Names what git tells about: identities, files, commits, conflicts; and reads its output."""

import os
from collections.abc import Mapping, Sequence
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


def parsed_blobs(answer: bytes, asked: Sequence[str]) -> Mapping[str, bytes]:
    """Read the answer of `git cat-file --batch` by the names asked for; what is missing is left out."""
    found: dict[str, bytes] = {}
    place = 0
    for name in asked:
        absent = os.fsencode(name) + b" missing\n"
        if answer.startswith(absent, place):
            place += len(absent)
            continue
        start = answer.index(b"\n", place) + 1
        _, kind, size = answer[place : start - 1].decode().split(" ")
        if kind == "blob":
            found[name] = answer[start : start + int(size)]
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
