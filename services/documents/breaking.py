"""Finds what a schema no longer admits that an older one did: what would make stored events unreadable.

Rules
1. A field that is gone, a new one without a default, another default, a value or a type no longer
   admitted, a tighter bound: each is a breach, named by its place.
2. A new field with a default, a further value or type, a looser bound are none.
3. A keyword this file does not weigh is a breach when it is there and not the same as before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "deprecated"}
WEIGHED = {"type", "enum", "const", "properties", "required", "additionalProperties", "items"}
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
WIDER = {"integer": "number"}


@dataclass(frozen=True)
class Breach:
    """A place of the data, such as `data.gates[].passed`, and what is wrong with it now."""

    at: str
    what: str


@dataclass(frozen=True)
class Shape:
    """A schema, and the one with an `$id` around it, into which its references point."""

    schema: Json
    root: Json

    def part(self, schema: Json) -> "Shape":
        """Return a schema inside this one, its references followed."""
        root = schema if "$id" in schema else self.root
        if "$ref" not in schema:
            return Shape(schema, root)
        reference = schema["$ref"]
        if reference.startswith("#/"):
            return self.part(_at(root, reference))
        return self.part(next(part for part in self.root["$defs"].values() if part.get("$id") == reference))

    def options(self) -> list["Shape"]:
        """Return the shapes of which a value must have one."""
        if "anyOf" in self.schema:
            return [option for part in self.schema["anyOf"] for option in self.part(part).options()]
        kinds = self.schema.get("type")
        if not isinstance(kinds, list):
            return [self]
        return [Shape({**self.schema, "type": kind}, self.root) for kind in kinds]


Pairs = frozenset[tuple[int, int]]


def _at(root: Json, pointer: str) -> Json:
    for name in pointer.removeprefix("#/").split("/"):
        root = root[name]
    return root


def breaches(old: Json, new: Json) -> tuple[Breach, ...]:
    """Return what `new` does not admit any more of what `old` admitted."""
    found = _narrowed(Shape(old, old).part(old), Shape(new, new).part(new), "", frozenset())
    return tuple(dict.fromkeys(found))


def _narrowed(old: Shape, new: Shape, at: str, seen: Pairs) -> Iterator[Breach]:
    pair = (id(old.schema), id(new.schema))
    if pair in seen:
        return
    for option in old.options():
        tries = [tuple(_compared(option, other, at, seen | {pair})) for other in new.options()]
        yield from min(tries, key=len)


def _compared(old: Shape, new: Shape, at: str, seen: Pairs) -> Iterator[Breach]:
    was, now = old.schema.get("type"), new.schema.get("type")
    if now is not None and now not in (was, WIDER.get(str(was))):
        yield Breach(at, f"must be {now} now; it could be {was or 'anything'}")
        return
    yield from _values(old.schema, new.schema, at)
    yield from _bounds(old.schema, new.schema, at)
    yield from _fields(old, new, at, seen)
    yield from _new_fields(old, new, at, seen)
    yield from _others(old, new, at, seen)
    yield from _elements(old, new, at, seen)


def _values(old: Json, new: Json, at: str) -> Iterator[Breach]:
    was, now = _listed(old), _listed(new)
    if now is None:
        return
    if was is None:
        yield Breach(at, f"must be one of {now} now; it could be any {old.get('type', 'value')}")
        return
    for value in was:
        if value not in now:
            yield Breach(at, f"can no longer be {value!r}")


def _listed(schema: Json) -> list[object] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bounds(old: Json, new: Json, at: str) -> Iterator[Breach]:
    for name in sorted(new.keys() - ANNOTATIONS - WEIGHED - {"anyOf"}):
        was, now = old.get(name), new[name]
        looser = was is not None and (
            (name in LOWER and now < was) or (name in UPPER and now > was) or now == was
        )
        if not looser:
            yield Breach(
                at, f"is held to {name} {now!r} now; before: {'nothing' if was is None else repr(was)}"
            )


def _fields(old: Shape, new: Shape, at: str, seen: Pairs) -> Iterator[Breach]:
    before, after = old.schema.get("properties", {}), new.schema.get("properties", {})
    for name, schema in before.items():
        where = f"{at}.{name}".lstrip(".")
        if name not in after:
            yield Breach(where, "is gone, or has another name")
            continue
        if "default" in schema and "default" in after[name] and schema["default"] != after[name]["default"]:
            yield Breach(
                where, f"means {after[name]['default']!r} now when it is missing, not {schema['default']!r}"
            )
        yield from _narrowed(old.part(schema), new.part(after[name]), where, seen)


def _new_fields(old: Shape, new: Shape, at: str, seen: Pairs) -> Iterator[Breach]:
    before, others = old.schema.get("properties", {}), old.schema.get("additionalProperties", True)
    for name in new.schema.get("required", ()):
        if name not in old.schema.get("required", ()):
            known = "was not always there" if name in before else "is new"
            yield Breach(f"{at}.{name}".lstrip("."), f"{known}, and has no default")
    for name, schema in new.schema.get("properties", {}).items():
        if name not in before and others is not False:
            free = others if isinstance(others, dict) else {}
            yield from _narrowed(old.part(free), new.part(schema), f"{at}.{name}".lstrip("."), seen)


def _others(old: Shape, new: Shape, at: str, seen: Pairs) -> Iterator[Breach]:
    was, now = old.schema.get("additionalProperties", True), new.schema.get("additionalProperties", True)
    if was is False or now is True:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        yield from _narrowed(old.part(was), new.part(now), f"{at}.*", seen)
    else:
        yield Breach(at, "takes fewer names than before")


def _elements(old: Shape, new: Shape, at: str, seen: Pairs) -> Iterator[Breach]:
    now = new.schema.get("items")
    if now is not None:
        yield from _narrowed(old.part(old.schema.get("items", {})), new.part(now), f"{at}[]", seen)
