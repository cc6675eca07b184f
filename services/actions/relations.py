"""What an improvement is compared by, what a comparison answers, and the rule that it must pass.

Rules
1. Only improvements that were given are named, each of the others is judged, no pair twice in two ways.
2. What is told from both sides agrees; none supersedes what supersedes it.
3. Dependencies make no circle, those that are known already included.
4. A new duplicate is shown by words: some of the one, and some of the other, each as it stands there.
"""

from collections.abc import Iterable, Iterator

from pydantic import Field

from schemas.base import Frozen
from schemas.improvement import Relation
from services.actions.action import Ours
from services.actions.likeness import words_of

REASON, QUOTE = 400, 300
MOST = 30  # others, in one comparison
Pair = tuple[str, str]


class Compared(Frozen):
    """One improvement as it is compared: `asked` for in a person's words, or found by a rule.

    `sites` names the places it is about, by their digest.
    """

    id: str
    title: str
    why: str
    asked: bool
    rule: str = ""
    files: tuple[str, ...] = ()
    sites: str = ""

    @property
    def text(self) -> str:
        """Everything it says of itself."""
        return "\n".join((self.title, self.why, self.rule, *self.files))

    def told(self) -> str:
        """Return it as a paragraph."""
        about = "asked for by a person" if self.asked else f"found by the rule {self.rule}"
        files = f"\nfiles: {', '.join(self.files)}" if self.files else ""
        return f"## {self.id}\n{about}\ntitle: {self.title}\nwhy: {self.why}{files}\n"


class Known(Frozen):
    """A relation that is known already."""

    one: str
    relation: Relation
    other: str

    def told(self) -> str:
        """Return it on a line."""
        return f"- {self.one} {self.relation.value} {self.other}"


class Comparison(Frozen):
    """`about` is compared with each of the `others`."""

    id: Ours
    about: Compared
    others: tuple[Compared, ...] = Field(max_length=MOST)
    known: tuple[Known, ...] = ()


class Judged(Frozen):
    """How `one` stands to `other`, and why; `evidence` are words quoted from them."""

    one: str
    relation: Relation
    other: str
    reason: str = Field(min_length=1, max_length=REASON)
    evidence: tuple[str, ...] = Field(default=(), max_length=6)


class Judgement(Frozen):
    """How improvements stand to each other."""

    relations: tuple[Judged, ...]


def seen_from(id: str, judgement: Judgement) -> tuple[Judged, ...]:
    """Return the relations of one improvement, each told from its side, without those that say nothing."""
    mine = [
        _turned(one) if one.other == id else one for one in judgement.relations if id in (one.one, one.other)
    ]
    told = {(one.relation, one.other): one for one in mine if one.relation is not Relation.UNRELATED}
    return tuple(told.values())


def problems(given: Comparison, made: Judgement) -> list[str]:
    """Return what is wrong with a judgement."""
    return [
        *_strangers(given, made),
        *_contradictions(given, made),
        *_circles(given, made),
        *(line for one in made.relations for line in _unproven(given, one)),
    ]


def _strangers(given: Comparison, made: Judgement) -> Iterator[str]:
    ids = {given.about.id, *(other.id for other in given.others)}
    named = {id for one in made.relations for id in (one.one, one.other)}
    yield from (f"there is no improvement {id!r}" for id in sorted(named - ids))
    yield from (f"{one.one} is related to itself" for one in made.relations if one.one == one.other)
    judged = {frozenset((one.one, one.other)) for one in made.relations}
    yield from (
        f"{other.id} is not judged"
        for other in given.others
        if frozenset((given.about.id, other.id)) not in judged
    )


def _contradictions(given: Comparison, made: Judgement) -> Iterator[str]:
    """Say where a pair is told in two ways, in this judgement or against what is known."""
    known: dict[Pair, set[Relation]] = {}
    for fact in given.known:
        known.setdefault((fact.one, fact.other), set()).add(fact.relation)
        known.setdefault((fact.other, fact.one), set()).add(fact.relation.inverse)
    told: dict[Pair, Relation] = {}
    for one in made.relations:
        pair = (one.one, one.other)
        if one.relation not in known.get(pair, {one.relation}):
            was = ", ".join(sorted(known[pair]))
            yield f"how {pair[0]} stands to {pair[1]} is known: {was}, not {one.relation.value}"
        elif told.setdefault(pair, one.relation) is not one.relation:
            yield f"{pair[0]} to {pair[1]} is {told[pair].value}, and also {one.relation.value}"
        told.setdefault((one.other, one.one), one.relation.inverse)


def _circles(given: Comparison, made: Judgement) -> Iterator[str]:
    new = list(filter(None, map(_need, made.relations)))
    needs: dict[str, set[str]] = {}
    for one, other in (*filter(None, map(_need, given.known)), *new):
        needs.setdefault(one, set()).add(other)
    yield from (
        f"{one} depends on {other}, and that on {one}"
        for one, other in new
        if one in _reached(needs, [other])
    )


def _need(one: Known | Judged) -> Pair | None:
    """Return who depends on whom."""
    match one.relation:
        case Relation.DEPENDS_ON:
            return one.one, one.other
        case Relation.REQUIRED_BY:
            return one.other, one.one
        case _:
            return None


def _reached(needs: dict[str, set[str]], start: Iterable[str]) -> set[str]:
    reached, ahead = set[str](), list(start)
    while ahead:
        id = ahead.pop()
        if id not in reached:
            reached.add(id)
            ahead += needs.get(id, ())
    return reached


def _unproven(given: Comparison, one: Judged) -> Iterator[str]:
    if any(len(quote) > QUOTE for quote in one.evidence):
        yield f"the evidence for {one.one} and {one.other} is longer than {QUOTE} characters"
    known = {(fact.one, fact.other) for fact in given.known if fact.relation is Relation.DUPLICATE}
    if one.relation is not Relation.DUPLICATE or {(one.one, one.other), (one.other, one.one)} & known:
        return
    both = {each.id: each for each in (given.about, *given.others)}
    for id in (one.one, one.other):
        if id in both and not any(stands_in(quote, both[id]) for quote in one.evidence):
            yield f"that {one.one} is a duplicate of {one.other} is shown by no words of {id}"


def stands_in(quote: str, one: Compared) -> bool:
    """Whether a quote is of an improvement: two of its words or more in a row, or all that it says."""
    quoted, words = words_of(quote), words_of(one.text)
    if quoted and quoted in (words_of(one.title), words_of(one.why)):
        return True
    return len(quoted) > 1 and any(
        words[at : at + len(quoted)] == quoted for at in range(len(words) - len(quoted) + 1)
    )


def _turned(one: Judged) -> Judged:
    turned = {"one": one.other, "relation": one.relation.inverse, "other": one.one}
    return one.model_copy(update=turned)
