"""Sealing: what is derived stays what it was, and nothing opens but under its own key, subject and type."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vault.sealing import (
    HEADER_BYTES,
    DataKey,
    Unopened,
    checked_subject,
    key_of,
    root_of,
    seal,
    unseal,
    unwrap,
    wrap,
)

ROOT = root_of("correct horse battery staple, and more")
KEY = DataKey("run/r1", "11" * 16, bytes(range(32)))
NONCE = b"n" * 12
TAG_BYTES = 16
# What was sealed once must open for ever: these bytes are never written anew.
ROOT_ID = "6c96df4b9bb4f3d62f1aa104a1e5435f"
SEALED = (
    "6170732d7365616c65642d310a111111111111111111111111111111116e6e6e6e6e6e6e6e6e6e6e6ec67b67"
    "1bda31c78b60a5045a98fdd4a291724c06031d5b3e"
)
SHORTENED = (
    "6170732d7365616c65642d320a111111111111111111111111111111116e6e6e6e6e6e6e6e6e6e6e6e8fee3894"
    "d534b77a6b2c223bc93ba5e1920e9a1c23589da51bcf512e0a554504ea5feb533a572e766c38"
)
WRAPPED = (
    "6e6e6e6e6e6e6e6e6e6e6e6ec0ff3b8c05e175eca20f6b025648733cb645e3b924e9f64fdc861b6968510349"
    "fa0c95ad851a5c31f13f8b0dbcb6d42f"
)


def test_what_was_sealed_before_opens_still() -> None:
    assert ROOT.id == ROOT_ID
    assert unseal(KEY, "text/plain", bytes.fromhex(SEALED)) == b"a prompt"
    assert unseal(KEY, "text/plain", bytes.fromhex(SHORTENED)) == b"a prompt " * 40
    assert unwrap(ROOT, KEY.subject, KEY.id, bytes.fromhex(WRAPPED)) == KEY


@pytest.mark.parametrize(
    ("content", "kept"), [(b"", 0), (b"a prompt", 8), (b"a prompt " * 4000, 40), (bytes(range(256)), 256)]
)
def test_what_can_be_said_in_less_is_sealed_in_less_and_nothing_grows(content: bytes, kept: int) -> None:
    assert len(seal(KEY, "text/plain", content, NONCE)) - HEADER_BYTES - TAG_BYTES <= kept


def test_neither_form_passes_for_the_other() -> None:
    for content in (b"a prompt", b"a prompt " * 40):
        sealed = bytearray(seal(KEY, "text/plain", content, NONCE))
        sealed[11] ^= ord("1") ^ ord("2")
        with pytest.raises(Unopened, match="altered"):
            unseal(KEY, "text/plain", bytes(sealed))


@given(st.binary(max_size=2000), st.binary(min_size=12, max_size=12))
def test_everything_opens_as_it_was_sealed(content: bytes, nonce: bytes) -> None:
    sealed = seal(KEY, "text/plain", content, nonce)
    assert unseal(KEY, "text/plain", sealed) == content
    assert key_of(sealed) == KEY.id


@given(st.data())
def test_one_altered_bit_anywhere_opens_nothing(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, "text/plain", b"a prompt", NONCE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Unopened):
        unseal(KEY, "text/plain", bytes(sealed))


@pytest.mark.parametrize(
    "key",
    [replace(KEY, subject="run/r2"), replace(KEY, id="22" * 16), replace(KEY, key=bytes(32))],
    ids=["subject", "id", "key"],
)
def test_another_key_opens_nothing(key: DataKey) -> None:
    with pytest.raises(Unopened):
        unseal(key, "text/plain", seal(KEY, "text/plain", b"a prompt", NONCE))


def test_content_passes_for_no_other_media_type() -> None:
    with pytest.raises(Unopened):
        unseal(KEY, "text/html", seal(KEY, "text/plain", b"a prompt", NONCE))


@pytest.mark.parametrize("cut", [0, 5, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 15])
def test_what_is_cut_short_opens_nothing(cut: int) -> None:
    with pytest.raises(Unopened):
        unseal(KEY, "text/plain", seal(KEY, "text/plain", b"a prompt", NONCE)[:cut])


@pytest.mark.parametrize("cut", [0, 11, 12, 30, 60])
def test_a_wrapped_key_opens_whole_and_under_its_own_root_alone(cut: int) -> None:
    wrapped = wrap(ROOT, KEY, NONCE)
    for root, subject, id, body in (
        (root_of("another secret of enough length!!"), KEY.subject, KEY.id, wrapped),
        (ROOT, "run/r2", KEY.id, wrapped),
        (ROOT, KEY.subject, "22" * 16, wrapped),
        (ROOT, KEY.subject, KEY.id, wrapped[:cut] if cut < len(wrapped) else b""),
    ):
        with pytest.raises(Unopened):
            unwrap(root, subject, id, body)


def test_the_root_and_its_id_come_from_the_whole_secret() -> None:
    near = root_of("correct horse battery staple, and more ")
    assert len({ROOT.id, near.id, ROOT.key.hex(), near.key.hex()}) == 4
    assert ROOT.id not in ROOT.key.hex()


def test_no_key_shows_in_what_is_printed() -> None:
    for value in (ROOT, KEY):
        assert value.id in repr(value)
        assert value.key.hex() not in repr(value)
        assert repr(value.key) not in repr(value)


@pytest.mark.parametrize(
    "name", ["", "run", "run/", "/r1", "run/a b", "run/a/b", "run/a.b", "run/*", "Run/r1", "run/" + "x" * 81]
)
def test_a_subject_is_an_aggregate_and_an_id(name: str) -> None:
    assert checked_subject("run/r1") == "run/r1"
    with pytest.raises(ValueError, match="no subject"):
        checked_subject(name)
