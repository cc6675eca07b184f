"""Keeps the patch of a change so that a secret in it is read by nobody who only looks at what is stored.

Rules
1. What is to be applied again is kept to the byte; sealed for its improvement where a secret stands in it.
2. What is made again by its recipe, and what is shown, is kept and shown without the secret.
3. A line is read with its mark and without, for to the gate and in the file it stands without.
"""

import asyncio

from events.improvement import Improvement
from schemas.artefacts import ArtefactRef
from services.asking.keeping import DIFF
from services.masking.mask import masked
from services.runtime.log import Log, NoSecret
from services.vault.keyring import KeyDeleted, KeyMissing, WrongSecret
from services.vault.sealing import Unopened


async def keep_patch(book: Log, id: str, name: str, patch: bytes) -> ArtefactRef:
    """Keep a patch of the improvement `id` that is to be applied again. Raises as `Log.keep` does."""
    sealed = await without_secrets(patch) != patch
    return await book.keep(patch, name, DIFF, sealed_for=f"improvement/{id}" if sealed else None)


async def refused_patch(book: Log, state: Improvement) -> bytes:
    """Return the patch that was refused last; empty where there is none, or it cannot be opened here."""
    if state.change is None or not state.refusals:
        return b""
    try:
        return await book.fetch(state.change.patch)
    except (NoSecret, KeyDeleted, KeyMissing, WrongSecret, Unopened):  # as in a fork
        return b""


async def without_secrets(patch: bytes) -> bytes:
    """Return a patch to look at; in a thread of its own, so that leases are renewed meanwhile."""
    return await asyncio.to_thread(_without_secrets, patch)


def _without_secrets(patch: bytes) -> bytes:
    text = masked(patch.decode("utf-8", "surrogateescape"))
    lines = [line[:1] + masked(line[1:]) for line in text.split("\n")]
    return "\n".join(lines).encode("utf-8", "surrogateescape")
