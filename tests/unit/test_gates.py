"""Each gate passes what is harmless, refuses what is not, and says what it saw."""

import pytest

from schemas.improvement import ScenarioResult, StepResult
from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.gates.catalogue import GATES
from services.gates.coverage import no_newly_uncovered
from services.gates.secrets import AddedLine, added_lines, secrets_absent
from services.gates.size import SizeLimit, findings_gone, size_within
from services.gates.suite import original_tests_pass, scenarios_pass, suite_no_worse


def report(end: SuiteEnd = SuiteEnd.FINISHED, exit_code: int | None = None, **tests: str) -> SuiteReport:
    outcomes = {name: Outcome(outcome) for name, outcome in sorted(tests.items())}
    failed = any(o in (Outcome.FAILED, Outcome.ERROR) for o in outcomes.values())
    return SuiteReport(
        end=end, exit_code=failed if exit_code is None else exit_code, tests=outcomes, duration_ms=1
    )


def test_a_suite_that_is_the_same_is_no_worse() -> None:
    same = report(a="passed", b="xfailed", c="skipped", d="failed", e="xpassed")
    result = suite_no_worse(same, (), same)
    assert result.passed
    assert "1 failed before and still fail" in result.evidence


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("xfailed", "passed"),
        ("skipped", "passed"),
        ("failed", "passed"),
        ("failed", "error"),
        ("error", "failed"),
    ],
)
def test_a_test_may_get_better_or_stay_as_bad(was: str, now: str) -> None:
    assert suite_no_worse(report(a=was), (), report(a=now)).passed


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("passed", "failed", "1 test newly failing: a"),
        ("passed", "error", "newly failing"),
        ("passed", "skipped", "newly skipped"),
        ("passed", "xfailed", "newly expected to fail"),
        ("passed", "xpassed", "newly expected to fail"),
        ("xfailed", "failed", "newly failing"),
        ("skipped", "failed", "newly failing"),
        ("failed", "skipped", "newly skipped"),
        ("failed", "xfailed", "newly expected to fail"),
    ],
)
def test_a_test_may_not_get_worse(was: str, now: str, said: str) -> None:
    result = suite_no_worse(report(a=was, b="passed"), (), report(a=now, b="passed"))
    assert not result.passed
    assert said in result.evidence


@pytest.mark.parametrize("was", ["passed", "failed", "skipped"])
def test_a_test_may_not_vanish(was: str) -> None:
    result = suite_no_worse(report(a=was, b="passed"), (), report(b="passed"))
    assert not result.passed
    assert "1 test vanished: a" in result.evidence


def test_a_new_test_may_come_unless_it_fails() -> None:
    assert suite_no_worse(report(a="passed"), (), report(a="passed", b="passed")).passed
    assert not suite_no_worse(report(a="passed"), (), report(a="passed", b="failed")).passed


def test_a_flaky_test_is_excused_and_counted() -> None:
    result = suite_no_worse(report(a="passed", b="passed"), {"a"}, report(a="failed", b="passed"))
    assert result.passed
    assert "1 flaky test excused" in result.evidence


@pytest.mark.parametrize("end", [end for end in SuiteEnd if end is not SuiteEnd.FINISHED])
def test_a_run_that_did_not_finish_is_worse(end: SuiteEnd) -> None:
    assert not suite_no_worse(report(a="passed"), (), report(end, a="passed")).passed


def test_a_suite_that_always_hangs_can_prove_nothing() -> None:
    hung = report(SuiteEnd.TIMED_OUT, exit_code=-9)
    assert not suite_no_worse(hung, (), hung).passed


def test_a_target_without_tests_is_no_worse_and_said_to_be_no_proof() -> None:
    nothing = report(SuiteEnd.NOTHING_COLLECTED, exit_code=5)
    result = suite_no_worse(nothing, (), nothing)
    assert result.passed
    assert "no proof" in result.evidence


def test_a_run_that_fails_without_a_failing_test_is_worse() -> None:
    result = suite_no_worse(report(a="passed"), (), report(a="passed", exit_code=1))
    assert not result.passed
    assert "exit code 1" in result.evidence


def test_the_original_tests_matter_only_when_test_files_were_edited() -> None:
    good, bad = report(a="passed"), report(a="failed")
    assert original_tests_pass((), good, (), None).passed
    assert original_tests_pass(("test_a.py",), good, (), good).passed
    assert not original_tests_pass(("test_a.py",), good, (), bad).passed
    assert not original_tests_pass(("test_a.py",), good, (), None).passed


def test_a_failing_step_or_no_scenario_at_all_is_refused() -> None:
    def scenario(passed: bool) -> ScenarioResult:
        step = StepResult(keyword="Then", text="it holds", passed=passed, evidence="seen")
        return ScenarioResult(name="s", steps=(step,))

    assert scenarios_pass([scenario(True)]).passed
    assert not scenarios_pass([scenario(True), scenario(False)]).passed
    assert not scenarios_pass([]).passed


def test_a_change_within_the_size_limit_passes_and_one_beyond_it_does_not() -> None:
    limit = SizeLimit(files=2, lines=10)
    assert size_within(2, 6, 4, limit).passed
    assert not size_within(3, 1, 1, limit).passed
    assert not size_within(1, 6, 5, limit).passed


@pytest.mark.parametrize(
    ("expected", "before", "after", "suppressed", "passed"),
    [(5, 5, 0, 0, True), (3, 5, 1, 0, True), (5, 5, 1, 0, False), (5, 5, 0, 1, False), (0, 5, 5, 0, False)],
)
def test_findings_count_as_gone_only_when_fixed(
    expected: int, before: int, after: int, suppressed: int, passed: bool
) -> None:
    assert findings_gone(expected, before, after, suppressed).passed is passed


DIFF = """\
--- a/pkg/m.py
+++ b/pkg/m.py
@@ -1,4 +1,5 @@
 def f(x):
-    if x:
-        return 1
+    y = bool(x)
+    if y:
+        return 1
     return 2
"""


def covered(covered: tuple[int, ...], missing: tuple[int, ...]) -> SuiteReport:
    return report(a="passed").model_copy(
        update={"covered": {"pkg/m.py": covered}, "missing": {"pkg/m.py": missing}}
    )


def test_a_written_line_that_is_not_executed_in_place_of_executed_ones_is_refused() -> None:
    result = no_newly_uncovered(covered((1, 2, 3, 4), ()), covered((1, 2, 3, 5), (4,)), DIFF, measured=True)
    assert not result.passed
    assert result.evidence == "pkg/m.py:4 is not executed"


def test_a_line_that_was_not_executed_before_need_not_be_executed_after() -> None:
    result = no_newly_uncovered(covered((1, 2, 4), (3,)), covered((1, 2, 3, 5), (4,)), DIFF, measured=True)
    assert result.passed


def test_a_line_added_among_unexecuted_ones_is_no_offence_and_among_executed_ones_is() -> None:
    diff = "--- a/pkg/m.py\n+++ b/pkg/m.py\n@@ -1,2 +1,3 @@\n def f(x):\n+    y = x\n     return 2\n"
    after = covered((1,), (2, 3))
    assert no_newly_uncovered(covered((1,), (2,)), after, diff, measured=True).passed
    assert not no_newly_uncovered(covered((1, 2), ()), after, diff, measured=True).passed


def test_unmeasured_coverage_passes_and_says_that_it_was_not_measured() -> None:
    result = no_newly_uncovered(report(), report(), DIFF, measured=False, why_not="no coverage package")
    assert result.passed
    assert result.evidence == "not measured: no coverage package"


def line(text: str) -> AddedLine:
    return AddedLine("a.py", 3, text)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN RSA PRIVATE KEY-----",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ghp_" + "a1B2" * 9,
        "xoxb-" + "123456789012-abcdef",
        "postgres://root:" + "hunter2hunter@db/x",
    ],
)
def test_a_known_token_shape_is_refused_and_its_value_not_shown(secret: str) -> None:
    result = secrets_absent([line(f"x = '{secret}'")])
    assert not result.passed
    assert secret not in result.evidence
    assert "a.py:3" in result.evidence


def test_an_assigned_value_that_looks_random_is_refused() -> None:
    value = "q8Zr2" + "Lw0pXv7"
    assert not secrets_absent([line(f'db_password = "{value}"')]).passed
    assert not secrets_absent([line(f'{{"api_key": "{value}"}}')]).passed
    assert not secrets_absent([line(f'TOKEN: str = "{value}"')]).passed


@pytest.mark.parametrize(
    "text",
    [
        'password = "changeme-please"',
        'token = os.environ["SERVICE_TOKEN"]',
        'secret = "${SECRET_FROM_VAULT_1}"',
        'password = ""',
        "tokens = tokenize(text)",
        'url = f"postgres://{user}:{password}@db"',
        'title = "q8Zr2Lw0pXv7"',
    ],
)
def test_ordinary_code_about_passwords_passes(text: str) -> None:
    assert secrets_absent([line(text)]).passed


def test_only_added_lines_of_a_diff_are_read() -> None:
    assert [(one.path, one.number, one.text) for one in added_lines(DIFF)] == [
        ("pkg/m.py", 2, "    y = bool(x)"),
        ("pkg/m.py", 3, "    if y:"),
        ("pkg/m.py", 4, "        return 1"),
    ]


def test_every_gate_is_listed_once_with_what_it_protects() -> None:
    names = [gate.name for gate in GATES]
    assert len(names) == len(set(names)) == 14
    assert all(gate.version and gate.protects for gate in GATES)
