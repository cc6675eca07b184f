"""Signed heads: proof that the log stood so at a moment, which who holds the log alone cannot make.

Rules
1. A head names the chain over the whole log up to a sequence, signed with Ed25519: whoever rewrites the
   log, hashes and all, cannot sign another.
2. Each head names the one before it: one taken out from among others is missed.
3. A key's name is the beginning of the sha256 of its public part.
4. The key of a system with a root secret follows from it (HKDF-SHA256, an `info` of its own).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEED_BYTES = 32
INFO = b"aps/heads/ed25519/1"
DOMAIN = b"aps head 1\n"  # nothing else that is ever signed with this key begins so
SEAL = b"aps export 1\n"
INNER_SEAL = b"aps export stretch 1\n"


class NoKey(ValueError):  # noqa: N818 -- says what the text is
    """A text that is no key."""


@dataclass(frozen=True)
class PublicKey:
    """What proves signatures: 64 hexadecimal digits."""

    text: str

    def __post_init__(self) -> None:
        """Raise `NoKey` for anything else."""
        if len(self.text) != 2 * SEED_BYTES or set(self.text) - set("0123456789abcdef"):
            raise NoKey(f"{self.text[:80]!r} is no public key: 64 hexadecimal digits")

    @property
    def id(self) -> str:
        """The key's short name."""
        return hashlib.sha256(bytes.fromhex(self.text)).hexdigest()[:16]

    def signed(self, signature: str, content: bytes) -> bool:
        """Whether this key's owner signed `content`."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.text))
            key.verify(bytes.fromhex(signature), content)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """What makes signatures; never shown, never kept in clear by this module."""

    def __init__(self, seed: bytes) -> None:
        """`seed` is 32 bytes; ValueError for any other length."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw().hex())

    @classmethod
    def derived(cls, root: str) -> "SigningKey":
        """Return the key that follows from a root secret."""
        return cls(HKDF(SHA256(), SEED_BYTES, salt=None, info=INFO).derive(root.encode()))

    def sign(self, content: bytes) -> str:
        """Return the signature in hexadecimal digits."""
        return self._key.sign(content).hex()


@dataclass(frozen=True)
class Head:
    """The log up to `seq` had this `chain` at `time`. `previous` is the sequence of the head before, or 0."""

    seq: int
    previous: int
    chain: str
    time: str
    key: str
    signature: str = ""

    def content(self) -> bytes:
        """Return what is signed: everything but the signature."""
        fields = {name: value for name, value in asdict(self).items() if name != "signature"}
        return DOMAIN + orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)

    def encode(self) -> bytes:
        """Return readable JSON bytes."""
        return orjson.dumps(asdict(self))


def sign(seq: int, previous: int, chain: str, now: datetime, key: SigningKey) -> Head:
    """Return a signed head. `now` is timezone-aware."""
    time = now.astimezone(UTC).isoformat(timespec="microseconds")
    head = Head(seq, previous, chain, time, key.public.id)
    return Head(seq, previous, chain, time, key.public.id, key.sign(head.content()))


def decode_head(body: bytes | str) -> Head:
    """Read a head back; raise ValueError for anything else."""
    try:
        head = Head(**orjson.loads(body))
    except TypeError as problem:
        raise ValueError(f"no signed head: {problem}") from problem
    texts = (head.chain, head.time, head.key, head.signature)
    if type(head.seq) is not int or type(head.previous) is not int or {*map(type, texts)} != {str}:
        raise ValueError("no signed head: seq and previous are integers, all else is text")
    return head


def wrong(head: Head, trusted: Sequence[PublicKey]) -> str | None:
    """Say why a head counts for nothing; None when a trusted key signed it."""
    key = next((key for key in trusted if key.id == head.key), None)
    if key is None:
        return f"the head is signed with key {head.key}, which is not trusted here"
    if not key.signed(head.signature, head.content()):
        return "the head was altered: its signature does not fit"
    return None


def gaps(heads: Iterable[Head]) -> Iterator[tuple[Head, str]]:
    """Yield each head (they come by sequence) that does not follow on the one before it, and why."""
    before = 0
    for head in heads:
        if head.previous != before:
            yield head, f"the head follows the one at {head.previous}; {before or 'none'} stands before it"
        before = head.seq
