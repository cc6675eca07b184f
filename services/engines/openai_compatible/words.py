"""The engine's own words to a model, kept in files beside this one, and the version they amount to."""

import hashlib
from functools import cache
from importlib.resources import files

_FILES = ("working_on_files.md", "answer_in_words.md", "repair.md")


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8").strip()


def working_on_files() -> str:
    """Return what a model is told that is given tools."""
    return _text(_FILES[0])


def answer_in_words(schema: str) -> str:
    """Return what a model is told whose server holds no answer to a schema."""
    return _text(_FILES[1]).replace("{{schema}}", schema)


def repair(problem: str) -> str:
    """Return what a model is told whose answer was not valid."""
    return _text(_FILES[2]).replace("{{problem}}", problem)


@cache
def version() -> str:
    """Return a name for these words: other words, another version."""
    return hashlib.sha256("\0".join(map(_text, _FILES)).encode()).hexdigest()[:12]
