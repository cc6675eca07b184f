"""What the world was at a moment, as its events tell: targets, branches, commits and artefacts they name.

Pure. Rules
1. Commits and artefacts are taken from the stored bytes, so that no fact can be forgotten: every whole
   commit id and every `sha256` named in an event up to then counts.
2. A release branch stands where the last deployment put it. Before the first one it stood where that one
   found it, whoever put it there.
"""

import re
from dataclasses import dataclass, field

from events.catalogue import read_fact
from events.deployment import DEPLOYMENT, RolledBack, Started, StepCompleted, Succeeded
from events.fact import Fact
from events.store import Recorded
from events.target import TARGET, Registered, ScanRequested
from events.upcasting import UnknownFact

COMMIT = re.compile(rb'"([0-9a-f]{40})"')
ARTEFACT = re.compile(rb'"sha256":"([0-9a-f]{64})"')
APPLY = "apply"


@dataclass
class Then:
    """One target: `path` as recorded, the commits that were scanned, the branch that was checked out.

    `tip` is where the release branch stood, None for no branch; `is_known` is false while no deployment told.
    """

    path: str
    bases: list[str] = field(default_factory=list)
    branch: str = ""
    tip: str | None = None
    is_known: bool = False


@dataclass
class Moment:
    """All that was so far, growing event by event."""

    targets: dict[str, Then] = field(default_factory=dict)
    commits: set[str] = field(default_factory=set)
    artefacts: set[str] = field(default_factory=set)
    _deployments: dict[str, Started] = field(default_factory=dict)

    def name(self, body: bytes) -> None:
        """Take what the bytes of an event name."""
        self.commits.update(found.decode() for found in COMMIT.findall(body))
        self.artefacts.update(found.decode() for found in ARTEFACT.findall(body))

    def add(self, event: Recorded) -> None:
        """Take what an event says; one that this program cannot read says nothing."""
        aggregate, _, id = event.envelope.subject.partition("/")
        if aggregate not in (TARGET.name, DEPLOYMENT.name):
            return
        try:
            fact = read_fact(event.envelope)
        except UnknownFact:
            return
        if aggregate == TARGET.name:
            self._of_target(id, fact)
        else:
            self._of_deployment(id, fact)

    def _of_target(self, id: str, fact: Fact) -> None:
        match fact:
            case Registered(path=path):
                self.targets.setdefault(id, Then(path))
            case ScanRequested(base=base, branch=branch) if id in self.targets:
                self.targets[id].bases.append(base)
                self.targets[id].branch = branch
            case _:
                pass

    def _of_deployment(self, id: str, fact: Fact) -> None:
        if isinstance(fact, Started):
            self._deployments[id] = fact
            self._stands(fact, fact.expected)
        started = self._deployments.get(id)
        if started is None:
            return
        match fact:
            case StepCompleted(step=step) if step == APPLY:
                self._stands(started, started.tip)
            case Succeeded(tip=tip) | RolledBack(tip=tip):
                self._stands(started, tip)
                del self._deployments[id]
            case _:
                pass

    def _stands(self, started: Started, tip: str) -> None:
        if started.target in self.targets:
            self.targets[started.target].tip = tip or None
            self.targets[started.target].is_known = True

    def later(self, event: Recorded) -> bool:
        """Learn from an event after the moment where branches stood; return whether more must be read."""
        if event.envelope.address.aggregate == DEPLOYMENT.name:
            try:
                fact = read_fact(event.envelope)
            except UnknownFact:
                return self.has_open
            target = self.targets.get(fact.target) if isinstance(fact, Started) else None
            if isinstance(fact, Started) and target is not None and not target.is_known:
                self._stands(fact, fact.expected)
        return self.has_open

    @property
    def has_open(self) -> bool:
        """Whether no deployment told yet where some release branch stood."""
        return any(not target.is_known for target in self.targets.values())
