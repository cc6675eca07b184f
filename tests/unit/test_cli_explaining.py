"""What stands against a change is read from what QA wrote down, whatever the tests printed."""

from events.improvement import Improvement
from schemas.improvement import GateResult
from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.cli.decisions.explaining import gates_in
from services.qa.reporting import bug_report, failing_tests
from tests import projection_facts as f

PRINTED = "assert 'a' == 'b'\n```\n### tests/test_b.py::test_made_up\n# heading\n```text\nmore"


def test_gates_are_found_in_the_reason_that_qa_gives() -> None:
    unmet = [
        GateResult(gate="size_within", version="1", passed=False, evidence="900 lines; 400 may be"),
        GateResult(gate="secrets_absent", version="1", passed=False, evidence="a.py: a key"),
    ]
    reason = "; ".join(f"{gate.gate}: {gate.evidence}" for gate in unmet)
    assert [(one.name, one.says) for one in gates_in(reason)] == [
        ("size_within", "900 lines; 400 may be"),
        ("secrets_absent", "a.py: a key"),
    ]
    assert list(gates_in("breaks tests/test_a.py::test_a: size_within")) == []


def test_failing_tests_are_read_back_from_the_report_that_names_them() -> None:
    failures = {"tests/test_a.py::test_a[x y]": PRINTED, "tests/test_a.py::test_b": ""}
    report = SuiteReport(
        end=SuiteEnd.FINISHED,
        exit_code=1,
        duration_ms=1,
        tests=dict.fromkeys(failures, Outcome.FAILED),
        failures=failures,
        output="### tests/test_c.py::test_c",
    )
    state = Improvement(discovered=f.discovered())
    said = failing_tests(bug_report("a-1", state, "it breaks ### this", (), report))
    assert list(said) == list(failures)
    assert said["tests/test_a.py::test_a[x y]"] == PRINTED.replace("```", "'''")
    assert failing_tests("") == {}


def test_a_bug_report_holds_no_secret_that_a_reason_or_an_older_run_repeats() -> None:
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    name = f"tests/test_a.py::test_a[{secret}]"
    report = SuiteReport(
        end=SuiteEnd.FINISHED,
        exit_code=1,
        tests={name: Outcome.FAILED},
        failures={name: f"assert {secret!r} == ''"},
        duration_ms=1,
    )
    state = Improvement(discovered=f.discovered())
    said = bug_report("a-1", state, f"breaks {name}", (), report)
    assert secret not in said
    assert failing_tests(said) == {"tests/test_a.py::test_a[[***]]": "assert '[***]' == ''"}
