"""Codemods of our own, by the ruff rule they fix: rules that ruff finds but does not fix."""

from services.engines.deterministic.codemods.codemod import Codemod
from services.engines.deterministic.codemods.keyword_arguments import KeywordArguments
from services.engines.deterministic.codemods.list_extend import ListExtend
from services.engines.deterministic.codemods.raise_from import RaiseFrom
from services.engines.deterministic.ruff import Diagnostic

CODEMODS: tuple[Codemod, ...] = (RaiseFrom(), KeywordArguments(), ListExtend())
_BY_RULE = {codemod.rule: codemod for codemod in CODEMODS}


def for_rule(rule: str) -> Codemod | None:
    """Give the codemod that fixes `rule`, if we have one."""
    return _BY_RULE.get(rule)


def can_fix(said: Diagnostic) -> bool:
    """Whether a codemod may fix this; the codemod can still refuse a single place."""
    return said.cell is None and said.code in _BY_RULE
