"""B034: pass `count`, `maxsplit` and `flags` of `re` functions by name.

Rules:
1. Only the arguments after the subject string get a name; the order stays.
2. Left alone: a call with unpacked arguments, whose places are unknown, and a function under an alias.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from services.engines.deterministic.codemods.codemod import Position, Rewritten
from services.engines.deterministic.codemods.parsing import Parsed, Unreadable

NAMES = {
    "sub": (None, None, None, "count", "flags"),
    "subn": (None, None, None, "count", "flags"),
    "split": (None, None, "maxsplit", "flags"),
}


@dataclass(frozen=True)
class KeywordArguments:
    """Names the positional arguments of `re.sub`, `re.subn` and `re.split` that are easily confused."""

    rule: str = "B034"

    def rewrite(self, text: str, wanted: frozenset[Position]) -> Rewritten:
        """Name the arguments of each wanted call."""
        try:
            wrapper = MetadataWrapper(Parsed(text).module, unsafe_skip_copy=True)
        except Unreadable as err:
            return Rewritten(text, dict.fromkeys(wanted, str(err)))
        rewriting = _Rewriting(wanted)
        code = wrapper.visit(rewriting).code
        missed = wanted - rewriting.done
        return Rewritten(code, dict.fromkeys(missed, "the call's arguments cannot be told apart"))


class _Rewriting(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, wanted: frozenset[Position]) -> None:
        super().__init__()
        self._wanted = wanted
        self.done: set[Position] = set()

    def leave_Call(  # noqa: N802 -- libcst's name
        self, original_node: cst.Call, updated_node: cst.Call
    ) -> cst.Call:
        place = self.get_metadata(PositionProvider, original_node)
        names = NAMES.get(_called(original_node.func))
        if not isinstance(place, CodeRange) or names is None:
            return updated_node
        position = Position(place.start.line, place.start.column + 1)
        if position not in self._wanted or not _plain(original_node.args, len(names)):
            return updated_node
        self.done.add(position)
        named = [_named(arg, name) for arg, name in zip(updated_node.args, names, strict=False)]
        return updated_node.with_changes(args=[*named, *updated_node.args[len(names) :]])


def _called(function: cst.BaseExpression) -> str:
    match function:
        case cst.Attribute(value=cst.Name(value="re"), attr=cst.Name(value=name)) | cst.Name(value=name):
            return name
        case _:
            return ""


def _plain(args: Sequence[cst.Arg], most: int) -> bool:
    positional = [arg for arg in args if arg.keyword is None]
    return all(arg.star == "" for arg in args) and len(positional) <= most


def _named(arg: cst.Arg, name: str | None) -> cst.Arg:
    if name is None or arg.keyword is not None:
        return arg
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return arg.with_changes(keyword=cst.Name(name), equal=equal)
