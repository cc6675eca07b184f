"""What a scan sees in a target's source, and where."""

from schemas.base import Frozen


class Site(Frozen):
    """A place a rule fires, named without line numbers so that it survives edits elsewhere.

    `path` is POSIX and relative to the target's root, `scope` the dotted name of the enclosing
    functions and classes (empty at module level), `text` the first flagged line, stripped. Findings
    of one rule with equal path, scope and text are one site and are always fixed together.
    """

    path: str
    scope: str
    text: str


class Finding(Frozen):
    """One report of one rule. Lines and columns count from 1."""

    rule: str
    path: str
    line: int
    column: int
    message: str
    scope: str
    text: str
    fixable: bool

    @property
    def site(self) -> Site:
        """The position-free name of the place."""
        return Site(path=self.path, scope=self.scope, text=self.text)
