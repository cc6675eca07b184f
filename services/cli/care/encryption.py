"""What `aps doctor` says of encryption: of the way to the servers, and of what is sealed there."""

import ipaddress
from urllib.parse import urlsplit

from services.cli.care.examinations import ANSWER_SECONDS, Check
from services.gateway.health import Asker, State
from services.runtime.nats_connection import encryption_of
from services.runtime.secret import current_root, is_embedded, refuse_wrong_secret
from services.runtime.tls import cipher_of
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import WrongSecret

CURE_OF_KEYS = "give every service the same SECRET_KEY_BASE; to change it: aps keys rotate --help"
CURE = "encrypt it, as docs/operations.md says: NATS_TLS_CA, DATABASE_TLS_CA and certificates at the servers"


async def encryption(asker: Asker) -> Check:
    """Ask both connections whether they are encrypted; in the open is well on this machine alone."""
    ground, connection = asker.ground, asker.connection
    database = await ground.database(ANSWER_SECONDS)
    try:
        transport = database._transport  # type: ignore[attr-defined]  # no public part of the library tells
        secured = transport.get_extra_info("ssl_object")
    finally:
        await database.close()
    url = connection.connected_url
    ways = (
        ("NATS", encryption_of(connection), url.hostname if url else None),
        ("PostgreSQL", cipher_of(secured), urlsplit(ground.database_url).hostname),
    )
    told = "; ".join(f"{name}: {how or f'not encrypted{_where(host)}'}" for name, how, host in ways)
    exposed = any(how is None and not is_this_machine(host) for _, how, host in ways)
    state = State.DEGRADED if exposed else State.OK
    return Check(name="encryption", state=state, detail=told, cure=CURE if exposed else "")


async def keys(asker: Asker) -> Check:
    """Ask whether the secret in effect is the one that the keys of what is sealed were made with."""
    store, settings = JetStreamKeyStore(asker.connection), asker.ground.settings
    known = await store.roots()
    if not known and is_embedded(settings):
        return Check(name="keys", state=State.OK, detail="none was made yet")
    try:
        await refuse_wrong_secret(store, settings)
    except WrongSecret as wrong:
        return Check(name="keys", state=State.FAILED, detail=str(wrong), cure=CURE_OF_KEYS)
    current = current_root(settings)
    if current is None:
        detail = "no SECRET_KEY_BASE: nothing can be sealed or opened"
        return Check(name="keys", state=State.DEGRADED, detail=detail, cure=CURE_OF_KEYS)
    if current.id not in known:
        detail = "they stand under SECRET_KEY_BASE_OLD"
        return Check(name="keys", state=State.DEGRADED, detail=detail, cure="run: aps keys rotate")
    return Check(name="keys", state=State.OK, detail="the secret in effect opens them")


def is_this_machine(host: str | None) -> bool:
    """Whether a host is this very machine: loopback, or no host at all but a socket."""
    try:
        return not host or host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _where(host: str | None) -> str:
    return ", on this machine" if is_this_machine(host) else ""
