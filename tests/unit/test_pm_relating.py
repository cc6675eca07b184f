"""A request is compared with what is under way; a duplicate ends with its reason, and both sides tell it."""

from typing import Any

import pytest
from pydantic import JsonValue

from events.improvement import IMPROVEMENT
from events.improvement_facts import Abandoned, Related, Retried
from events.run import RUN
from events.target import TARGET
from schemas.engine import FailureKind
from schemas.improvement import Relation, Status
from services.asking.consulting import Consultant
from services.engines.choosing import Wanted
from services.engines.port import Bounds
from services.engines.scripted import Answering, ScriptedEngine
from services.pm.relating import related
from services.runtime.log import Log
from tests import projection_facts as f
from tests.asking_example import BECAUSE, PRICE, Time, asker, book_at, failing, names, told

R = Relation
WISH = "joined() should take the separator to use"
OTHER_WORDS = "let the caller of joined() choose what stands between the words"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def book(time: Time) -> Log:
    return await book_at(time)


async def asked_for(book: Log, time: Time, **wishes: str) -> None:
    """Have PM find requests, one a second, on the one target."""
    scanned = f.scanned().model_copy(update={"improvements": tuple(wishes)})
    await book.record(
        TARGET, "toolz", f.registered(), f.scan_requested(), f.claimed(), scanned, cause=BECAUSE
    )
    for id, words in wishes.items():
        time.passes(1)
        fact = f.discovered(title=words, why=words, source="request", rule="request", files=())
        await book.record(IMPROVEMENT, id, fact, cause=BECAUSE)


async def compared(book: Log, id: str, consultant: Consultant | None = None) -> bool:
    target = await book.state(TARGET, "toolz")
    return await related(book, consultant, id, target, "auto", BECAUSE)


def consultant(book: Log, *steps: Any) -> tuple[Consultant, ScriptedEngine]:
    engine = ScriptedEngine(*steps)
    policy = (Wanted("", "scripted", ""),)
    return Consultant(asker(book), "pm", {"scripted": engine}, policy, Bounds(cost_micros=PRICE)), engine


def judging(*relations: tuple[str, R, str], evidence: tuple[str, ...] = ()) -> Answering:
    said: list[JsonValue] = [
        {
            "one": one,
            "relation": relation.value,
            "other": other,
            "reason": "as one reads",
            "evidence": [*evidence],
        }
        for one, relation, other in relations
    ]
    return Answering({"relations": said})


async def test_the_same_words_again_end_as_a_duplicate_that_both_sides_tell(book: Log, time: Time) -> None:
    await asked_for(book, time, first=WISH, second=f"  {WISH.upper()}!")
    assert await compared(book, "second") is True
    first, second = (await book.states(IMPROVEMENT, ("first", "second"))).values()
    (mine,), (theirs,) = second.relations, first.relations
    assert (mine.other, mine.relation, mine.judged_by) == ("first", R.DUPLICATE, "rules")
    assert (theirs.other, theirs.relation) == ("second", R.DUPLICATE)
    assert (first.status, second.status) == (Status.INITIALIZED, Status.ABANDONED)
    assert second.reason.startswith("it asks for the same as first, which is initialized: ")
    assert second.reason.endswith("aps improvements retry second")


async def test_of_two_that_want_the_same_the_first_is_done(book: Log, time: Time) -> None:
    await asked_for(book, time, first=WISH, second=WISH)
    assert await compared(book, "first") is False
    assert await compared(book, "second") is True
    assert (await book.state(IMPROVEMENT, "first")).status is Status.INITIALIZED


@pytest.mark.parametrize("words", ["the report is slow for large files", ""])
async def test_what_is_unrelated_tells_nothing(book: Log, time: Time, words: str) -> None:
    await asked_for(book, time, first=words, second=WISH)
    assert await compared(book, "second") is False
    assert names((await told(book, "improvement"))["second"]) == ["discovered"]


async def test_what_is_over_is_not_compared_with(book: Log, time: Time) -> None:
    await asked_for(book, time, first=WISH, second=WISH)
    await book.record(IMPROVEMENT, "first", Abandoned(reason="unclear"), cause=BECAUSE)
    way, engine = consultant(book)
    assert await compared(book, "second", way) is False
    assert engine.asked == []


async def test_an_engine_finds_the_same_wish_in_other_words(book: Log, time: Time) -> None:
    await asked_for(book, time, first=WISH, second=OTHER_WORDS)
    quotes = ("the separator to use", "choose what stands between the words")
    way, engine = consultant(book, judging(("second", R.DUPLICATE, "first"), evidence=quotes))
    assert await compared(book, "second", way) is True
    (mine,) = (await book.state(IMPROVEMENT, "second")).relations
    assert (mine.judged_by, mine.evidence, mine.reason) == ("scripted", quotes, "as one reads")
    requested = (await book.state(RUN, mine.run)).requested
    assert requested is not None
    assert (requested.role, requested.task, requested.improvement) == ("pm", "judge_relations", "second")
    assert "<untrusted " in engine.asked[0].prompt


async def test_a_relation_is_told_and_the_work_goes_on(book: Log, time: Time) -> None:
    await asked_for(book, time, first=WISH, second=OTHER_WORDS)
    way, _ = consultant(book, judging(("first", R.REQUIRED_BY, "second")))
    assert await compared(book, "second", way) is False
    first, second = (await book.states(IMPROVEMENT, ("first", "second"))).values()
    assert [(one.relation, one.other) for one in second.relations] == [(R.DEPENDS_ON, "first")]
    assert [(one.relation, one.other) for one in first.relations] == [(R.REQUIRED_BY, "second")]
    assert second.status is Status.INITIALIZED


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (judging(("second", R.DUPLICATE, "first")), "the answer of scripted was not taken: that second"),
        (judging(("second", R.DUPLICATE, "third")), "the answer of scripted was not taken: there is no"),
        (failing(FailureKind.UNAUTHORIZED, "the key is not accepted"), "no engine answered: the key is not"),
    ],
)
async def test_an_answer_that_proves_nothing_is_replaced_by_the_rules_and_that_is_told(
    book: Log, time: Time, step: Any, why: str
) -> None:
    await asked_for(book, time, first=WISH, second=f"{WISH} or none")
    way, _ = consultant(book, step)
    assert await compared(book, "second", way) is False
    (mine,) = (await book.state(IMPROVEMENT, "second")).relations
    assert (mine.relation, mine.judged_by) == (R.RELATED, "rules")
    assert why in mine.reason
    assert mine.run


async def test_what_was_compared_is_not_compared_again(book: Log, time: Time) -> None:
    await asked_for(book, time, first=WISH, second=WISH)
    await compared(book, "second")
    await book.record(IMPROVEMENT, "second", Retried(reason="all the same"), cause=BECAUSE)
    assert await compared(book, "second") is False
    facts = (await told(book, "improvement"))["second"]
    assert [one.relation for one in facts if isinstance(one, Related)] == [R.DUPLICATE]
    assert (await book.state(IMPROVEMENT, "second")).status is Status.INITIALIZED
