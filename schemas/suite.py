"""What a run of a target's test suite showed."""

from enum import StrEnum

from schemas.base import Frozen


class Outcome(StrEnum):
    """The result of one test, in pytest's words."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


class SuiteEnd(StrEnum):
    """How a suite run ended, whatever its tests said."""

    FINISHED = "finished"
    NOTHING_COLLECTED = "nothing_collected"
    COLLECTION_FAILED = "collection_failed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"


class SuiteReport(Frozen):
    """One suite run: outcome by test id (sorted), how it ended and how long it took.

    `assertions` is not claimed: only what pytest reported. `failures` maps a failing test id to the
    last lines of its report; `output` keeps the tail of what the run printed. `covered` and
    `missing` list executed and unexecuted line numbers by source path, empty when coverage was not
    measured. `notes` say which of the target's settings the run did without.
    """

    end: SuiteEnd
    exit_code: int
    tests: dict[str, Outcome]
    failures: dict[str, str] = {}
    duration_ms: int
    output: str = ""
    notes: tuple[str, ...] = ()
    covered: dict[str, tuple[int, ...]] = {}
    missing: dict[str, tuple[int, ...]] = {}

    @property
    def passed(self) -> int:
        """Tests that passed or failed as expected."""
        return sum(o in (Outcome.PASSED, Outcome.XFAILED) for o in self.tests.values())

    @property
    def failed(self) -> int:
        """Tests that failed, erred, or passed against a strict expectation."""
        return sum(o in (Outcome.FAILED, Outcome.ERROR) for o in self.tests.values())
