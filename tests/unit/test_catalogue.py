"""The catalogue: every fact can be recorded by somebody, reacted to by name, and hashed for ever."""

import typing
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from events.catalogue import AGGREGATES, FACTS, MAY_RECORD, UnknownFact, read_fact
from events.envelope import NO_HASH, Envelope
from events.fact import Fact
from events.rights import ROLES, USERS
from events.subjects import EVERYTHING, parse

CONSUMERS = Path(__file__).parents[2] / "nats" / "consumers"


def types_in(annotation: Any) -> set[Any]:
    inner = typing.get_args(annotation)
    if inner:
        return set().union(*(types_in(part) for part in inner))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}.union(*(types_in(f.annotation) for f in annotation.model_fields.values()))
    return {annotation}


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
def test_a_fact_holds_no_floats(fact: type[Fact]) -> None:
    assert float not in types_in(fact)


def test_every_fact_can_be_recorded_by_somebody() -> None:
    recorded = {(a, fact) for rights in MAY_RECORD.values() for a, facts in rights.items() for fact in facts}
    known = {(a.name, fact) for a in AGGREGATES.values() for fact in a.facts}
    leases_nobody_takes = {(a, f) for a, f in known - recorded if f.name.startswith("work_")}
    assert known - recorded == leases_nobody_takes
    assert recorded <= known


def test_only_known_users_have_rights() -> None:
    assert set(MAY_RECORD) <= set(USERS)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reacts_to_facts_that_exist(role: str) -> None:
    config = orjson.loads((CONSUMERS / f"{role}.json").read_bytes())["config"]
    assert config["durable_name"] == role
    for pattern in config["filter_subjects"]:
        assert pattern.startswith(EVERYTHING.removesuffix(">"))
        address = parse(pattern.replace("*", "any"))
        assert f"aps.{address.aggregate}.{address.fact}.v1" in FACTS


def test_every_role_has_its_consumer_and_nobody_else() -> None:
    assert {file.stem for file in CONSUMERS.iterdir()} == set(ROLES)


def test_an_unknown_type_is_never_guessed() -> None:
    envelope = Envelope("i", "s", "aps.x.y.v1", "x/1", "", "", {}, "a", "c", "", 1, NO_HASH)
    with pytest.raises(UnknownFact, match=r"aps\.x\.y\.v1"):
        read_fact(envelope)
