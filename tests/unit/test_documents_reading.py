"""Reading documents of the wider family, and refusing what is none."""

import pytest

from services.documents.reading import Reading, Unprocessable, read
from services.documents.tree import MAX_BYTES, MAX_NODES


def remarks(reading: Reading) -> list[tuple[int, str, str]]:
    return [(remark.line, remark.field, remark.message) for remark in reading.remarks]


def problems(text: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(Unprocessable) as refused:
        read(text)
    return [(problem.line, problem.field, problem.message) for problem in refused.value.problems]


BESIDE = """process:
  name: "014_Password_Reset"
  description: "Let a user reset a forgotten password"
  status: waiting_for_architect
  roles:
    - name: "PM_Agent"
      description: "Writes the requirements"
  activities:
    - name: "Requirement_Analysis"
      assignee: "PM_Agent"
      tasks:
        - name: "Write_Scenarios"
          description: "Scenarios for the reset"
  scenarios:
    - name: "Reset_By_Mail"
      steps:
        - type: "Given"
          description: "a known address"
        - type: "And"
          description: "a forgotten password"
  data_structures:
    - name: "reset_token"
      type: "record"
      fields:
        - {name: "expires", type: "timestamp"}
claim:
  agent_id: 1749966579_PM_Agent
  process_id: 014
  claimed_at: 2025-02-01T10:00:00Z
  status: claimed
  estimated_completion: "2025-02-01T11:00:00Z"
message:
  from: PM_Agent
  to: Architect_Agent
  subject: Ready
  artifacts:
    - path: 014_requirements.aps.yaml
      type: requirements
      status: ready
"""

INSIDE = """process:
  name: Search
  id: 007
  version: 1.10
  activities:
    - id: design
      assignee: Architect_Agent
      tasks: [Draw, Decide]
  roles: [PM_Agent, Architect_Agent]
  handoff:
    current_agent: PM_Agent
    next_agent: Architect_Agent
    handoff_criteria:
      - Requirements are complete
  messages:
    - {from: PM_Agent, to: Architect_Agent, content: first}
    - {from: Architect_Agent, to: PM_Agent, content: second}
  claim:
    agent_id: a1
"""


def test_parts_beside_the_process_are_read() -> None:
    reading = read(BESIDE)
    document = reading.document
    assert document.process is not None
    assert document.process.status == "requirements_complete"
    assert document.process.scenarios[0].steps[1].type == "And"
    assert document.process.data_structures[0].fields[0].name == "expires"
    assert (document.claim[0].process_id, document.claim[0].claimed_at) == ("014", "2025-02-01T10:00:00Z")
    assert document.message[0].timestamp == ""
    assert remarks(reading) == [
        (4, "process.status", "'waiting_for_architect' is read as 'requirements_complete'")
    ]


def test_parts_inside_the_process_are_read_single_or_as_a_list() -> None:
    reading = read(INSIDE)
    document = reading.document
    assert [message.content for message in document.message] == ["first", "second"]
    assert document.claim[0].agent_id == "a1"
    assert document.process is not None
    assert (document.process.id, document.process.version) == ("007", "1.10")
    assert [task.name for task in document.process.activities[0].tasks] == ["Draw", "Decide"]
    assert document.process.handoff is not None
    assert document.process.handoff.next_agent == "Architect_Agent"
    assert reading.remarks == ()


def test_parts_inside_and_beside_come_together_in_order() -> None:
    text = "message: {from: a, to: b}\nprocess:\n  name: p\n  message: {from: c, to: d}\n"
    assert [message.sender for message in read(text).document.message] == ["a", "c"]


def test_an_unknown_status_and_unknown_keys_are_kept_and_reported() -> None:
    reading = read("process:\n  name: p\n  status: fully_operational\n  mood: {good: [1, 2]}\nweather: sun\n")
    assert reading.document.process is not None
    assert reading.document.process.status == "fully_operational"
    assert reading.document.process.model_extra == {"mood": {"good": [1, 2]}}
    assert reading.document.model_extra == {"weather": "sun"}
    assert remarks(reading) == [
        (3, "process.status", "unknown status 'fully_operational', kept"),
        (4, "process.mood", "unknown key, kept"),
        (5, "weather", "unknown key, kept"),
    ]


def test_test_results_with_scenarios_beside_them_are_read() -> None:
    reading = read(
        "test_results:\n  process_id: x\n  qa_agent: q\n  overall_status: PASSED\n"
        "scenarios_tested:\n  - name: s\n    status: FAILED\n    test_details: [one]\n"
        "recommendations: [more tests]\n"
    )
    (results,) = reading.document.test_results
    assert (results.agent, results.status, results.scenarios[0].status) == ("q", "passed", "failed")
    assert [field for _, field, _ in remarks(reading)] == [
        "test_results.overall_status",
        "scenarios_tested[0].status",
        "scenarios_tested[0].test_details",
        "recommendations",
    ]


def test_a_bug_report_is_read() -> None:
    (report,) = read(
        "bug_report:\n  process_id: x\n  summary: Login fails\n  severity: high\n"
        "  steps_to_reproduce: [open, type]\n  expected: a page\n  actual: an error\n"
    ).document.bug_report
    assert (report.title, report.severity, report.steps_to_reproduce) == (
        "Login fails",
        "high",
        ("open", "type"),
    )


def test_an_architecture_document_is_read_with_its_own_words_kept() -> None:
    reading = read(
        "process:\n  name: p\n  status: ready_for_implementation\narchitecture:\n  components: [web, store]\n"
        "  technology_stack:\n    language: Python\n"
    )
    (architecture,) = reading.document.architecture
    assert [part.name for part in architecture.components] == ["web", "store"]
    assert (6, "architecture.technology_stack", "unknown key, kept") in remarks(reading)


def test_a_lone_message_and_empty_keys_are_enough() -> None:
    reading = read("message:\n  from: a\n  to: b\n  artifacts:\nclaims:\n")
    assert reading.document.message[0].artifacts == ()
    assert reading.document.claim == ()


def test_a_time_that_is_none_is_remarked() -> None:
    reading = read("claim:\n  agent_id: a\n  claimed_at: ISO_8601_DateTime\n")
    assert remarks(reading) == [(3, "claim.claimed_at", "'ISO_8601_DateTime' is no ISO 8601 time, kept")]


def test_every_problem_has_its_line_and_field() -> None:
    text = """process:
  description: no name
  scenarios:
    - name: s
      steps:
        - type: Whenever
          description: d
  activities:
    - assignee: PM_Agent
message:
  - from: a
claim: {agent_id: [1]}
"""
    found = problems(text)
    assert [(line, field) for line, field, _ in found] == [
        (1, "process.name"),
        (6, "process.scenarios[0].steps[0].type"),
        (9, "process.activities[0]"),
        (11, "message[0].to"),
        (12, "claim.agent_id"),
    ]
    assert "Field required" in found[0][2]


def test_a_problem_in_a_moved_part_keeps_the_place_where_it_was_written() -> None:
    assert [(line, field) for line, field, _ in problems("process:\n  name: p\n  message:\n    to: b\n")] == [
        (3, "process.message.from")
    ]


def test_a_problem_in_a_list_brought_together_keeps_its_own_place() -> None:
    text = (
        "message: {from: a, to: b}\nprocess:\n  name: p\n  messages:\n    - {from: c, to: d}\n    - {to: e}\n"
    )
    assert [(line, field) for line, field, _ in problems(text)] == [(6, "process.messages[1].from")]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: &x [1]\nb: *x\n", 2, "alias"),
        ("process:\n  name: p\n  name: q\n", 3, "twice"),
        ("process:\n\tname: p\n", 2, "\\t"),
        ("process: {name: p}\n---\nprocess: {name: q}\n", 2, "another document"),
        ("process: !!python/object:os.system {}\n", 1, "tag"),
        ("process:\n  ? [a]\n  : b\n", 2, "key"),
        ("process: {name: 'p\n", 2, "end of stream"),
        ("process:\n  name: \x07\n", 2, "not allowed"),
        ("", 1, "empty"),
        ("- just\n- a list\n", 1, "mapping"),
        ("hello: world\n", 1, "none of the parts"),
        ("[" * 5000, 1, "levels"),
        ("process: [" + "1," * MAX_NODES + "]", 1, "values"),
        ("x" * (MAX_BYTES + 1), 1, "limit"),
    ],
)
def test_what_is_no_document_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    ((found, _, message),) = problems(text)
    assert found == line
    assert says in message


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    assert problems(b"process:\n  name: caf\xe9\n") == [(2, "", "the byte 0xe9 is not UTF-8")]
