"""The gate that keeps a change inside its repository, and away from what steers git.

Rules
1. No symbolic link comes that leads out of the repository, through whichever other links, or to its `.git`.
2. No submodule comes or moves, and nothing says anew where one comes from.
3. No attribute comes by which git hands files to a program, no hook, and no file of git's own settings.
4. That any of these goes is welcome.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from schemas.improvement import GateResult
from services.gates.evidence import counted, verdict

STAYS_INSIDE = "stays_inside"
VERSION = "1"
LINK, SUBMODULE = "120000", "160000"
_MOST_LINKS = 40  # as the kernel follows
_HOOKS = re.compile(r"\.?git[-_]?hooks/|\.hooks/|\.husky/|\.?lefthook[^/]*\.(?:ya?ml|toml|json)$")
_SETTINGS = frozenset({".gitconfig", ".lfsconfig"})
_GIT = re.compile(r"\.git[ .]*|git~[0-9]+", re.IGNORECASE)
_HANDING = re.compile(r"(?<!\S)(filter|merge|diff)=(\S+)")
_BUILT_IN = frozenset({
    "ada", "bash", "bibtex", "cpp", "csharp", "css", "dts", "elixir", "fortran", "fountain", "golang",
    "html", "java", "kotlin", "markdown", "matlab", "objc", "pascal", "perl", "php", "python", "ruby", "rust",
    "scheme", "tex", "text", "binary", "union",
})  # fmt: skip


@dataclass(frozen=True)
class Places:
    """What stands at the paths that a change leaves: their `modes` as git writes them.

    `links` are all links of the tree, by path, and where each leads; needed where a link is among the paths.
    """

    modes: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def stays_inside(
    before: Mapping[str, str | None], after: Mapping[str, str | None], places: Places
) -> GateResult:
    """Judge the files of a change, which are not in `places.modes` where they are gone."""
    offences = [
        f"{path}: {offence}"
        for path, mode in sorted(places.modes.items())
        if (offence := _offence(path, mode, before.get(path) or "", after.get(path) or "", places.links))
    ]
    otherwise = f"nothing leads out in {counted(len(places.modes), 'file')}"
    return verdict(STAYS_INSIDE, VERSION, offences, otherwise)


def _offence(path: str, mode: str, before: str, after: str, links: Mapping[str, str]) -> str:
    if mode == SUBMODULE:
        return "a submodule, whose content is not in this repository"
    if any(_GIT.fullmatch(part) for part in path.split("/")):
        return "it would belong to git, not to the project"
    if mode == LINK:
        return _leading(path, links)
    return _steering(path, before, after)


def _leading(path: str, links: Mapping[str, str]) -> str:
    goal = links.get(path, "/")
    if (end := _followed(path, links)) is None:
        return f"a link that leads out of the repository, to {goal}"
    if any(_GIT.fullmatch(part) for part in end):
        return f"a link that leads to git's own files, to {goal}"
    return ""


def _followed(path: str, links: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return where a link leads in its tree; None for out of it, or without end."""
    here: list[str] = []
    ahead, followed = path.split("/"), 0
    while ahead:
        part = ahead.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return None
            here.pop()
            continue
        here.append(part)
        if (goal := links.get("/".join(here))) is not None:
            followed += 1
            if goal.startswith("/") or followed > _MOST_LINKS:
                return None
            here.pop()
            ahead = [*goal.split("/"), *ahead]
    return tuple(here)


def _steering(path: str, before: str, after: str) -> str:
    name = PurePosixPath(path).name
    if before == after:
        return ""  # only its mode changed
    if name == ".gitmodules":
        return "it says where submodules come from"
    if name == ".gitattributes":
        new = sorted(_programs(after) - _programs(before))
        return f"new: {', '.join(new)}, by which git hands files to a program" if new else ""
    if name in _SETTINGS:
        return "settings of git"
    return "a hook, which git may be made to run" if _HOOKS.match(path) else ""


def _programs(attributes: str) -> set[str]:
    lines = [line for line in attributes.splitlines() if not line.lstrip().startswith("#")]
    found = [match for line in lines for match in _HANDING.finditer(line)]
    return {match[0] for match in found if match[1] == "filter" or match[2] not in _BUILT_IN}
