"""The documents rendered at each handoff."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example as hypothesis_example
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from events.improvement_facts import ChangeImplemented, ImprovementFact
from schemas.aps import Document, Message, Process
from schemas.aps_vocabulary import Phase
from services.documents import example
from services.documents.export import process_document
from services.documents.features import NoFeature, scenarios
from services.documents.generate import ROOT, differing, main
from services.documents.reading import read
from services.documents.render import NotReached, document, file_name, render
from services.documents.strict import breaches, write

SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas/json/aps.schema.json").read_text("utf-8")))
WRITTEN = [fact for fact in example.FACTS if isinstance(fact, ChangeImplemented)]
HANDOFFS: list[tuple[Phase, ImprovementFact, str, str]] = [
    (Phase.REQUIREMENTS, example.SPECIFIED, "PM_Agent", "Architect_Agent"),
    (Phase.ARCHITECTURE, example.DESIGNED, "Architect_Agent", "Developer_Agent"),
    (Phase.IMPLEMENTATION, WRITTEN[0], "Developer_Agent", "QA_Agent"),
    (Phase.BUG_REPORT, example.REFUTED, "QA_Agent", "Developer_Agent"),
    (Phase.IMPLEMENTATION, WRITTEN[1], "Developer_Agent", "QA_Agent"),
    (Phase.TEST_RESULTS, example.VALIDATED, "QA_Agent", "DevOps_Agent"),
    (Phase.DEPLOYMENT, example.FACTS[12], "DevOps_Agent", "Deployer"),
    (Phase.DEPLOYMENT, example.DEPLOYED, "Deployer", "PM_Agent"),
]


@pytest.mark.parametrize(("phase", "fact", "sender", "receiver"), HANDOFFS)
def test_a_phase_document_is_strict_and_reads_back_equal(
    phase: Phase, fact: ImprovementFact, sender: str, receiver: str
) -> None:
    before, state, at = example.after(fact)
    text = render(phase, example.ID, state, at, example.FEATURE, before.claim)
    SCHEMA.validate(yaml.safe_load(text))
    reading = read(text)
    assert reading.remarks == ()
    assert reading.document == document(phase, example.ID, state, at, example.FEATURE, before.claim)
    (message,) = reading.document.message
    assert (message.sender, message.to) == (sender, receiver)
    assert reading.document.process is not None
    assert reading.document.process.known_status is state.status
    assert reading.document.process.scenarios[0].name == "The findings are gone"
    assert text == render(phase, example.ID, state, at, example.FEATURE, before.claim)


def test_the_claim_of_the_phase_names_who_finished_it() -> None:
    before, state, at = example.after(example.DESIGNED)
    assert before.claim is not None
    (claim,) = document(Phase.ARCHITECTURE, example.ID, state, at, claim=before.claim).claim
    assert (claim.agent_id, claim.process_id, claim.status) == ("architect-1", example.ID, "completed")


def test_artifacts_name_their_digest() -> None:
    _, state, at = example.after(example.VALIDATED)
    (message,) = document(Phase.TEST_RESULTS, example.ID, state, at).message
    assert message.artifacts[0].path == f"artefact:{example.VALIDATED.report.sha256}"
    assert [entry.type for entry in message.artifacts] == ["test_results", "suite", "implementation"]


def test_a_refused_change_leaves_the_implementation_pending_again() -> None:
    def status(fact: ImprovementFact) -> list[str]:
        _, state, at = example.after(fact)
        process = document(Phase.REQUIREMENTS, example.ID, state, at).process
        assert process is not None
        return [entry.status for entry in process.activities if entry.name == "Implementation"]

    assert status(WRITTEN[0]) == ["completed"]
    assert status(example.REFUTED) == ["pending"]
    assert status(WRITTEN[1]) == ["completed"]


def test_test_results_carry_gates_steps_and_what_was_left_out() -> None:
    _, state, at = example.after(example.VALIDATED)
    (results,) = document(Phase.TEST_RESULTS, example.ID, state, at).test_results
    assert [(gate.gate, gate.status) for gate in results.gates] == [
        ("suite", "passed"),
        ("findings_gone", "passed"),
    ]
    assert results.left_out[0].text == example.SITE.text
    assert {step.outcome for step in results.scenarios[0].steps} == {"passed"}
    assert results.tree == example.VALIDATED.tree


def test_a_phase_that_was_not_reached_has_no_document() -> None:
    _, state, at = example.after(example.SPECIFIED)
    with pytest.raises(NotReached, match="architecture"):
        render(Phase.ARCHITECTURE, example.ID, state, at)


def test_the_export_tells_every_handoff_claim_and_verdict() -> None:
    timeline = example.recorded()
    text = process_document(example.ID, example.state_after(len(example.FACTS)), timeline)
    SCHEMA.validate(yaml.safe_load(text))
    exported = read(text).document
    assert [message.to for message in exported.message] == [receiver for *_, receiver in HANDOFFS]
    assert [(claim.agent_id, claim.status) for claim in exported.claim] == [
        ("pm-1", "completed"),
        ("architect-1", "completed"),
        ("developer-1", "completed"),
        ("developer-2", "completed"),
    ]
    assert exported.claim[2].estimated_completion == example.moment(25).isoformat()
    assert len(exported.bug_report) == len(exported.test_results) == 1
    assert (exported.deployment[0].before, exported.deployment[0].after) == (4, 1)
    assert exported.process is not None
    assert exported.process.status == "partly_landed"


def test_an_improvement_just_discovered_can_be_exported() -> None:
    exported = read(process_document(example.ID, example.state_after(1), example.recorded()[:1])).document
    assert exported.process is not None
    assert exported.process.status == "initialized"
    assert exported.message == exported.claim == ()


def test_what_leaves_the_strict_form_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"process\.status"):
        write(Document(process=Process(name="p", status="somewhere")))
    assert breaches({"process": {"name": "p", "mood": "good"}})
    assert breaches({})


@given(st.text(min_size=1, max_size=60), st.text(max_size=120))
@hypothesis_example("n", "\x85")
@hypothesis_example("\u2028", "a\u2029b")
def test_any_text_survives_writing_and_reading(name: str, content: str) -> None:
    message = Message.model_validate({"from": name, "to": "QA_Agent", "content": content})
    whole = Document(process=Process(name=name, description=content), message=(message,))
    assert read(write(whole)).document == whole


def test_background_tables_and_rules_are_part_of_the_scenarios() -> None:
    feature = """Feature: f
  Background:
    Given a base
  Scenario: one
    * it holds
      | a | b |
  Rule: r
    Scenario: two
      But not this
"""
    one, two = scenarios(feature)
    assert [(step.type, step.description) for step in one.steps] == [
        ("Given", "a base"),
        ("And", "it holds\n| a | b |"),
    ]
    assert [step.type for step in two.steps] == ["Given", "But"]
    with pytest.raises(NoFeature, match="1:1"):
        scenarios("no feature at all")


def test_file_names_follow_the_phase() -> None:
    assert file_name("x", Phase.TEST_RESULTS) == "x_test_results.aps.yaml"


def test_the_generated_files_are_up_to_date() -> None:
    assert differing(ROOT) == ()


def test_a_check_lists_what_differs_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"], tmp_path) == 1
    assert "docs/aps.md is out of date" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert main([], tmp_path) == 0
    (tmp_path / "docs/aps.md").write_text("", "utf-8")
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
