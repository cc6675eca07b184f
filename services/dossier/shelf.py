"""Reads kept artefacts for a person: one that is missing is named, and the rest is shown all the same."""

from dataclasses import dataclass, field, replace

from events.store import Broken, Unavailable
from schemas.artefacts import ArtefactRef
from services.changes.keeping import without_secrets
from services.runtime.log import Log, NoSecret
from services.vault.keyring import KeyDeleted, KeyMissing, WrongSecret
from services.vault.sealing import Unopened

CLOSED = "it is sealed, and not shown here"


@dataclass(frozen=True)
class Shelf:
    """Kept texts of a log; `missing` says which of those asked for could not be read, and why.

    With `opens` unset nothing sealed is read, and `missing` says so; with `bears_outages` set, it says it too
    where the store is away, which is raised otherwise.
    """

    book: Log
    missing: list[str] = field(default_factory=list)
    opens: bool = True
    bears_outages: bool = False

    async def text(self, ref: ArtefactRef | None) -> str:
        """Return a kept text; empty when there is none, or it cannot be read."""
        if ref is None:
            return ""
        if ref.sealed_for is not None and not self.opens:
            self.missing.append(f"{ref.name}: {CLOSED}")
            return ""
        try:
            return (await self.book.fetch(ref)).decode("utf-8", "replace")
        except KeyError:
            self.missing.append(f"{ref.name} (sha256 {ref.sha256}) is not in the store")
        except Broken as broken:
            self.missing.append(f"{ref.name}: {broken}")
        except Unavailable as away:
            if not self.bears_outages:
                raise
            self.missing.append(f"{ref.name}: NATS: {away}")
        except (NoSecret, KeyDeleted, KeyMissing, WrongSecret, Unopened) as sealed:
            self.missing.append(f"{ref.name}: {sealed}")
        return ""

    async def patch(self, ref: ArtefactRef | None) -> str:
        """Return a kept patch; one that is sealed is opened, and shown without what looks like a secret."""
        if ref is None or ref.sealed_for is None:
            return await self.text(ref)
        opened = await replace(self, opens=True).text(ref)
        return (await without_secrets(opened.encode())).decode()
