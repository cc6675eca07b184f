"""Subjects and what may stand in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.subjects import Address, aggregate_subjects, facts, parse, slug, subject, token

tokens = st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True)
addresses = st.builds(Address, tokens, tokens, tokens)


@given(addresses)
def test_a_subject_is_parsed_back_to_its_address(address: Address) -> None:
    assert parse(subject(address)) == address


def matches(pattern: str, name: str) -> bool:
    return all(p in ("*", n) for p, n in zip(pattern.split("."), name.split("."), strict=True))


@given(addresses)
def test_the_wildcards_hold_the_subject(address: Address) -> None:
    assert matches(aggregate_subjects(address.aggregate, address.id), subject(address))
    assert matches(facts(address.aggregate, address.fact), subject(address))


@given(st.text())
def test_text_is_a_token_or_refused(text: str) -> None:
    try:
        assert token(text) == text
    except ValueError:
        return
    assert text.isascii()
    assert not set(text) & set(" .*>\t\r\n")


@pytest.mark.parametrize("text", ["", "a.b", "*", ">", "a b", "a\n", "ä", "x" * 81])
def test_what_a_server_would_read_otherwise_is_no_token(text: str) -> None:
    with pytest.raises(ValueError, match="no subject token"):
        token(text)


@given(st.text())
def test_any_text_gives_a_slug_that_is_a_token(text: str) -> None:
    assert token(slug(text)) == slug(text)


@pytest.mark.parametrize("text", ["aps.v1.a.b", "aps.v2.a.b.c", "aps.v1.a.b.c.d", "aps.v1.a..c", "x"])
def test_other_subjects_are_not_of_the_log(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)
