"""A feature as typed scenarios, and as Gherkin text that any Gherkin tool reads.

Rule: `parse_feature(feature(title, why, scenarios))` gives the same scenarios back, or `feature` raises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gherkin.errors import ParserError
from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler

from services.gherkin.steps import Step, UnknownStep, parse_step

_WHY = "Why: "  # no line of free text may start with a word of the Gherkin language

_Node = Mapping[str, Any]  # the parser's own tree, read here and nowhere else


class NoFeature(ValueError):  # noqa: N818 -- says what the text is not
    """The text is no Gherkin feature; the message is the parser's, with its line."""


@dataclass(frozen=True)
class Stated:
    """A step as a scenario states it: `keyword` is Given, When, Then, And or But."""

    keyword: str
    step: Step


@dataclass(frozen=True)
class Scenario:
    """Steps that are executed in order."""

    name: str
    steps: tuple[Stated, ...]


@dataclass(frozen=True)
class Feature:
    """Scenarios that together say when a change is what was asked for."""

    title: str
    why: str
    scenarios: tuple[Scenario, ...]


def feature(title: str, why: str, scenarios: Sequence[Scenario]) -> str:
    """Write a feature as Gherkin. White space in names and reasons is folded."""
    lines = [f"Feature: {_folded(title)}", f"  {_WHY}{_folded(why)}"]
    for scenario in scenarios:
        lines += ["", f"  Scenario: {_folded(scenario.name)}"]
        lines += [f"    {stated.keyword} {stated.step.text}" for stated in scenario.steps]
    text = "\n".join(lines) + "\n"
    meant = Feature(
        _folded(title), _folded(why), tuple(Scenario(_folded(one.name), one.steps) for one in scenarios)
    )
    if parse_feature(text) != meant:
        raise ValueError(f"the feature {title!r} cannot be written as Gherkin")
    return text


def parse_feature(text: str) -> Feature:
    """Read a feature; backgrounds come first in each scenario, outlines become one scenario for each row.

    Raises NoFeature for a text that is none, UnknownStep for a step outside the vocabulary.
    """
    try:
        document: Any = Parser().parse(text)
    except ParserError as problem:
        raise NoFeature(str(problem)) from problem
    root: _Node | None = document.get("feature")
    if root is None:
        raise NoFeature("line 1: the text holds no feature")
    stated = _steps_by_id(root)
    scenarios = tuple(
        Scenario(
            pickle["name"], tuple(_stated(step, stated[step["astNodeIds"][0]]) for step in pickle["steps"])
        )
        for pickle in Compiler().compile(document | {"uri": ""})
    )
    why = _folded(root["description"]).removeprefix(_WHY.strip()).strip()
    return Feature(root["name"], why, scenarios)


def _steps_by_id(node: _Node) -> dict[str, _Node]:
    """Every step of a feature or rule, with the line and keyword that its compiled form has lost."""
    found: dict[str, _Node] = {}
    for child in node["children"]:
        if "rule" in child:
            found |= _steps_by_id(child["rule"])
        else:
            found |= {step["id"]: step for step in (child.get("background") or child["scenario"])["steps"]}
    return found


def _stated(compiled: _Node, written: _Node) -> Stated:
    line, text = written["location"]["line"], compiled["text"]
    if "argument" in compiled:
        raise UnknownStep(
            line, f"{text} (with a table or text below it)", "the same without what is below it"
        )
    keyword = written["keyword"].strip()
    return Stated("And" if keyword == "*" else keyword, parse_step(text, line))


def _folded(text: str) -> str:
    return " ".join(text.split())
