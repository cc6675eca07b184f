"""No secret leaves a process: known values in every form they take, and what looks like a secret."""

import base64
import itertools
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.masking.mask import MARK, Mask, masked
from services.masking.needles import SHORTEST
from services.masking.shapes import secrets_in

KEY = "q8Zr2Lw0" + "pXv7/+=m"
secrets = st.lists(st.text(min_size=SHORTEST, max_size=20), min_size=1, max_size=4)
few = st.lists(st.text(alphabet="ab*[]c\n/", min_size=SHORTEST, max_size=9), min_size=1, max_size=4)


@st.composite
def told(draw: st.DrawFn, values: st.SearchStrategy[list[str]] = secrets) -> tuple[list[str], str]:
    """Secrets, and a text with some of them in it, some cut short, some close together."""
    held = draw(values)
    part = st.one_of(
        st.text(alphabet="ab*[]c\n/ =", max_size=6),
        st.sampled_from(held),
        st.sampled_from(held).flatmap(lambda one: st.integers(0, len(one)).map(lambda n: one[:n])),
        st.sampled_from(held).flatmap(lambda one: st.integers(0, len(one)).map(lambda n: one[n:])),
        st.just(MARK),
    )
    return held, "".join(draw(st.lists(part, max_size=12)))


def cut(text: str, places: list[int]) -> list[str]:
    at = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(at)]


@given(st.one_of(told(), told(few)))
def test_no_known_secret_survives(case: tuple[list[str], str]) -> None:
    held, text = case
    shown = Mask(held)(text)
    assert not any(secret in shown for secret in held)


@given(st.one_of(told(), told(few)))
def test_hiding_twice_is_hiding_once(case: tuple[list[str], str]) -> None:
    held, text = case
    mask = Mask(held)
    assert mask(mask(text)) == mask(text)


@given(st.one_of(told(), told(few)), st.lists(st.integers(0, 400), max_size=8))
def test_no_known_secret_survives_in_pieces(case: tuple[list[str], str], places: list[int]) -> None:
    held, text = case
    pieces = Mask(held).pieces()
    shown = "".join([*(pieces.add(piece) for piece in cut(text, places)), pieces.end()])
    assert not any(secret in shown for secret in held)


@given(st.text(min_size=SHORTEST, max_size=30), st.binary(max_size=5), st.binary(max_size=5))
def test_no_known_secret_survives_in_base64_wherever_it_begins(
    secret: str, before: bytes, after: bytes
) -> None:
    content = before + secret.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = masked(f"x: {encode(content).decode()}", [secret])
        # what is left are the neighbours, and at each edge the character shared with them
        assert len(shown) <= len("x: ") + len(MARK) + 4 * (len(before + after) + 4) / 3 + 4


@given(st.text(min_size=SHORTEST, max_size=30))
def test_no_known_secret_survives_escaped(secret: str) -> None:
    content = secret.encode()
    forms = {
        quote(secret), quote_plus(secret), quote(secret, safe=""), content.hex(), content.hex().upper(),
        json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
    }  # fmt: skip
    for form in forms:
        assert form not in masked(f"<{form}>", [secret])


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200))
def test_text_without_secrets_comes_out_of_pieces_as_it_went_in(text: str) -> None:
    if secrets_in(text):
        return
    pieces = Mask(["q8Zr2Lw0pXv7"]).pieces()
    assert "".join([*(pieces.add(one) for one in text), pieces.end()]) == text


def test_a_key_that_comes_line_by_line_is_hidden_as_a_whole() -> None:
    body = ["-----BEGIN " + "PRIVATE KEY-----\n", "MIIEvQ\n", "xyz\n", "-----END " + "PRIVATE KEY-----\n"]
    pieces = Mask().pieces()
    assert "".join([*map(pieces.add, ["before\n", *body, "after\n"]), pieces.end()]) == (
        f"before\n{MARK}\nafter\n"
    )


def test_a_token_that_comes_in_two_pieces_is_hidden_as_a_whole() -> None:
    token = "ghp_" + "a1B2" * 12
    for at in range(len(token)):
        pieces = Mask().pieces()
        assert pieces.add(f"use {token[:at]}") + pieces.add(f"{token[at:]} now\n") + pieces.end() == (
            f"use {MARK} now\n"
        )


def test_a_line_without_end_does_not_grow_for_ever() -> None:
    pieces = Mask([KEY]).pieces()
    shown = [pieces.add("word " * 2000) for _ in range(20)]
    assert sum(map(len, shown)) > 100_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://root:" + "hunter2hunter@db/x", f"postgres://root:{MARK}@db/x"),
        ("Authorization: Bearer " + "abcdefgh12345678", f"Authorization: Bearer {MARK}"),
        ("export SERVICE_TOKEN=" + "a81kd02jfmv72", f"export SERVICE_TOKEN={MARK}"),
        ('{"api_key": "' + 'q8Zr2Lw0pXv7"}', f'{{"api_key": "{MARK}"}}'),
        ("key AKIA" + "ABCDEFGHIJKLMNOP.", f"key {MARK}."),
        ("/enter?token=aps_0123456789ab_" + "ab-_" * 10 + "xyz&then=/", f"/enter?token={MARK}&then=/"),
        ("SU" + "ACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY", MARK),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "commit 0123456789abcdef0123456789abcdef01234567",
        "sha256:" + "0123456789abcdef" * 4,
        "token = tokenize(text)",
        "secret: settings.secret_value_3",
        "3f2c8a52-7d8a-4e0f-9a6b-0f4f0c2f8f11",
        "services/workspace/test_deterministic_choices2026.py::test_One",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert masked(text) == text


def test_a_mark_never_grows_together_with_its_neighbours_to_another_secret() -> None:
    held = ["abcdef", f"x{MARK}y"]
    shown = Mask(held)("xabcdefy")
    assert shown[0] + shown[-1] == "xy"
    assert not any(secret in shown for secret in held)


def test_what_looks_like_a_secret_only_once_another_is_hidden_is_hidden_too() -> None:
    assert masked('password = "k9one twoZ8r4"', ["one two"]) == f'password = "{MARK}"'


def test_bytes_that_are_no_text_stay_and_the_secret_among_them_goes() -> None:
    assert Mask([KEY]).content(b"\xff\x00" + KEY.encode() + b"\xfe") == b"\xff\x00" + MARK.encode() + b"\xfe"


def test_a_secret_too_short_to_be_told_from_words_is_refused_and_an_empty_one_is_none() -> None:
    with pytest.raises(ValueError, match="5 characters cannot be hidden"):
        Mask(["short"])
    assert Mask([""])("text") == "text"


@pytest.mark.parametrize(
    "text",
    [
        "token" * 40_000, "a." * 100_000, "eyJ-" * 50_000, "\n" * 200_000, "-----BEGIN " * 20_000,
        "://" * 70_000, "x:y@" * 50_000, "secret = '" * 20_000, "A" * 200_000,
    ],
)  # fmt: skip
def test_a_hostile_text_takes_no_more_than_moments(text: str) -> None:
    begun = time.process_time()
    assert masked(text) == text
    assert time.process_time() - begun < 2
