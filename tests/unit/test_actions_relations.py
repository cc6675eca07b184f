"""Improvements are compared by words, files and places; an answer that contradicts itself is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.improvement import Relation
from services.actions.comparing import by_words, nearest
from services.actions.likeness import likeness, telling, words_of
from services.actions.relations import (
    Compared,
    Comparison,
    Judged,
    Judgement,
    Known,
    problems,
    seen_from,
)

R = Relation


def wish(id: str, why: str, **more: object) -> Compared:
    return Compared.model_validate({"id": id, "title": why[:72], "why": why, "asked": True, **more})


def found(id: str, rule: str, *files: str, sites: str = "s1") -> Compared:
    return Compared(id=id, title=f"Fix {rule}", why=rule, asked=False, rule=rule, files=files, sites=sites)


def compared(about: Compared, *others: Compared, known: tuple[Known, ...] = ()) -> Comparison:
    return Comparison(id=about.id, about=about, others=others, known=known)


def floor(about: Compared, other: Compared) -> Relation:
    (one,) = by_words(compared(about, other)).relations
    return one.relation


EMPTY = wish("new", "parse() should accept an empty list and return 0")


@pytest.mark.parametrize(
    ("one", "other", "relation"),
    [
        (EMPTY, wish("o", "Parse() must accept the empty list, and return 0!"), R.DUPLICATE),
        (EMPTY, wish("o", "parse() should accept an empty list and return 1"), R.RELATED),
        (EMPTY, wish("o", "parse() should not accept an empty list and return 0"), R.RELATED),
        (wish("a", "rename old to new"), wish("b", "rename new to old"), R.RELATED),
        (EMPTY, wish("o", "the report is slow for large files"), R.UNRELATED),
        (EMPTY, found("o", "UP006", "tiny/words.py"), R.UNRELATED),
        (wish("a", "tiny/words.py is slow"), found("o", "UP006", "tiny/words.py"), R.RELATED),
        (found("a", "UP006", "a.py"), found("b", "UP006", "a.py"), R.DUPLICATE),
        (found("a", "UP006", "a.py"), found("b", "UP006", "a.py", sites="s2"), R.RELATED),
        (found("a", "UP006", "a.py"), found("b", "F401", "a.py", "b.py"), R.RELATED),
        (found("a", "UP006", "a.py"), found("b", "F401", "b.py"), R.UNRELATED),
    ],
)
def test_the_floor_judges_by_words_files_and_places(one: Compared, other: Compared, relation: R) -> None:
    assert floor(one, other) is relation
    assert floor(other.model_copy(update={"id": "x"}), one) is relation


TEXT = st.text(max_size=60) | st.sampled_from(["parse accepts an empty list", "a", "", "x" * 400])
MADE = st.builds(
    Compared,
    id=st.uuids().map(str),
    title=TEXT,
    why=TEXT,
    asked=st.booleans(),
    rule=st.sampled_from(["UP006", "F401"]),
    files=st.lists(st.sampled_from(["a.py", "b/c.py", "y" * 500]), max_size=2, unique=True).map(tuple),
    sites=st.sampled_from(["s1", "s2"]),
)


@given(MADE, st.lists(MADE, max_size=5, unique_by=lambda one: one.id), st.sampled_from(list(R)))
def test_what_the_floor_judges_passes_the_rule(about: Compared, others: list[Compared], relation: R) -> None:
    rest = tuple(one for one in others if one.id != about.id)
    known = tuple(Known(one=one.id, relation=relation, other=about.id) for one in rest[:1])
    comparison = compared(about, *rest, known=known)
    assert problems(comparison, by_words(comparison)) == []


OTHERS = (wish("o1", "parse takes an empty list, and returns nothing"), wish("o2", "the report is slow"))


def judged(
    *relations: tuple[str, R, str], evidence: tuple[str, ...] = (), known: tuple[Known, ...] = ()
) -> list[str]:
    told = tuple(
        Judged(one=one, relation=relation, other=other, reason="so", evidence=evidence)
        for one, relation, other in relations
    )
    return problems(compared(EMPTY, *OTHERS, known=known), Judgement(relations=told))


REST = ("new", R.UNRELATED, "o2")


def test_each_of_the_others_is_judged_and_nothing_else() -> None:
    assert judged(("new", R.RELATED, "o1"), REST) == []
    assert judged(("o1", R.SUPERSEDES, "new"), REST) == []
    assert judged(REST) == ["o1 is not judged"]
    assert judged(("new", R.RELATED, "o1"), ("new", R.RELATED, "o9"), REST) == [
        "there is no improvement 'o9'"
    ]
    assert judged(("new", R.RELATED, "new"), ("new", R.RELATED, "o1"), REST) == ["new is related to itself"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("new", R.RELATED, "o1"), ("o1", R.CONFLICTS, "new")),
        (("new", R.SUPERSEDES, "o1"), ("o1", R.SUPERSEDES, "new")),
        (("new", R.RELATED, "o1"), ("new", R.UNRELATED, "o1")),
        (("new", R.DEPENDS_ON, "o1"), ("o1", R.RELATED, "new")),
    ],
)
def test_a_pair_is_not_told_in_two_ways(first: tuple[str, R, str], second: tuple[str, R, str]) -> None:
    assert any(" and also " in line for line in judged(first, second, REST))


def test_a_pair_told_from_both_sides_alike_is_told_once() -> None:
    pair = (("new", R.SUPERSEDES, "o1"), ("o1", R.SUPERSEDED_BY, "new"))
    assert judged(*pair, REST) == []
    told = Judgement(
        relations=tuple(Judged(one=one, relation=r, other=other, reason="so") for one, r, other in pair)
    )
    assert [(one.relation, one.other) for one in seen_from("new", told)] == [(R.SUPERSEDES, "o1")]
    assert [(one.relation, one.other) for one in seen_from("o1", told)] == [(R.SUPERSEDED_BY, "new")]


def test_what_is_known_is_not_contradicted() -> None:
    known = (Known(one="o1", relation=R.CONFLICTS, other="new"),)
    assert judged(("new", R.CONFLICTS, "o1"), REST, known=known) == []
    assert judged(("new", R.RELATED, "o1"), REST, known=known) == [
        "how new stands to o1 is known: conflicts, not related"
    ]


def test_dependencies_make_no_circle_also_by_way_of_others() -> None:
    both = (("new", R.DEPENDS_ON, "o1"), ("new", R.REQUIRED_BY, "o2"))
    assert judged(*both) == []
    known = (Known(one="o1", relation=R.DEPENDS_ON, other="o2"),)
    assert any("depends on" in line for line in judged(*both, known=known))


@pytest.mark.parametrize(
    ("evidence", "unshown"),
    [
        (("accept an empty list", "parse takes an empty list"), ()),
        (("an empty list",), ()),
        ((), ("new", "o1")),
        (("empty",), ("new", "o1")),
        (("accept an empty list",), ("o1",)),
        (("words that stand in neither of them", "parse takes"), ("new",)),
    ],
)
def test_a_duplicate_is_shown_by_words_of_both(evidence: tuple[str, ...], unshown: tuple[str, ...]) -> None:
    assert judged(("new", R.DUPLICATE, "o1"), REST, evidence=evidence) == [
        f"that new is a duplicate of o1 is shown by no words of {id}" for id in unshown
    ]


def test_words_are_compared_without_case_form_and_filling() -> None:
    assert words_of("\uff30arse  the\nFile.") == ("parse", "the", "file")
    assert telling("The file, please, should be read") == ("file", "read")
    assert telling("is it the") == ("is", "it", "the")
    assert likeness(("a", "b"), ("b", "c")) == pytest.approx(1 / 3)
    assert likeness((), ()) == 0.0


def test_of_many_the_likest_are_compared() -> None:
    far = tuple(wish(f"f{n}", f"number {n} is about something else") for n in range(40))
    near = wish("near", "parse should accept an empty tuple")
    assert nearest(EMPTY, (*far, near), most=3)[0] == near
    assert len(nearest(EMPTY, far)) == 30
