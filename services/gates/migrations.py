"""The gate on how the database is migrated: forward, back and forward again, and nothing behind one's back.

Rules
1. What `migration_history` finds is refused before anything is run.
2. On a scratch SQLite database, from nothing: the migrations of the source before the change go up; then the
   new ones go up, down, which leaves the database as it was before them, and up again; and all of them go up
   at once from nothing.
3. The models ask for nothing that no migration does, but for what they asked for before.
4. A migration that cannot be taken back is refused, unless the plan declares it.
5. What could not be tried is said so, and a person decides: it never passes in silence.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from schemas.improvement import GateResult
from services.gates.evidence import counted, listed, verdict
from services.gates.migration_history import History
from services.workspace.migrations.outcome import Ran, Went
from services.workspace.migrations.tool import Revision, Tool, heads

MIGRATIONS = "migrations"
VERSION = "1"
NO_TOOL = "the target has no migration tool"
UNTOUCHED = "no migration and no model is touched"
NOT_TAKEN = Ran(Went.FAILED, ("it was not tried",))


@dataclass(frozen=True)
class Trial:
    """What was seen of one tool's migrations.

    `why_not` says why nothing was. `base` went up before the change; then `up`, `down`, `again` and, from
    nothing, `fresh` with it. `asked` and `asks` compare the models with the migrations before and after.
    """

    why_not: str = ""
    base: Ran = NOT_TAKEN
    asked: Ran = NOT_TAKEN
    up: Ran = NOT_TAKEN
    down: Ran = NOT_TAKEN
    again: Ran = NOT_TAKEN
    fresh: Ran = NOT_TAKEN
    asks: Ran = NOT_TAKEN


@dataclass(frozen=True)
class _Said:
    """What the gate has to say."""

    offences: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    person: list[str] = field(default_factory=list)


def declared_among(new: Sequence[Revision], irreversible: Collection[str]) -> list[Revision]:
    """Return the migrations that a plan declares to be irreversible, by path, file or own name."""
    said = set(irreversible)
    return [one for one in new if said & {one.path, PurePosixPath(one.path).name, one.name}]


def migrations(
    tried: Sequence[tuple[History, Trial]], irreversible: Collection[str] = (), *, otherwise: str = UNTOUCHED
) -> GateResult:
    """Judge the migrations of each tool; `otherwise` says why there are none to judge.

    `irreversible` names those that the plan declares to be so.
    """
    said = _Said()
    for history, trial in tried:
        if history.offences:
            said.offences.extend(history.offences)
        elif why := _untried(trial):
            said.person.append(why)
            said.seen.append(f"not tried: {why}")
        else:
            _judge(history, trial, irreversible, said)
    result = verdict(MIGRATIONS, VERSION, said.offences, "; ".join(said.seen) or otherwise)
    return result.model_copy(update={"person": "; ".join(said.person)})


def _untried(trial: Trial) -> str:
    if trial.why_not:
        return trial.why_not
    for ran in (trial.base, trial.up, trial.fresh, trial.asks):
        if ran.went is Went.ELSEWHERE:
            return f"its database is {ran.why}, and migrations can be tried on SQLite only"
    if trial.base.went is not Went.WELL:
        return f"the migrations before the change do not go up on SQLite: {trial.base.why}"
    return ""


def _judge(history: History, trial: Trial, irreversible: Collection[str], said: _Said) -> None:
    new = history.new
    if new:
        declared = declared_among(new, irreversible)
        offence = (
            _forward(history, new, trial)
            or (_declared(declared, said) if declared else _back(new, trial, said))
            or _from_nothing(new, trial)
        )
        if offence:
            said.offences.append(offence)
            return
        said.seen.append(f"{counted(len(new), 'migration')} tried on SQLite")
    if offence := _asked(new, trial, said):
        said.offences.append(offence)


def _forward(history: History, new: Sequence[Revision], trial: Trial) -> str:
    """Rule 2, the way up."""
    if trial.up.went is not Went.WELL:
        return f"{_stuck(new, trial.up).path}: going up fails: {trial.up.why}"
    wanted = {one.name for one in new}
    if history.how.tool is Tool.ALEMBIC:  # it counts heads alone
        wanted = {name for names in heads(history.now.values()).values() for name in names}
    if missing := wanted - _names(trial.up):
        return f"after going up the tool does not count {listed(sorted(missing))} as applied"
    return ""


def _declared(declared: Sequence[Revision], said: _Said) -> str:
    paths = listed([one.path for one in declared])
    said.seen.append(f"{paths} cannot be taken back, as the plan declares")
    return ""


def _back(new: Sequence[Revision], trial: Trial, said: _Said) -> str:
    """Rules 2 and 4, the way down and up again."""
    base, up, down, again = trial.base, trial.up, trial.down, trial.again
    if down.went is not Went.WELL:
        culprit = next((one for one in new if one.name in _names(down)), new[0])
        return f"{culprit.path}: it cannot be taken back, and the plan does not declare that: {down.why}"
    if (down.schema, down.applied) != (base.schema, base.applied):
        return f"{new[0].path}: going down does not lead back: {_difference(base, down)}"
    if again.went is not Went.WELL:
        return f"{_stuck(new, again).path}: after going down it does not go up again: {again.why}"
    if again.schema != up.schema:
        return f"{new[0].path}: after going down and up again: {_difference(up, again)}"
    said.seen.append("up, down to the very schema before, and up again")
    return ""


def _from_nothing(new: Sequence[Revision], trial: Trial) -> str:
    fresh, up = trial.fresh, trial.up
    if fresh.went is not Went.WELL:
        return f"{new[0].path}: an empty database cannot be migrated any more: {fresh.why}"
    if fresh.schema != up.schema:
        return f"{new[0].path}: an empty database becomes another one: {_difference(up, fresh)}"
    return ""


def _asked(new: Sequence[Revision], trial: Trial, said: _Said) -> str:
    """Rule 3."""
    asked, asks = trial.asked, trial.asks
    if asks.went is Went.UNKNOWN or asks.went is asked.went is Went.FAILED:
        said.seen.append(f"models and migrations could not be compared: {asks.why}")
        return ""
    if asks.went is Went.FAILED:
        return f"comparing the models with the migrations fails: {asks.why}"
    before = set(asked.said) if asked.went is Went.DIFFERS else set()
    wanting = [one for one in asks.said if one not in before]
    if not wanting:
        said.seen.append("the models ask for nothing more")
        return ""
    what = "the new migrations leave out" if new else "the models changed, and no migration was written for"
    return f"{what} {listed(wanting)}"


def _names(ran: Ran) -> set[str]:
    """What the tool counts as applied, by name; Django's have their application before it."""
    return {name.partition(".")[2] or name for name in ran.applied}


def _stuck(new: Sequence[Revision], ran: Ran) -> Revision:
    """The migration that was next when going up ended."""
    stuck = new[0]
    for one in new:  # newest first
        if one.name in _names(ran):
            break
        stuck = one
    return stuck


def _difference(before: Ran, after: Ran) -> str:
    gone, more = sorted(before.schema - after.schema), sorted(after.schema - before.schema)
    said = [f"missing {listed(gone, 3)}"] if gone else []
    said += [f"left over {listed(more, 3)}"] if more else []
    counted_now = listed(sorted(after.applied)) or "nothing"
    return "; ".join(said) or f"the tool counts {counted_now} as applied"
