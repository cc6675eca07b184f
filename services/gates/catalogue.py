"""Every gate by name, with its version and what it protects: the source of the documentation's table."""

from dataclasses import dataclass

from services.gates import (
    behaviours,
    bounds,
    coverage,
    logging_kept,
    migrations,
    public_api,
    runner,
    secrets,
    size,
    suite,
    weakening,
)


@dataclass(frozen=True)
class Gate:
    """A gate as people know it. A change of what it demands raises `version`."""

    name: str
    version: str
    protects: str


GATES: tuple[Gate, ...] = (
    Gate(
        behaviours.BEHAVIOURS_SHOWN,
        behaviours.VERSION,
        "each behaviour that was asked for is shown by tests that fail without the change; "
        "where only tests were asked for, by new ones that run what none ran before; "
        "where what is there is bettered, by tests that pass before and after, and a person decides",
    ),
    Gate(
        suite.SUITE_NO_WORSE,
        suite.VERSION,
        "every test that passed still passes; none vanished or is newly skipped",
    ),
    Gate(size.FINDINGS_GONE, size.VERSION, "the findings are really gone, not suppressed"),
    Gate(
        weakening.EVALUATOR_NOT_WEAKENED,
        weakening.VERSION,
        "tests, their settings and build server files judge as strictly as before",
    ),
    Gate(
        runner.RUNNER_UNTOUCHED,
        runner.VERSION,
        "nothing takes the test runner's place, ends it early, speaks for it, or brings results along",
    ),
    Gate(
        bounds.STAYS_INSIDE,
        bounds.VERSION,
        "no link leads out of the repository, and no submodule, filter, hook or git setting comes",
    ),
    Gate(
        logging_kept.LOGGING_KEPT,
        logging_kept.VERSION,
        "no log line, raised error or check vanishes from a function that stays, unless the plan declares it",
    ),
    Gate(
        suite.ORIGINAL_TESTS_PASS, suite.VERSION, "where test files were edited, the original ones pass too"
    ),
    Gate(
        public_api.PUBLIC_API_UNCHANGED,
        public_api.VERSION,
        "what others import stays, and can be called as before",
    ),
    Gate(
        coverage.NO_NEWLY_UNCOVERED,
        coverage.VERSION,
        "no line goes unexecuted where its forerunners were executed",
    ),
    Gate(
        migrations.MIGRATIONS,
        migrations.VERSION,
        "the database is migrated there and back, no old migration is edited, and none is wanting",
    ),
    Gate(secrets.SECRETS_ABSENT, secrets.VERSION, "no secret is added"),
    Gate(size.SIZE_WITHIN, size.VERSION, "a person can review the change"),
    Gate(suite.SCENARIOS_PASS, suite.VERSION, "every scenario of the requirements was executed and passed"),
)
