"""The report of a cycle as a person reads it: one HTML file that needs nothing else, or Markdown.

Every text is on one line and free of characters that cannot be seen (`finalize`), then escaped
(autoescape). What keeps its lines goes through `block`, what holds code in backticks through `ticked`.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from services.cycle.details import Detail, Details, details_of
from services.cycle.markdown import markdown
from services.cycle.outcome import Outcome
from services.cycle.story import story_of
from services.cycle.text import plain_block, plain_text

__all__ = ["Detail", "Details", "details_of", "html", "markdown"]


def html(outcome: Outcome, details: Details, aps: str) -> str:
    """Return the whole report as one HTML page without scripts; `aps` begins each command."""
    story = story_of(outcome, details, aps)
    return _pages().get_template("report.html").render(outcome=outcome, story=story)


def _pages() -> Environment:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    pages.filters |= {"block": block, "ticked": ticked}
    return pages


def _plain(value: object) -> object:
    return plain_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def block(text: str) -> Markup:
    """Return text with its lines, escaped."""
    return escape(plain_block(text))


def ticked(text: str) -> Markup:
    """Return text, escaped, with what stands in pairs of backticks as code."""
    parts = plain_text(text).split("`")
    if len(parts) % 2 == 0:
        return escape(plain_text(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in enumerate(parts)
    )
