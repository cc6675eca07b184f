"""The rules looked for, and what a reviewer is told about each.

The words are in `rules.yaml`; a rule that is not there speaks in ruff's words.
"""

import json
import re
import subprocess
from enum import StrEnum
from functools import cache
from importlib.resources import files

import yaml
from pydantic import Field, TypeAdapter

from schemas.base import Frozen
from services.engines.deterministic.ruff import binary

NEWEST_TARGET = 10  # the Python whose rules are looked for, whatever a project declares
OLDEST_TARGET = 7  # ruff writes for nothing older
DEFAULT_SELECT = ("F", "UP", "SIM", "C4", "PERF", "FURB", "B", "PIE", "RET", "RUF")


class Category(StrEnum):
    """What a rule is good for."""

    CORRECTNESS = "correctness"
    CLARITY = "clarity"
    PERFORMANCE = "performance"
    MODERNISATION = "modernisation"
    TIDINESS = "tidiness"


class FixKind(StrEnum):
    """Who fixes a rule; NEVER where the fix changes what the program reads or does."""

    RUFF = "ruff"
    CODEMOD = "codemod"
    NEVER = "never"


class Stage(StrEnum):
    """When a rule is fixed relative to others, in order."""

    FIRST = "first"
    SECOND = "second"
    LAST = "last"

    @property
    def position(self) -> int:
        """0 for the first stage."""
        return list(Stage).index(self)


class Rule(Frozen):
    """What is told about a rule. `weight` is from 0 to 100; `then` are rules that finish its fix."""

    title: str
    why: str
    category: Category
    weight: int = Field(ge=0, le=100)
    fix: FixKind = FixKind.RUFF
    stage: Stage = Stage.FIRST
    then: tuple[str, ...] = ()


class RuleSet(Frozen):
    """Which rules are looked for in a target, and as for which Python (`target_version`).

    `written_for` is the oldest Python that fixes must run on. Where it is older, some findings stay.
    """

    select: tuple[str, ...] = DEFAULT_SELECT
    target_version: str = Field(default=f"py3{NEWEST_TARGET}", pattern=r"^py3\d+$")
    written_for: str = Field(default=f"py3{NEWEST_TARGET}", pattern=r"^py3\d+$")

    @property
    def withholds(self) -> bool:
        """Whether a rule may be found whose fix is not written."""
        return minor_of(self.written_for) < minor_of(self.target_version)


def written_for(oldest: int | None) -> str:
    """Name the Python that fixes are written for: the oldest a project declares, `oldest` being its minor
    version (None: it does not say), within what ruff can write for and what is looked for."""
    return f"py3{NEWEST_TARGET if oldest is None else max(OLDEST_TARGET, min(NEWEST_TARGET, oldest))}"


def spoken(target_version: str) -> str:
    """Give ruff's name of a Python as people write it: `3.10` for `py310`."""
    return f"3.{minor_of(target_version)}"


def minor_of(target_version: str) -> int:
    """Give the minor version in ruff's name of a Python."""
    return int(target_version.removeprefix("py3"))


_CATALOGUE = TypeAdapter(dict[str, Rule])
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader  # the first is ten times as fast
_RUFF_CATEGORIES = {
    "correctness": (Category.CORRECTNESS, 60),
    "suspicious": (Category.CORRECTNESS, 50),
    "performance": (Category.PERFORMANCE, 40),
    "complexity": (Category.CLARITY, 30),
}


@cache
def catalogue() -> dict[str, Rule]:
    """Give the rules that `rules.yaml` documents, by code."""
    text = (files("services.engines.deterministic") / "rules.yaml").read_text(encoding="utf-8")
    return _CATALOGUE.validate_python(yaml.load(text, _LOADER))  # noqa: S506 -- both are safe loaders


@cache
def describe(code: str) -> Rule:
    """Give what is known of a rule, from the catalogue or else from ruff; LookupError if neither knows it."""
    return catalogue().get(code) or _in_ruffs_words(code)


class _RuffRule(Frozen, extra="ignore"):
    name: str
    summary: str
    category: str = ""


def _in_ruffs_words(code: str) -> Rule:
    asked = subprocess.run(
        [binary(), "rule", code, "--output-format", "json"], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        raise LookupError(f"no rule {code}: {asked.stderr.strip().splitlines()[0]}")
    rule = _RuffRule.model_validate(json.loads(asked.stdout))
    category, weight = _RUFF_CATEGORIES.get(rule.category, (Category.TIDINESS, 20))
    return Rule(
        title=f"Fix {rule.name.replace('-', ' ')}",
        why=re.sub(r"\{(\w*)\}", r"\1", rule.summary).strip(),
        category=category,
        weight=weight,
    )
