"""Puts wrapped keys from a backup back to where keys are kept.

Rules
1. What was deleted since the backup stays deleted: a record of deletion is stronger than any key.
2. A subject that has a key keeps it; one from the backup is added only where it is the same key.
3. Roots come back with the keys under them, so that the former secret opens them.
"""

from events.subjects import key_root
from services.vault.keys import Deletion, KeyStore, WrappedKey


async def put_back(store: KeyStore, subject: str, body: bytes) -> None:
    """Put back one message of the stream of keys, as admin; what is there already stays."""
    if subject.startswith(key_root("")):
        await store.add_root(subject.removeprefix(key_root("")))
    elif subject.endswith(".deleted"):
        await store.delete(Deletion.model_validate_json(body))
    else:
        key = WrappedKey.model_validate_json(body)
        held = await store.find(key.subject)
        if all(one.id == key.id for one in held.keys):
            await store.add_under(key)
