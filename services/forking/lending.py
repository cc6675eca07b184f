"""Lets a repetition read what was sealed before its fork parted, by the keys of the original.

A fork gets no copy of a key: one that is deleted in the original is deleted for all forks at once. What is
sealed in the fork itself stands under keys of its own.
"""

from dataclasses import dataclass

from nats.aio.client import Client

from services.runtime.ground import Ground, now
from services.runtime.secret import current_root, former_root
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import KeyMissing, Keyring
from services.vault.keys import KeyStore
from services.vault.sealing import Root, Unopened


class Borrowing(Keyring):
    """A keyring that opens with a lender's keys what its own do not open."""

    def __init__(self, store: KeyStore, current: Root, former: Root | None, lender: Keyring) -> None:
        super().__init__(store, current, former, now)
        self._lender = lender

    async def unseal(self, subject: str, media_type: str, sealed: bytes) -> bytes:
        """Return what was sealed. Raises as the lender's `unseal` does where neither opens it."""
        try:
            return await super().unseal(subject, media_type, sealed)
        except (KeyMissing, Unopened):
            return await self._lender.unseal(subject, media_type, sealed)


@dataclass(frozen=True)
class BorrowingGround(Ground):
    """The ground of a fork whose logs borrow the keys of the original."""

    lender: Keyring | None = None

    def keyring(self, connection: Client) -> Keyring | None:
        """Return the keys of what is sealed here, and behind them the lender's."""
        root = current_root(self.settings)
        if root is None or self.lender is None:
            return super().keyring(connection)
        return Borrowing(JetStreamKeyStore(connection), root, former_root(self.settings), self.lender)


def borrowing(ground: Ground, lender: Keyring | None) -> BorrowingGround:
    """Return the ground with the lender's keys behind its own."""
    return BorrowingGround(
        ground.settings,
        ground.nats_url,
        ground.database_url,
        ground.servers,
        ground.notes,
        ground.away,
        lender,
    )
