"""Searches a target's source and turns what is found into ranked proposals."""

import importlib.metadata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import Discovered
from events.target import TARGET, ScanRequested, Target
from services.engines.deterministic.finding import Scan, find
from services.engines.deterministic.grouping import Proposal, propose, withheld
from services.engines.deterministic.rehearsal import rehearse
from services.engines.deterministic.rules import RuleSet, spoken, written_for
from services.pm.policy import improvement_id, inputs_digest, remembered, taken_up
from services.pm.remarks import python_remarks
from services.pm.standing import Standing
from services.runtime.log import Log
from services.workspace.environments.declared_python import python_at
from services.workspace.git.repository import Repository
from services.workspace.layout import import_packages, scope_remarks
from services.workspace.links import link_remarks

JSON = "application/json"
SOURCE = "deterministic"


@dataclass(frozen=True)
class Found:
    """What a scan of one commit gave: counts by rule, proposals in rank order, and remarks."""

    packages: tuple[str, ...]
    scan: Scan
    proposals: tuple[Proposal, ...]
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Findings by rule, over the import packages."""
        return dict(sorted(Counter(finding.rule for finding in self.scan.findings).items()))

    def report(self) -> bytes:
        """Return the whole of it as JSON."""
        return orjson.dumps(
            {
                "packages": self.packages,
                "findings": [finding.model_dump() for finding in self.scan.findings],
                "proposals": [proposal.model_dump(mode="json") for proposal in self.proposals],
                "notes": self.notes,
            }
        )


async def look(tree: Path, rules: tuple[str, ...]) -> Found:
    """Search the import packages of `tree`, executing nothing of it."""
    packages, declared = import_packages(tree), python_at(tree)
    selection = RuleSet(select=rules, written_for=written_for(declared.oldest))
    scan = await find(tree, packages, selection)
    rehearsed = await rehearse(tree, packages, scan, selection)
    proposals = propose(scan, rehearsed, packages, selection)
    newer = {rule: len(places) for rule, places in withheld(scan, rehearsed, selection).items()}
    remarks = (*link_remarks(tree), *python_remarks(declared, spoken(selection.written_for), newer))
    notes = (*scope_remarks(packages), *scan.notes, *remarks)
    return Found(packages, scan, proposals, notes)


@dataclass(frozen=True)
class Selection:
    """What of a scan becomes work: new discoveries, improvements that stood before, rules remembered."""

    new: tuple[tuple[str, Discovered], ...]
    known: tuple[str, ...]
    remembered: dict[str, str]

    @property
    def improvements(self) -> tuple[str, ...]:
        """All ids, in rank order."""
        return (*self.known, *(id for id, _ in self.new))


async def select(
    book: Log,
    repository: Repository,
    target: str,
    request: ScanRequested,
    found: Found,
    standing: Mapping[str, Standing],
) -> Selection:
    """Choose what to take up: up to the limit of the request, without what was refused or is `standing`."""
    state = await book.state(TARGET, target)
    earlier = await _earlier(book, state)
    blobs = {path: entry.sha for path, entry in (await repository.entries(request.base)).items()}
    tool = importlib.metadata.version("ruff")
    proposals: dict[str, Proposal] = {}
    inputs: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for proposal in found.proposals:
        id = improvement_id(target, request.base, proposal.rule)
        inputs[id] = inputs_digest(proposal.rule, tool, ((path, blobs[path]) for path in proposal.files))
        if id not in earlier and proposal.rule in standing:
            skipped[proposal.rule] = standing[proposal.rule].why
        elif id not in earlier and (why := remembered(inputs[id], earlier.items())):
            skipped[proposal.rule] = why
        else:
            proposals[id] = proposal
    chosen = taken_up(tuple(proposals), earlier, request.limit)
    ranks = {id: rank for rank, id in enumerate(proposals, start=1)}
    new = [
        (id, await _discovered(book, target, request, proposals[id], inputs[id], ranks[id]))
        for id in chosen
        if id not in earlier
    ]
    return Selection(tuple(new), tuple(id for id in chosen if id in earlier), skipped)


async def _earlier(book: Log, target: Target) -> dict[str, Improvement]:
    ids = [id for scan in target.scans.values() if scan.done for id in scan.done.improvements]
    return {id: await book.state(IMPROVEMENT, id) for id in dict.fromkeys(ids)}


async def _discovered(
    book: Log, target: str, request: ScanRequested, proposal: Proposal, inputs: str, rank: int
) -> Discovered:
    sites = orjson.dumps([site.model_dump() for site in proposal.sites])
    return Discovered(
        target=target,
        scan=request.scan,
        base=request.base,
        rank=rank,
        source=SOURCE,
        rule=proposal.rule,
        title=proposal.title,
        why=proposal.why,
        category=proposal.category.value,
        expected=proposal.expected,
        files=proposal.files,
        sites=await book.keep(sites, f"{proposal.rule}-sites.json", JSON),
        inputs=inputs,
    )
