"""Looks for instructions in what an engine read by its tools, and in its names: no prompt held it before."""

from dataclasses import replace

from services.asking.question import Mask
from services.engines.port import Answered, AnswerT, Failed, Read
from services.prompting.material import Material, reported
from services.prompting.suspicion import instructions_in

TOOL = "read by tool"
MOST = 50


def suspected(outcome: Answered[AnswerT] | Failed, mask: Mask) -> tuple[str, ...]:
    """Return the suspicions as lines for a person, each with its place; of very many the first ones."""
    read = tuple(_material(one, mask) for one in outcome.read)
    return (*outcome.suspicions, *reported(read, MOST))[:MOST]


def _material(read: Read, mask: Mask) -> Material:
    """Instructions are looked for before secrets are hidden: an encoded one looks like a secret."""
    found = (*instructions_in(read.where), *instructions_in(read.text))
    return Material(TOOL, mask(read.where), "", tuple(replace(one, quoted=mask(one.quoted)) for one in found))
