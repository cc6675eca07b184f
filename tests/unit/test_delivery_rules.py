"""What a delivery may go through: received once, understood once, and apart from all that was refused."""

from typing import Any

import pytest

from events.delivery import DELIVERY, Received, Refused, Understood
from schemas.delivery import Outcome, Source
from schemas.sealed import Sealed
from tests.golden_telling import ref
from tests.rules import of

SEALED = Sealed(sealed_for="delivery/github-20260105", body="YXBz")
RECORDED = Understood(outcome=Outcome.RECORDED, said="nothing is asked for")
delivery = of(DELIVERY)


def received(**other: Any) -> Received:
    given: dict[str, Any] = {
        "source": Source.GITHUB,
        "key": "72d3162e",
        "event": "push",
        "about": "github.com/octocat/shelf",
        "size": 2,
        "body_sha256": "0" * 64,
        "sealed": SEALED,
    }
    return Received(**{**given, **other})


def refused(times: int = 1) -> Refused:
    return Refused(source=Source.GITHUB, why="it is not signed", address="192.0.2.7", times=times)


def test_a_delivery_is_received_once() -> None:
    delivery.given(received()).when(received()).then_rejected("received already")


@pytest.mark.parametrize("held", [{"sealed": None}, {"payload": ref("delivery.json")}], ids=["none", "both"])
def test_what_was_sent_is_kept_in_one_place(held: dict[str, Any]) -> None:
    delivery.when(received(**held)).then_rejected("in one place")


def test_only_what_was_received_is_understood_and_once() -> None:
    delivery.when(RECORDED).then_rejected("never received")
    delivery.given(received(), RECORDED).when(RECORDED).then_rejected("understood already")


def test_refusals_are_counted() -> None:
    assert delivery.given(refused(), refused(3)).state.refused == 4
    delivery.when(refused(0)).then_rejected("never came")


def test_a_delivery_comes_back_from_the_log_as_it_was() -> None:
    story = delivery.given(received(), RECORDED)
    assert story.replayed() == story.state
