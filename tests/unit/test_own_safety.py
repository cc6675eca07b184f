"""What keeps this product safe changes only with a person, at any autonomy."""

from dataclasses import replace
from pathlib import Path

import pytest

from events.improvement import IMPROVEMENT
from events.improvement_facts import Blocked, ChangeApproved
from schemas.improvement import Status
from schemas.risk import RiskClass
from services.devops.policy import Circumstances, assess
from services.gates.own_safety import needs_a_person
from tests import projection_facts as f
from tests.rules import of

ROOT = Path(__file__).parents[2]
PROVEN = replace(
    of(IMPROVEMENT).given(f.discovered()).state,
    status=Status.TESTING_COMPLETE,
    design=f.designed(),
    verdict=f.validated(),
)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("services/prompting/fence.py", "prompts"),
        ("services/prompting/prompts/untrusted.md", "prompts"),
        ("services/architect/prompts/plan.md", "prompts"),
        ("services/gates/weakening.py", "gates"),
        ("services/qa/standalone.py", "gates"),
        ("services/sandbox/bubblewrap.py", "the sandbox"),
        ("services/workspace/suites/report_plugin.py", "the sandbox"),
        ("events/rights.py", "permissions"),
        ("nats/users.conf", "permissions"),
        ("nats/streams/aps.json", "permissions"),
        ("services/engines/port.py", "AI settings"),
        ("services/asking/asker.py", "AI settings"),
        ("services/runtime/settings.py", "AI settings"),
        ("services/masking/shapes.py", "what is kept secret"),
        ("services/devops/policy.py", "what decides on landing"),
        ("CLAUDE.md", "instructions to engines"),
        ("pkg/.claude/settings.json", "instructions to engines"),
        (".github/copilot-instructions.md", "instructions to engines"),
        (".mcp.json", "instructions to engines"),
    ],
)
def test_a_change_of_what_keeps_it_safe_waits_for_a_person(path: str, what: str) -> None:
    assert needs_a_person(["a.py", path]) == f"it touches {what} ({path})"


@pytest.mark.parametrize(
    "path",
    [
        "toolz/dicttoolz.py", "nats/aio/client.py", "src/prompts.py", "docs/claude.rst",
        "services/pm/agent.py",
        "tests/test_gates.py", "pkg/services/gates/a.py", "README.md",
    ],
)  # fmt: skip
def test_ordinary_changes_do_not(path: str) -> None:
    assert needs_a_person([path]) is None


@pytest.mark.parametrize(
    "path",
    [
        "services/prompting/prompts", "services/gates", "services/qa", "services/gherkin", "services/sandbox",
        "services/workspace/suites/suite.py", "services/workspace/suites/report_plugin.py",
        "events/rights.py", "events/catalogue.py", "nats/users.conf", "services/engines",
        "services/runtime/settings.py", "services/masking", "services/vault", "services/devops",
        "services/architect/risk.py", "schemas/risk.py",
    ],
)  # fmt: skip
def test_the_table_names_what_is_there(path: str) -> None:
    assert (ROOT / path).exists()
    assert needs_a_person([f"{path}/x.md" if (ROOT / path).is_dir() else path])


@pytest.mark.parametrize("autonomy", list(RiskClass))
def test_it_waits_at_any_autonomy(autonomy: RiskClass) -> None:
    verdict = f.validated().model_copy(update={"files": ("a.py", "services/gates/size.py")})
    state = replace(PROVEN, verdict=verdict)
    decision = assess("imp-1", state, Circumstances(autonomy, dry_run=False))
    assert decision == Blocked(
        reason="it touches gates (services/gates/size.py): whatever the autonomy, a person decides",
        needs="a person: aps improvements approve imp-1",
    )


def test_what_is_ordinary_lands_as_before() -> None:
    decision = assess("imp-1", PROVEN, Circumstances(RiskClass.LOW, dry_run=False))
    assert isinstance(decision, ChangeApproved)
