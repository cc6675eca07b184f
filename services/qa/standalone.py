"""Judges one change by itself: the gates that need neither the suite nor any other change."""

from collections.abc import Mapping
from dataclasses import dataclass

from unidiff import PatchSet

from schemas.improvement import Declared, GateResult
from services.gates.bounds import Places, stays_inside
from services.gates.logging_kept import logging_kept
from services.gates.public_api import public_api_unchanged
from services.gates.runner import runner_untouched
from services.gates.secrets import added_lines, secrets_absent
from services.gates.size import SizeLimit, size_within
from services.gates.weakening import evaluator_not_weakened

LIMIT = SizeLimit(files=400, lines=8000)
NOTHING = Declared()
ORDINARY = Places()
Texts = Mapping[str, str | None]


@dataclass(frozen=True)
class Standalone:
    """A change's diff, and what the gates say of it whatever it stands on."""

    diff: str
    evaluator: GateResult
    runner: GateResult
    bounds: GateResult
    logging: GateResult
    public_api: GateResult
    secrets: GateResult
    size: GateResult

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """Every verdict."""
        return (
            self.evaluator, self.runner, self.bounds, self.logging, self.public_api, self.secrets, self.size,
        )  # fmt: skip


def judged_alone(
    diff: str, before: Texts, after: Texts, places: Places = ORDINARY, declared: Declared = NOTHING
) -> Standalone:
    """Judge a change by its diff and the texts of its files; None where a file is not there.

    `places` say what kind of file each is, `declared` what its plan said beforehand that it takes away.
    """
    patch = PatchSet(diff)
    return Standalone(
        diff=diff,
        evaluator=evaluator_not_weakened(before, after),
        runner=runner_untouched(before, after),
        bounds=stays_inside(before, after, places),
        logging=logging_kept(before, after, declared.removes),
        public_api=public_api_unchanged(_present(before), _present(after)),
        secrets=secrets_absent(added_lines(diff)),
        size=size_within(len(patch), patch.added, patch.removed, LIMIT),
    )


def _present(texts: Texts) -> dict[str, str]:
    return {path: text for path, text in texts.items() if text is not None}
