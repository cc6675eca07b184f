"""Prompts: Markdown files of a package with `{{placeholders}}`, all of which are filled or none.

Rules
1. A template lies in the folder `prompts` of its package; its version is the sha256 of the file's bytes.
2. Every placeholder gets a value, every value has its placeholder; an error names template and placeholder.
3. Values are put in once: what looks like a placeholder inside a value stays as it is written there.
4. Braces that are no placeholder, and placeholders that nobody fills, are mistakes found when the file is
   loaded: nothing has been asked and paid for by then.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

FOLDER = "prompts"
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:/[a-z][a-z0-9_]*)*")
_PLACEHOLDER = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}")
_MOST_BYTES = 200_000


class UnusablePrompt(Exception):  # noqa: N818 -- says what is wrong
    """A template that cannot be read or filled; the message names it and what is wrong."""


@dataclass(frozen=True)
class Template:
    """A prompt with places to fill. `name` is how errors call it: package and file."""

    name: str
    text: str
    version: str

    @classmethod
    def load(cls, package: str, name: str, takes: Iterable[str] | None = None) -> "Template":
        """Read `prompts/<name>.md` of a package, whose placeholders are those it `takes`.

        Raises UnusablePrompt when it is not a usable template, or has other placeholders.
        """
        where = f"{package}/{FOLDER}/{name}.md"
        if not _NAME.fullmatch(name):
            raise UnusablePrompt(f"prompt {where}: {name!r} is not the name of a template")
        try:
            place = files(package) / FOLDER / f"{name}.md"
        except ImportError as error:
            raise UnusablePrompt(f"prompt {where}: there is no package {package} ({error})") from error
        template = cls.read(place, where)
        if takes is not None:
            template.refuse_others_than(takes)
        return template

    @classmethod
    def read(cls, place: Traversable, where: str) -> "Template":
        """Read a template from a file; errors call it `where`. Raises UnusablePrompt."""
        try:
            content = place.read_bytes()
        except OSError as error:
            raise UnusablePrompt(f"prompt {where} cannot be read: {error.strerror or error}") from error
        if len(content) > _MOST_BYTES:
            raise UnusablePrompt(f"prompt {where} has {len(content)} bytes, more than {_MOST_BYTES}")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnusablePrompt(f"prompt {where} is not UTF-8: byte {error.start}") from error
        if not text.strip():
            raise UnusablePrompt(f"prompt {where} is empty")
        _refuse_stray_braces(text, where)
        return cls(where, text, hashlib.sha256(content).hexdigest())

    @cached_property
    def placeholders(self) -> frozenset[str]:
        """The names of what is to be filled in."""
        return frozenset(_PLACEHOLDER.findall(self.text))

    def refuse_others_than(self, names: Iterable[str]) -> None:
        """Raise UnusablePrompt unless these are its placeholders."""
        given = frozenset(names)
        wrong = [f"no value for {{{{{name}}}}}" for name in sorted(self.placeholders - given)]
        wrong += [f"no placeholder {{{{{name}}}}}" for name in sorted(given - self.placeholders)]
        self._refuse(wrong)

    def filled(self, **values: str) -> str:
        """Return the prompt with every placeholder replaced. Raises UnusablePrompt unless all match."""
        self.refuse_others_than(values)
        self._refuse(
            [
                f"the value of {{{{{name}}}}} is {type(value).__name__}, not text"
                for name, value in sorted(values.items())
                if not isinstance(value, str)
            ]
        )
        return _PLACEHOLDER.sub(lambda match: values[match[1]], self.text)

    def _refuse(self, wrong: Sequence[str]) -> None:
        if wrong:
            raise UnusablePrompt(f"prompt {self.name}: {'; '.join(wrong)}")


def _refuse_stray_braces(text: str, where: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        rest = _PLACEHOLDER.sub("", line)
        if "{{" in rest or "}}" in rest or "{{{" in line or "}}}" in line:
            raise UnusablePrompt(f"prompt {where}: line {number} has braces that are no placeholder")
