"""Facts written in an older version are read as today's; newer and unknown ones are refused."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest

from events.catalogue import FACTS, VOCABULARY
from events.envelope import NO_HASH, Cause, Envelope, decode, digest, envelop
from events.fact import Fact
from events.subjects import Address
from events.upcasting import Data, NewerVersion, UnknownFact, Upcast, Vocabulary
from schemas.base import Frozen

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CAUSE = Cause(actor="baker", source="/bakery", correlation=str(UUID(int=1)))
ADDRESS = Address("loaf", "l1", "baked")


class Crust(Frozen):
    colour: str
    cracked: bool


class Baked(Fact):
    """Version 1 said `minutes` and `colour`; version 2 counts seconds; version 3 has a crust."""

    name: ClassVar[str] = "baked"
    version: ClassVar[int] = 3
    seconds: int
    crust: Crust


def to_seconds(data: Data) -> Data:
    data["seconds"] = 60 * data.pop("minutes")
    return data


def to_crust(data: Data) -> Data:
    return {"seconds": data["seconds"], "crust": {"colour": data["colour"], "cracked": False}}


def vocabulary(upcasts: Mapping[type[Fact], tuple[Upcast, ...]]) -> Vocabulary:
    return Vocabulary({"aps.loaf.baked": Baked}, upcasts)


BAKERY = vocabulary({Baked: (to_seconds, to_crust)})
BROWN = Baked(seconds=2400, crust=Crust(colour="brown", cracked=False))


def written(version: int | str, data: dict[str, Any]) -> Envelope:
    """An event as a program of that version left it on the log."""
    now = envelop(BROWN, ADDRESS, 1, NO_HASH, CAUSE, NOON)
    return replace(now, type=f"aps.loaf.baked.v{version}", data=data).sealed()


def test_every_older_version_is_read_as_the_newest() -> None:
    assert BAKERY.read(written(1, {"minutes": 40, "colour": "brown"})) == BROWN
    assert BAKERY.read(written(2, {"seconds": 2400, "colour": "brown"})) == BROWN
    assert BAKERY.read(written(3, BROWN.model_dump(mode="json"))) == BROWN


def test_what_is_stored_stays_as_it_was_written() -> None:
    old = decode(written(1, {"minutes": 40, "colour": "brown"}).encode())
    before = deepcopy(old)
    BAKERY.read(old)
    assert old == before
    assert digest(old) == old.hash
    assert BAKERY.read(old) == BAKERY.read(old)


def test_only_the_newest_version_is_written() -> None:
    envelope = envelop(BROWN, ADDRESS, 1, NO_HASH, CAUSE, NOON)
    assert envelope.type == "aps.loaf.baked.v3"
    assert envelope.dataschema == "urn:aps:loaf:baked:v3"
    assert BAKERY.read(envelope) == BROWN


def test_a_newer_version_is_refused_and_the_refusal_says_what_to_do() -> None:
    with pytest.raises(NewerVersion, match=r"v4 .*reads aps\.loaf\.baked up to version 3: update it"):
        BAKERY.read(written(4, BROWN.model_dump(mode="json")))


@pytest.mark.parametrize("suffix", ["", "0", "01", "-1", "1.0", "x", "1x", "1\n", "٣", "9" * 9])
def test_what_is_no_version_is_refused(suffix: str) -> None:
    with pytest.raises(UnknownFact, match="no fact of type"):
        BAKERY.read(written(suffix, BROWN.model_dump(mode="json")))


def test_an_unknown_fact_is_refused_whatever_its_version() -> None:
    event = replace(written(1, {}), type="aps.loaf.eaten.v1")
    with pytest.raises(UnknownFact, match=r"aps\.loaf\.eaten\.v1"):
        BAKERY.read(event)


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"colour": "brown"}),
        (1, {"minutes": None, "colour": "brown"}),
        (1, {"minutes": 40, "colour": "brown", "baker": "left by mistake"} | {"colour": 5}),
        (2, {"seconds": 2400}),
        (3, {"seconds": 2400, "colour": "brown"}),
    ],
)
def test_a_body_that_does_not_fit_its_version_is_refused_by_name(version: int, data: Data) -> None:
    event = written(version, data)
    with pytest.raises(UnknownFact, match=rf"v{version} {event.id}"):
        BAKERY.read(event)


@pytest.mark.parametrize("steps", [(), (to_seconds,), (to_seconds, to_crust, to_crust)])
def test_a_version_without_its_upcast_is_no_vocabulary(steps: tuple[Upcast, ...]) -> None:
    with pytest.raises(ValueError, match=rf"aps\.loaf\.baked is at version 3.*needs 2 .*has {len(steps)}"):
        vocabulary({Baked: steps})


def test_the_catalogue_is_read_by_the_type_it_is_written_as() -> None:
    assert VOCABULARY.current is FACTS
    assert {f"{name}.v{fact.version}" for name, fact in VOCABULARY.facts.items()} == set(FACTS)
