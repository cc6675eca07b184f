"""What is wrong with migrations as they are written, before any of them is run.

Rules
1. A migration that was there is neither edited nor deleted: databases that ran it never see that. How it is
   laid out and commented is nobody's affair.
2. There are not more heads than before, and no two migrations of one name.
"""

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from services.gates.evidence import listed
from services.workspace.migrations.tool import Migrating, Revision, heads, newest_first, revisions


@dataclass(frozen=True)
class History:
    """The migrations of one tool before and after a change, as they are written, by path."""

    how: Migrating
    before: Mapping[str, str]
    after: Mapping[str, str]

    @cached_property
    def was(self) -> Mapping[str, Revision]:
        """Those before, as far as they can be read."""
        return revisions(self.how, self.before)

    @cached_property
    def now(self) -> Mapping[str, Revision]:
        """Those after, as far as they can be read."""
        return revisions(self.how, self.after)

    @property
    def new(self) -> tuple[Revision, ...]:
        """Those that come with the change, each before the ones it follows."""
        return newest_first(one for path, one in self.now.items() if path not in self.before)

    @cached_property
    def offences(self) -> tuple[str, ...]:
        """What is wrong, a sentence each."""
        altered = [said for path in self.was if (said := self._altered(path))]
        unread = [
            f"{path}: it does not parse, or does not say which migration it is"
            for path in self.after
            if path not in self.now and path not in self.before and _is_named_like_one(path)
        ]
        return (*altered, *unread, *_doubled(self.now.values()), *self._forked())

    def _altered(self, path: str) -> str:
        was, now = self.before[path], self.after.get(path)
        if now is None:
            return f"{path}: it was there before and is gone; a database that ran it cannot go on from there"
        if was != now and not _is_same_code(was, now):
            return f"{path}: it was there before and is edited; a database that ran it never sees that"
        return ""

    def _forked(self) -> list[str]:
        before, offences = heads(self.was.values()), []
        for group, names in heads(self.now.values()).items():
            old = before.get(group, ())
            if len(names) > max(1, len(old)):
                where, wanted = f"{group}: " * bool(group), f"; one new migration follows {listed(old)}"
                offences.append(f"{where}{len(names)} heads, {listed(names)}{wanted * bool(old)}")
        return offences


def _is_same_code(was: str, now: str) -> bool:
    try:
        return ast.dump(ast.parse(was)) == ast.dump(ast.parse(now))
    except (SyntaxError, ValueError):
        return False


def _is_named_like_one(path: str) -> bool:
    """Whether a file's name is that of a migration rather than of what they share."""
    stem = PurePosixPath(path).stem
    return not stem.startswith("_") and any(letter.isdigit() for letter in stem)


def _doubled(now: Collection[Revision]) -> list[str]:
    names = [(one.group, one.name) for one in now]
    return [
        f"{one.path}: another migration has its name {one.name}"
        for one in now
        if names.count((one.group, one.name)) > 1
    ]
