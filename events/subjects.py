"""Subjects of the log: `aps.v1.<aggregate>.<id>.<fact>`, and every other subject the system uses."""

import re
from dataclasses import dataclass
from functools import lru_cache

PREFIX = "aps.v1"
STREAM = "APS"
EVERYTHING = f"{PREFIX}.>"
DEAD_LETTERS = "aps.dead"
ARTEFACTS = "aps.artefacts"
ARTEFACT_STREAM = "ARTEFACTS"
DEAD_LETTER_STREAM = "DEAD_LETTERS"
KEYS = "aps.keys"
KEY_STREAM = "KEYS"
HEADS = "aps.heads"
HEAD_STREAM = "HEADS"
TELEMETRY = "aps.telemetry"
TELEMETRY_STREAM = "TELEMETRY"
CLOSED = "closed"  # no role is called so
DOORBELL = "aps.bell"
PROGRESS = "aps.progress.run"
REPLAY = "aps.replay"

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True)
class Address:
    """Where a fact stands: its aggregate, the aggregate's id, its own name."""

    aggregate: str
    id: str
    fact: str


@lru_cache(1 << 14)
def token(text: str) -> str:
    """Check one subject token; raise ValueError for what NATS or a shell would read otherwise."""
    if not TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} is no subject token: letters, digits, '-' and '_' only, 80 at most")
    return text


def slug(text: str, limit: int = 40) -> str:
    """Make a subject token from free text, lower case, never empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-") or "unnamed"


def subject(address: Address) -> str:
    """Return the subject of one fact."""
    return f"{PREFIX}.{token(address.aggregate)}.{token(address.id)}.{token(address.fact)}"


def place(aggregate_and_id: str, fact: str) -> str:
    """Return the subject of a fact of `<aggregate>/<id>`, unchecked: to compare with one that is."""
    return f"{PREFIX}.{aggregate_and_id.replace('/', '.', 1)}.{fact}"


def aggregate_subjects(aggregate: str, id: str) -> str:
    """Return the wildcard over all facts of one aggregate."""
    return f"{PREFIX}.{token(aggregate)}.{token(id)}.*"


def facts(aggregate: str, fact: str) -> str:
    """Return the wildcard over one kind of fact in all aggregates of a kind."""
    return f"{PREFIX}.{token(aggregate)}.*.{token(fact)}"


def parse(text: str) -> Address:
    """Read a subject of the log back; raise ValueError for any other."""
    parts = text.split(".")
    if len(parts) != 5 or ".".join(parts[:2]) != PREFIX:
        raise ValueError(f"{text!r} is no subject of the log")
    return Address(*(token(part) for part in parts[2:]))


def artefact_chunk(sha256: str, count: str, index: int) -> str:
    """Return the subject of one of `count` chunks (or `*` where the count is not known)."""
    return f"{ARTEFACTS}.{sha256}.{count}.{index}"


def dead_letter(role: str, seq: int) -> str:
    """Return the subject of a role's letter about the event at `seq`."""
    return f"{DEAD_LETTERS}.{token(role)}.{seq}"


def key_root(root: str) -> str:
    """Return the subject that says that keys may stand under a root (or `*`)."""
    return f"{KEYS}.root.{root}"


def kept_keys(owner: str) -> str:
    """Return the wildcard over what is kept of the key of `<aggregate>/<id>`."""
    return f"{KEYS}.{owner.replace('/', '.', 1)}.>"


def wrapped_key(owner: str, root: str) -> str:
    """Return the subject of the key of `<aggregate>/<id>` as it stands under a root (or `*`)."""
    return f"{KEYS}.{owner.replace('/', '.', 1)}.wrapped.{root}"


def deleted_key(owner: str) -> str:
    """Return the subject of the record that the key of `<aggregate>/<id>` was deleted."""
    return f"{KEYS}.{owner.replace('/', '.', 1)}.deleted"


def run_progress(run: str) -> str:
    """Return the subject on which it is told what an engine does for a run (or `*`); no stream keeps it."""
    return f"{PROGRESS}.{run}"


def replay_by(role: str) -> str:
    """Return the subject on which copies of a role are asked to take an event again (or `*`)."""
    return f"{REPLAY}.{role}"


def closed_letter(number: int | str) -> str:
    """Return the subject of what was done about a letter, the `number`th message of its stream (or `*`)."""
    return f"{DEAD_LETTERS}.{CLOSED}.{number}"


def head_subject(seq: int | str) -> str:
    """Return the subject of the signed head at a sequence of the log (or `*`)."""
    return f"{HEADS}.{seq}"


def measurements(name: str) -> str:
    """Return the subject of measurements that came together, by a name of their own (or `*`)."""
    return f"{TELEMETRY}.custom.{name}"
