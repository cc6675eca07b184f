"""The steps a feature may use: each a typed value with the one sentence that says it.

Rules
1. `parse_step(step.text) == step` for every step. Values stand in double quotes, escaped as in JSON.
2. A step promises something that can be measured; how is said in `services.gherkin.running`.
"""

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import ClassVar

_QUOTED = r'"(?:[^"\\]|\\.)*"'


@dataclass(frozen=True)
class TargetAt:
    """The target stands at a commit."""

    commit: str

    pattern: ClassVar[str] = rf"the target at commit (?P<commit>{_QUOTED})"

    @property
    def text(self) -> str:
        return f"the target at commit {_quoted(self.commit)}"


@dataclass(frozen=True)
class ChangeApplied:
    """The change under test was made."""

    pattern: ClassVar[str] = "the change is applied"
    text: ClassVar[str] = pattern


@dataclass(frozen=True)
class FindingsAtMost:
    """A rule finds at most so much in all of `paths` together."""

    rule: str
    most: int
    paths: tuple[str, ...]

    pattern: ClassVar[str] = (
        rf"the rule (?P<rule>{_QUOTED}) reports at most (?P<most>\d+) findings? "
        rf"in (?P<paths>{_QUOTED}(?:, {_QUOTED})*)"
    )

    @property
    def text(self) -> str:
        noun = "finding" if self.most == 1 else "findings"
        paths = ", ".join(map(_quoted, self.paths))
        return f"the rule {_quoted(self.rule)} reports at most {self.most} {noun} in {paths}"


@dataclass(frozen=True)
class NothingSuppressed:
    """No finding was hidden by a comment or a setting."""

    pattern: ClassVar[str] = "no finding was suppressed"
    text: ClassVar[str] = pattern


@dataclass(frozen=True)
class TestsStillPass:
    """The suite is no worse than the baseline."""

    __test__ = False  # pytest would collect it by its name
    pattern: ClassVar[str] = "every test that passed before still passes"
    text: ClassVar[str] = pattern


@dataclass(frozen=True)
class InterfaceUnchanged:
    """What others import is as before."""

    pattern: ClassVar[str] = "the public interface is unchanged"
    text: ClassVar[str] = pattern


@dataclass(frozen=True)
class TestsNotWeakened:
    """Tests and their settings judge as strictly as before."""

    __test__ = False  # pytest would collect it by its name
    pattern: ClassVar[str] = "no test was weakened"
    text: ClassVar[str] = pattern


@dataclass(frozen=True)
class OnlyWhereFired:
    """No file was touched in which the rule found nothing."""

    pattern: ClassVar[str] = "the change touches only files where the rule fired"
    text: ClassVar[str] = pattern


@dataclass(frozen=True)
class _Proof:
    """A behaviour, and how tests prove it."""

    behaviour: str

    how: ClassVar[str]
    pattern: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.pattern = rf"the behaviour (?P<behaviour>{_QUOTED}) {cls.how}"

    @property
    def text(self) -> str:
        return f"the behaviour {_quoted(self.behaviour)} {self.how}"


class ShownByTests(_Proof):
    """A behaviour that was asked for is shown by tests that fail without the change."""

    how = "is shown by tests that fail without it"


class GuardedByTests(_Proof):
    """A behaviour that is there is guarded by tests that come new."""

    how = "is guarded by new tests"


class KeptByTests(_Proof):
    """A behaviour that is there stays while something else is bettered."""

    how = "is kept, as tests show before and after"


Proven = ShownByTests | GuardedByTests | KeptByTests
Step = (
    TargetAt
    | ChangeApplied
    | FindingsAtMost
    | NothingSuppressed
    | TestsStillPass
    | InterfaceUnchanged
    | TestsNotWeakened
    | OnlyWhereFired
    | ShownByTests
    | GuardedByTests
    | KeptByTests
)

EXAMPLES: tuple[Step, ...] = (
    TargetAt("4f1c2ab"),
    ChangeApplied(),
    FindingsAtMost("B904", 3, ("toolz",)),
    NothingSuppressed(),
    TestsStillPass(),
    InterfaceUnchanged(),
    TestsNotWeakened(),
    OnlyWhereFired(),
    ShownByTests("an empty list gives zero"),
    GuardedByTests("an empty list gives zero"),
    KeptByTests("an empty list gives zero"),
)


class UnknownStep(ValueError):  # noqa: N818 -- says what is wrong with the feature, as the glossary has it
    """A step is not in the vocabulary; `nearest` is an example of the one it resembles most."""

    def __init__(self, line: int, text: str, nearest: str) -> None:
        super().__init__(f'line {line}: no such step: "{text}". The nearest is: {nearest}')
        self.line, self.text, self.nearest = line, text, nearest


def parse_step(text: str, line: int = 1) -> Step:
    """Read a step's sentence. Raises UnknownStep, which names `line`."""
    for example in EXAMPLES:
        if match := re.fullmatch(example.pattern, text):
            step = _made(type(example), match)
            if step is not None:
                return step
    raise UnknownStep(line, text, _nearest(text))


def _made(kind: type[Step], match: re.Match[str]) -> Step | None:
    """Build a step from its sentence; None where a quoted value is not JSON."""
    try:
        if kind is TargetAt:
            return TargetAt(json.loads(match["commit"]))
        if issubclass(kind, Proven):
            return kind(json.loads(match["behaviour"]))
        if kind is FindingsAtMost:
            paths = tuple(json.loads(path) for path in re.findall(_QUOTED, match["paths"]))
            return FindingsAtMost(json.loads(match["rule"]), int(match["most"]), paths)
    except ValueError:
        return None
    return next(example for example in EXAMPLES if type(example) is kind)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _nearest(text: str) -> str:
    """The example most like `text`, whatever the quoted values are."""
    return max((example.text for example in EXAMPLES), key=lambda known: _likeness(text, known))


def _likeness(one: str, other: str) -> float:
    bare, like = (re.sub(_QUOTED, '""', words.lower()) for words in (one, other))
    return SequenceMatcher(None, bare, like).ratio()
