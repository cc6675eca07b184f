"""Looks for instructions in what an engine read by its tools: no prompt held it, so nobody looked before."""

from collections.abc import Sequence
from dataclasses import replace

from services.asking.question import Mask
from services.engines.port import Answered, AnswerT, Failed, Read
from services.prompting.material import Material
from services.prompting.suspicion import instructions_in

TOOL = "read by tool"
MOST = 50


def suspected(outcome: Answered[AnswerT] | Failed, mask: Mask) -> tuple[str, ...]:
    """Return the suspicions as lines for a person, each with its place; of very many the first ones."""
    return (*outcome.suspicions, *_in(outcome.read, mask))[:MOST]


def _in(read: Sequence[Read], mask: Mask) -> tuple[str, ...]:
    """Instructions are looked for before secrets are hidden: an encoded one looks like a secret."""
    found = {
        one.where: Material(
            TOOL,
            mask(one.where),
            "",
            tuple(replace(each, quoted=mask(each.quoted)) for each in instructions_in(one.text)),
        )
        for one in read
    }
    return tuple(line for one in found.values() for line in one.reports)
