"""Gherkin text as the scenarios of an APS document."""

from collections.abc import Iterator

from gherkin.errors import ParserError
from gherkin.parser import Parser

from schemas.aps import Scenario, Step


class NoFeature(ValueError):  # noqa: N818 -- says what the text is not
    """The text is no Gherkin feature; the message is the parser's, with its line."""


def scenarios(feature: str) -> tuple[Scenario, ...]:
    """Return the scenarios of a feature in their order; steps of the background come first in each.

    Tables and texts below a step are appended to its description. An empty text has no scenarios.
    """
    if not feature.strip():
        return ()
    try:
        parsed = Parser().parse(feature)
    except ParserError as problem:
        raise NoFeature(str(problem)) from problem
    return tuple(_scenarios((parsed.get("feature") or {}).get("children", []), ()))


def _scenarios(children: list[dict[str, object]], before: tuple[Step, ...]) -> Iterator[Scenario]:
    for child in children:
        match child:
            case {"background": {"steps": list(steps)}}:
                before = (*before, *map(_step, steps))
            case {"rule": {"children": list(inner)}}:
                yield from _scenarios(inner, before)
            case {"scenario": {"name": str(name), "description": str(text), "steps": list(steps)}}:
                yield Scenario(
                    name=name or "unnamed", description=text.strip(), steps=(*before, *map(_step, steps))
                )


def _step(step: dict[str, object]) -> Step:
    word = str(step["keyword"]).strip().capitalize()
    word = (
        word if word in ("Given", "When", "Then", "And", "But") else "And"
    )  # `*` carries on the step before
    return Step.model_validate({"type": word, "description": "\n".join((str(step["text"]), *_below(step)))})


def _below(step: dict[str, object]) -> Iterator[str]:
    match step:
        case {"docString": {"content": str(content)}}:
            yield content
        case {"dataTable": {"rows": list(rows)}}:
            for row in rows:
                yield "| " + " | ".join(cell["value"] for cell in row["cells"]) + " |"
