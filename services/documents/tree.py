"""YAML text as plain values that remember their lines.

Rules
1. Only mappings with text keys, lists and scalars; no alias, no tag of another kind, no second document.
2. A key stands once in a mapping.
3. `MAX_BYTES`, `MAX_NODES` and `MAX_DEPTH` bound what is taken in, before anything is built.
4. A number or boolean is read as one only where it would be written back the same: `001` stays text.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

MAX_BYTES = 512 * 1024
MAX_NODES = 40_000
MAX_DEPTH = 32
TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Problem:
    """What is wrong in a document: the line (from 1), the dotted field and why."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"line {self.line}: {self.field + ': ' if self.field else ''}{self.message}"


class Unprocessable(ValueError):  # noqa: N818 -- the field's word for input that cannot be taken in
    """The text is no APS document; `problems` says where and why, in the order of the text."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep the problems and join them into the message."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Place:
    """Where a value stands."""

    line: int
    field: str = ""

    def child(self, key: str | int, line: int) -> "Place":
        """Return the place of a value inside this one."""
        dot = "." if self.field else ""
        return Place(line, f"{self.field}[{key}]" if isinstance(key, int) else f"{self.field}{dot}{key}")


Value = str | int | float | bool | None


class Branch(dict[str, "Value | Branch | Items"]):
    """A mapping; `places` says where each of its values stands."""

    def __init__(self, place: Place) -> None:
        """Begin empty."""
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}

    def put(self, key: str, value: "Node", place: Place) -> None:
        """Add a value and its place."""
        self[key] = value
        self.places[key] = place

    def take(self, key: str) -> "tuple[Node, Place]":
        """Remove a value and return it with its place."""
        return self.pop(key), self.places.pop(key)


class Items(list["Value | Branch | Items"]):
    """A list; `places` says where each of its values stands."""

    def __init__(self, place: Place) -> None:
        """Begin empty."""
        super().__init__()
        self.place = place
        self.places: list[Place] = []

    def add(self, value: "Node", place: Place) -> None:
        """Append a value and its place."""
        self.append(value)
        self.places.append(place)


Node = Value | Branch | Items


def parse(source: str | bytes) -> Node:
    """Return the values of one YAML document; raise `Unprocessable` with all problems found."""
    text = _decoded(source)
    try:
        _bound(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        raise _refusal(line, f"the character {problem.character!r} is not allowed") from problem
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise _refusal(mark.line + 1 if mark else 1, problem.problem or "no YAML") from problem
    if root is None:
        raise _refusal(1, "the document is empty")
    problems: list[Problem] = []
    value = _value(root, Place(root.start_mark.line + 1), problems)
    if problems:
        raise Unprocessable(tuple(problems))
    return value


def _refusal(line: int, message: str) -> Unprocessable:
    return Unprocessable((Problem(line, "", message),))


def _decoded(source: str | bytes) -> str:
    size = len(source) if isinstance(source, bytes) else len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise _refusal(1, f"the document has {size} bytes; {MAX_BYTES} are the limit")
    if isinstance(source, str):
        return source
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = source.count(b"\n", 0, problem.start) + 1
        raise _refusal(line, f"the byte 0x{source[problem.start]:02x} is not UTF-8") from problem


def _bound(text: str) -> None:
    """Refuse aliases and documents too deep or too large, before a tree is built."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise _refusal(line, f"the alias *{event.anchor} is not read: write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise _refusal(line, f"more than {MAX_DEPTH} levels or {MAX_NODES} values")


def _value(node: yaml.Node, place: Place, problems: list[Problem]) -> Node:
    if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
        branch = Branch(place)
        for key, child, at in _pairs(node, place, problems):
            branch.put(key, _value(child, at, problems), at)
        return branch
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
        items = Items(place)
        for index, child in enumerate(node.value):
            at = place.child(index, child.start_mark.line + 1)
            items.add(_value(child, at, problems), at)
        return items
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, place, problems)
    problems.append(Problem(place.line, place.field, f"the tag {node.tag} is not read"))
    return None


def _pairs(
    node: yaml.MappingNode, place: Place, problems: list[Problem]
) -> Iterator[tuple[str, yaml.Node, Place]]:
    seen: set[str] = set()
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(line, place.field, "a key is a text, not a list or mapping"))
            continue
        at = place.child(key.value, line)
        if key.value in seen:
            problems.append(Problem(line, at.field, "the key stands twice"))
            continue
        seen.add(key.value)
        yield key.value, child, at


def _scalar(node: yaml.ScalarNode, place: Place, problems: list[Problem]) -> Value:
    text = str(node.value)
    match node.tag.removeprefix(TAG):
        case "null":
            return None
        case "bool":
            return {"true": True, "false": False}.get(text, text)
        case "int":
            return _number(int, text)
        case "float":
            return _number(float, text)
        case "str" | "timestamp" | "value" | "merge":
            return text
        case tag:
            problems.append(Problem(place.line, place.field, f"the tag {tag} is not read"))
            return None


def _number(kind: type[int] | type[float], text: str) -> int | float | str:
    try:
        number = kind(text)
    except ValueError:  # a spelling of YAML's own, such as 0x1F or 1_000
        return text
    return number if str(number) == text else text


def plain(node: Node) -> object:
    """Return the value without its places."""
    if isinstance(node, Branch):
        return {key: plain(value) for key, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, Items) else node
