"""Compares an improvement with others: duplicates, and what stands in its way or beside it.

The floor calls a duplicate only what has the very same rule and places, or the same telling words in the same
order: that one word makes the opposite of a wish is ordinary.
"""

from schemas.improvement import Relation
from services.actions.action import Action, template
from services.actions.likeness import likeness, telling, words_of
from services.actions.relations import (
    MOST,
    QUOTE,
    Compared,
    Comparison,
    Judged,
    Judgement,
    problems,
    stands_in,
)

ALIKE = 0.4
SHOWN = 3


def nearest(about: Compared, others: tuple[Compared, ...], most: int = MOST) -> tuple[Compared, ...]:
    """Return those that are most like one improvement, the likest first; of equals those that came first."""
    words = telling(about.text)
    alike = sorted(others, key=lambda other: -likeness(words, telling(other.text)))
    return tuple(alike[:most])


def by_words(given: Comparison) -> Judgement:
    """Judge by rule, places, files and words."""
    known = {(one.one, one.other): one.relation for one in given.known}
    known |= {(one.other, one.one): one.relation.inverse for one in given.known}
    return Judgement(
        relations=tuple(
            _told(given.about, other, relation, "it is known already")
            if (relation := known.get((given.about.id, other.id)))
            else judged(given.about, other)
            for other in given.others
        )
    )


def judged(one: Compared, other: Compared) -> Judged:
    """Judge two improvements."""
    if reason := _same(one, other):
        evidence = (_quote(one), _quote(other))
        if stands_in(evidence[0], one) and stands_in(evidence[1], other):
            return _told(one, other, Relation.DUPLICATE, reason, evidence)
        return _told(one, other, Relation.RELATED, reason)
    if shared := _shared_files(one, other):
        reason = f"both are about {', '.join(shared[:SHOWN])}"
        return _told(one, other, Relation.RELATED, _short(reason), tuple(map(_short, shared[:SHOWN])))
    alike = likeness(telling(one.why), telling(other.why))
    if alike >= ALIKE:
        return _told(
            one, other, Relation.RELATED, f"they share {round(alike * 100)} % of their telling words"
        )
    return _told(one, other, Relation.UNRELATED, "they share no file, and few of their words")


def _same(one: Compared, other: Compared) -> str:
    """Say in what two are the same; nothing where they are not."""
    if one.asked and other.asked:
        words = telling(one.why)
        return "it is asked for in the same words" if words and words == telling(other.why) else ""
    if one.asked or other.asked or not one.files or not one.sites:
        return ""
    same = (one.rule, one.sites, one.files) == (other.rule, other.sites, other.files)
    return "the same rule at the same places" if same else ""


def _shared_files(one: Compared, other: Compared) -> tuple[str, ...]:
    """Return the files of both, also where one of them only names a file of the other."""
    shared = dict.fromkeys(path for path in one.files if path in other.files)
    for first, second in ((one, other), (other, one)):
        named = words_of(f"{first.title} {first.why}")
        shared |= dict.fromkeys(path for path in second.files if path.casefold() in named)
    return tuple(shared)


def _quote(one: Compared) -> str:
    """Return words of an improvement: what is asked for, else the rule with the first place."""
    words = " ".join(one.why.split() if one.asked else (one.rule, *one.files[:1]))
    return words if len(words) <= QUOTE else words[:QUOTE].rpartition(" ")[0]


def _short(text: str) -> str:
    return text if len(text) <= QUOTE else f"{text[: QUOTE - 1]}…"


def _told(
    one: Compared, other: Compared, relation: Relation, reason: str, evidence: tuple[str, ...] = ()
) -> Judged:
    return Judged(one=one.id, relation=relation, other=other.id, reason=reason, evidence=evidence)


COMPARE = Action("judge_relations", Comparison, Judgement, template("judge_relations"), problems, by_words)
