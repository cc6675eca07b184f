"""Reading an APS document: every problem with its line and field, everything unknown kept and remarked.

A `Reading` holds the document and `remarks`: unknown keys, words outside their vocabulary, aliases that
were mapped, times that are not ISO 8601. A problem refuses the document, a remark does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from schemas.aps import Document, Part
from schemas.aps_vocabulary import Vocabulary
from services.documents.family import brought_together
from services.documents.tree import Branch, Items, Node, Place, Problem, Unprocessable, parse, plain

__all__ = ["Problem", "Reading", "Remark", "Unprocessable", "read"]

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Remark:
    """Something a person may want to know: the line (from 1), the dotted field and what was met."""

    line: int
    field: str
    message: str


@dataclass(frozen=True)
class Reading:
    """A document as it was understood; remarks in the order of the text."""

    document: Document
    remarks: tuple[Remark, ...] = ()


def read(source: str | bytes) -> Reading:
    """Read a document of ours or of the wider family; raise `Unprocessable` with every problem."""
    root = parse(source)
    if not isinstance(root, Branch):
        raise Unprocessable((Problem(1, "", "an APS document is a mapping with `process` or another part"),))
    root = brought_together(root)
    if not root.keys() & Document.model_fields.keys():
        parts = ", ".join(Document.model_fields)
        raise Unprocessable((Problem(root.place.line, "", f"none of the parts is here: {parts}"),))
    try:
        document = Document.model_validate(plain(root))
    except ValidationError as error:
        raise Unprocessable(_problems(root, error)) from error
    remarks = sorted(_remarks(document, root), key=lambda remark: (remark.line, remark.field))
    return Reading(document, tuple(remarks))


def _problems(root: Branch, error: ValidationError) -> tuple[Problem, ...]:
    places = [(_place(root, detail["loc"]), detail["msg"]) for detail in error.errors(include_url=False)]
    problems = {Problem(place.line, place.field, message) for place, message in places}
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.field, problem.message)))


def _place(node: Node, path: Path) -> Place:
    """Return where the value at `path` stands; for a missing one, where it should."""
    place = node.place if isinstance(node, Branch | Items) else Place(1)
    for key in path:
        place, node = _step(node, key, place)
    return place


def _step(node: Node, key: str | int, place: Place) -> tuple[Place, Node]:
    if isinstance(node, Branch) and isinstance(key, int):
        return place, node  # a single mapping where a list may stand
    if isinstance(node, Branch) and key in node:
        return node.places[str(key)], node[str(key)]
    if isinstance(node, Items) and isinstance(key, int) and key < len(node):
        return node.places[key], node[key]
    if isinstance(node, Branch):
        return place.child(key, place.line), None
    return place, None


def _remarks(part: Part, node: Node) -> Iterator[Remark]:
    if not isinstance(node, Branch):
        return  # written as a bare text: nothing but the value
    for key in part.model_extra or {}:
        place = _place(node, (key,))
        yield Remark(place.line, place.field, "unknown key, kept")
    for name, info in type(part).model_fields.items():
        key = info.alias or name
        if key in node:
            yield from _field_remarks(getattr(part, name), info, node[key], node.places[key])


def _field_remarks(value: object, info: FieldInfo, node: Node, place: Place) -> Iterator[Remark]:
    if isinstance(value, Part):
        yield from _remarks(value, node)
    elif isinstance(value, tuple):
        nodes = list(node) if isinstance(node, Items) else [node]
        for entry, child in zip(value, nodes, strict=True):
            if isinstance(entry, Part):
                yield from _remarks(entry, child)
    elif isinstance(value, str):
        message = _word_remark(value, info, node, place) or _time_remark(value, info)
        if message:
            yield Remark(place.line, place.field, message)


def _word_remark(value: str, info: FieldInfo, node: Node, place: Place) -> str:
    vocabulary = next((entry for entry in info.metadata if isinstance(entry, Vocabulary)), None)
    if vocabulary is None:
        return ""
    if value not in vocabulary.words:
        return f"unknown {place.field.rpartition('.')[2]} {value!r}, kept"
    return f"{node!r} is read as {value!r}" if value != node else ""


def _time_remark(value: str, info: FieldInfo) -> str:
    extra = info.json_schema_extra
    if not isinstance(extra, dict) or extra.get("format") != "date-time":
        return ""
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return f"{value!r} is no ISO 8601 time, kept"
    return ""
