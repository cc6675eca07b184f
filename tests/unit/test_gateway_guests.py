"""How many connections one address may have open at the gateway."""

import pytest

from services.gateway.http.guests import TOLD_SECONDS, Guests, place_of

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_no_more_are_let_in_than_the_number_and_others_are() -> None:
    guests = Guests(2)
    assert [guests.enter(HERE) for _ in range(4)] == [True, True, False, False]
    assert guests.enter(THERE)


def test_who_leaves_makes_room_for_one() -> None:
    guests = Guests(1)
    assert guests.enter(HERE)
    assert not guests.enter(HERE)
    guests.leave(HERE)
    assert [guests.enter(HERE), guests.enter(HERE)] == [True, False]


def test_refusals_are_told_once_in_a_while_with_their_number() -> None:
    guests = Guests(1)
    guests.enter(HERE)
    told = []
    for now in (0.0, 1.0, 2.0, TOLD_SECONDS):
        guests.enter(HERE)
        told.append(guests.to_tell(HERE, now))
    assert told == [1, 0, 0, 3]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", HERE, True),
        ("fe80::1%eth0", "fe80::2", True),
        (HERE, THERE, False),
        ("", "", True),
    ],
)
def test_addresses_that_one_machine_chooses_from_are_one(one: str, other: str, same: bool) -> None:
    assert (place_of(one) == place_of(other)) is same
