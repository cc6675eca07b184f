"""Gherkin text as the scenarios of an APS document."""

from collections.abc import Iterator
from typing import Any

from gherkin.errors import ParserError
from gherkin.parser import Parser

from schemas.aps import Scenario, Step

Node = dict[str, Any]  # the parser's own tree, read here and nowhere else


class NoFeature(ValueError):  # noqa: N818 -- says what the text is not
    """The text is no Gherkin feature; the message is the parser's, with its line."""


def scenarios(feature: str) -> tuple[Scenario, ...]:
    """Return the scenarios of a feature in their order; steps of the background come first in each.

    Tables and texts below a step are appended to its description. An empty text has no scenarios.
    """
    if not feature.strip():
        return ()
    try:
        parsed: Any = Parser().parse(feature)
    except ParserError as problem:
        raise NoFeature(str(problem)) from problem
    return tuple(_scenarios((parsed.get("feature") or {}).get("children", []), ()))


def step_type(keyword: str) -> str:
    """Return the type of a step; `*` and words of other kinds carry on the step before."""
    word = keyword.strip().capitalize()
    return word if word in ("Given", "When", "Then", "And", "But") else "And"


def _scenarios(children: list[Node], before: tuple[Step, ...]) -> Iterator[Scenario]:
    for child in children:
        if "background" in child:
            before = (*before, *map(_step, child["background"]["steps"]))
        elif "rule" in child:
            yield from _scenarios(child["rule"]["children"], before)
        else:
            told = child["scenario"]
            steps = (*before, *map(_step, told["steps"]))
            yield Scenario(
                name=told["name"] or "unnamed", description=told["description"].strip(), steps=steps
            )


def _step(step: Node) -> Step:
    text = "\n".join((step["text"], *_below(step)))
    return Step.model_validate({"type": step_type(step["keyword"]), "description": text})


def _below(step: Node) -> Iterator[str]:
    if "docString" in step:
        yield step["docString"]["content"]
    for row in step.get("dataTable", {}).get("rows", []):
        yield "| " + " | ".join(cell["value"] for cell in row["cells"]) + " |"
