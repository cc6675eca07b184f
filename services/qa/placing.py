"""Gathers what kind of file a change leaves at each of its paths, for the gate on bounds."""

from services.gates.bounds import LINK, Places
from services.workspace.git.kinds import links_of, modes_left
from services.workspace.git.repository import Repository


async def places_of(repository: Repository, old: str, new: str) -> Places:
    """Return what `new` leaves at the paths it changes; its links are read only where one is among these."""
    modes = await modes_left(repository, old, new)
    return Places(modes, await links_of(repository, new) if LINK in modes.values() else {})
