"""The part of the golden story that web hooks have."""

from events import delivery
from schemas.delivery import Outcome, Source
from schemas.sealed import Sealed
from tests.golden_telling import Story, commit, ref


def delivered(told: Story) -> None:
    """Tell of deliveries: one small, one long, and some that were refused."""
    day = "delivery/github-20260105"
    small = delivery.Received(
        source=Source.GITHUB,
        key="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        event="issues",
        about="github.com/octocat/shelf",
        size=7,
        body_sha256=commit("body").ljust(64, "0"),
        former_secret=True,
        sealed=Sealed(sealed_for=day, body="YXBzLXNlYWxlZA=="),
    )
    long = small.model_copy(
        update={
            "key": "b5cb3f54-cc78-11e3-91b3-22000a4e0958",
            "event": "push",
            "former_secret": False,
            "sealed": None,
            "payload": ref("delivery.json", "application/json").model_copy(update={"sealed_for": day}),
        }
    )
    requested = delivery.Understood(
        outcome=Outcome.REQUESTED, said="issue 42 bears the label aps", target="shelf", scan="shelf-s2"
    )
    own = delivery.Understood(outcome=Outcome.OWN, said="it is a push to our own branch")
    for fact, understood in ((small, requested), (long, own)):
        id = f"github-{fact.key}"
        told.tell("gateway", "delivery", id, fact)
        told.tell("pm-2", "delivery", id, understood)
    refused = delivery.Refused(
        source=Source.GITHUB, why="the signature does not fit", address="192.0.2.7", event="push", times=3
    )
    told.tell("gateway", "delivery", "github-refused-20260105", refused)
