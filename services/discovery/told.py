"""What a delivery of n8n's or another system's means: a request of a target it names, or a note. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from schemas.context import ContextKind
from schemas.delivery import Outcome
from schemas.webhook import Background, Said, SystemRequest
from services.asking.context import Handed
from services.cycle.wording import why_unfit
from services.discovery.meaning import Meaning, recorded

REQUEST = "request"


def by_workflow(payload: Mapping[str, Any]) -> Meaning:
    """Return what a workflow says; the gateway took only what fits."""
    said = Said.model_validate(payload)
    if said.action != REQUEST or said.target is None:
        return recorded(f"it is a {said.action}")
    return _asked("a workflow asks for it", said.target, said.text, said.context)


def by_system(event: str, payload: Mapping[str, Any]) -> Meaning:
    """Return what another system says."""
    if event != REQUEST:
        return recorded("only messages of the type request ask for anything")
    try:
        wanted = SystemRequest.model_validate(payload.get("data"))
    except ValidationError as odd:
        where = ".".join(map(str, odd.errors()[0]["loc"]))
        return Meaning(Outcome.HELD, f"its data is no request, at {where[:100] or 'the whole'}")
    return _asked("a system asks for it", wanted.target, wanted.text, wanted.context)


def _asked(said: str, target: str, text: str, context: Sequence[Background]) -> Meaning:
    if unfit := why_unfit(text):
        return Meaning(Outcome.HELD, f"it cannot be asked for: {unfit}")
    handed = tuple(Handed(ContextKind.WEBHOOK, one.where, one.text) for one in context)
    return Meaning(Outcome.REQUESTED, said, text.strip(), handed, target=target)
