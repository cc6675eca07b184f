"""Features are written as Gherkin, read back as typed steps, and every step is executed."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gherkin.feature import Feature, NoFeature, Scenario, Stated, feature, parse_feature
from services.gherkin.running import Observation, execute
from services.gherkin.steps import (
    EXAMPLES,
    ChangeApplied,
    FindingsAtMost,
    GuardedByTests,
    KeptByTests,
    NothingSuppressed,
    ShownByTests,
    Step,
    TargetAt,
    TestsStillPass,
    UnknownStep,
    parse_step,
)
from services.gherkin.vocabulary import request_feature, rule_improvement_feature

WORDS = st.text(max_size=30)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from(EXAMPLES),
    st.builds(TargetAt, WORDS),
    st.builds(ShownByTests, WORDS),
    st.builds(GuardedByTests, WORDS),
    st.builds(KeptByTests, WORDS),
    st.builds(
        FindingsAtMost, WORDS, st.integers(0, 10**6), st.lists(WORDS, min_size=1, max_size=3).map(tuple)
    ),
)


@dataclass
class Answers:
    """Evidence that holds but for the questions named in `failing`, and logs what it was asked."""

    failing: tuple[str, ...] = ()
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def _answer(self, *question: object) -> Observation:
        self.asked.append(question)
        return Observation(question[0] not in self.failing, f"saw {question[0]}")

    def target_at(self, commit: str) -> Observation:
        return self._answer("target_at", commit)

    def change_applied(self) -> Observation:
        return self._answer("change_applied")

    def findings_at_most(self, rule: str, most: int, paths: tuple[str, ...]) -> Observation:
        return self._answer("findings_at_most", rule, most, paths)

    def nothing_suppressed(self) -> Observation:
        return self._answer("nothing_suppressed")

    def tests_still_pass(self) -> Observation:
        return self._answer("tests_still_pass")

    def interface_unchanged(self) -> Observation:
        return self._answer("interface_unchanged")

    def tests_not_weakened(self) -> Observation:
        return self._answer("tests_not_weakened")

    def only_where_fired(self) -> Observation:
        return self._answer("only_where_fired")

    def shown_by_tests(self, behaviour: str) -> Observation:
        return self._answer("shown_by_tests", behaviour)

    def guarded_by_tests(self, behaviour: str) -> Observation:
        return self._answer("guarded_by_tests", behaviour)

    def kept_by_tests(self, behaviour: str) -> Observation:
        return self._answer("kept_by_tests", behaviour)


def rule_feature() -> str:
    return rule_improvement_feature("B904", "Keep the cause", "It is lost", "abc123", 3, ("toolz", "tlz"))


def test_a_rules_feature_reads_as_a_person_would_write_it() -> None:
    assert (
        rule_feature()
        == """\
Feature: Keep the cause
  Why: It is lost

  Scenario: The findings are fixed
    Given the target at commit "abc123"
    When the change is applied
    Then the rule "B904" reports at most 3 findings in "toolz", "tlz"
    And no finding was suppressed

  Scenario: Nothing else is harmed
    Given the target at commit "abc123"
    When the change is applied
    Then every test that passed before still passes
    And the public interface is unchanged
    And no test was weakened
    And the change touches only files where the rule fired
"""
    )


def test_a_requests_feature_asks_for_each_behaviour_and_that_nothing_is_harmed() -> None:
    told = request_feature("Add a sum", "It is missed", "abc123", ["adds numbers", 'of "nothing" is 0'])
    answers = Answers()
    results = execute(parse_feature(told), answers)
    assert [result.name for result in results] == [
        "adds numbers",
        'of "nothing" is 0',
        "Nothing else is harmed",
    ]
    assert [question for question in answers.asked if question[0] == "shown_by_tests"] == [
        ("shown_by_tests", "adds numbers"),
        ("shown_by_tests", 'of "nothing" is 0'),
    ]
    assert 'Then the behaviour "adds numbers" is shown by tests that fail without it' in told


def test_a_request_for_tests_asks_that_they_guard_what_is_there() -> None:
    told = request_feature("Test the sum", "It has no test", "abc123", ["adds numbers"], GuardedByTests)
    answers = Answers()
    execute(parse_feature(told), answers)
    assert ("guarded_by_tests", "adds numbers") in answers.asked
    assert 'Then the behaviour "adds numbers" is guarded by new tests' in told


def test_a_request_that_betters_what_is_there_asks_that_it_is_kept() -> None:
    told = request_feature("Sum faster", "It is slow", "abc123", ["adds numbers"], KeptByTests)
    answers = Answers()
    execute(parse_feature(told), answers)
    assert ("kept_by_tests", "adds numbers") in answers.asked
    assert 'Then the behaviour "adds numbers" is kept, as tests show before and after' in told


def test_every_step_of_a_rules_feature_is_executed() -> None:
    answers = Answers()
    results = execute(parse_feature(rule_feature()), answers)
    assert [result.passed for result in results] == [True, True]
    assert answers.asked == [
        ("target_at", "abc123"),
        ("change_applied",),
        ("findings_at_most", "B904", 3, ("toolz", "tlz")),
        ("nothing_suppressed",),
        ("target_at", "abc123"),
        ("change_applied",),
        ("tests_still_pass",),
        ("interface_unchanged",),
        ("tests_not_weakened",),
        ("only_where_fired",),
    ]


def test_after_a_failing_step_the_rest_of_the_scenario_is_not_run_and_the_next_scenario_is() -> None:
    results = execute(parse_feature(rule_feature()), Answers(failing=("findings_at_most",)))
    assert [step.passed for step in results[0].steps] == [True, True, False, False]
    assert results[0].steps[2].evidence == "saw findings_at_most"
    assert results[0].steps[3].evidence.startswith('not run: "the rule "B904"')
    assert results[1].passed


@given(STEPS)
def test_every_step_is_read_back_from_its_sentence(step: Step) -> None:
    assert parse_step(step.text) == step


@given(WORDS, WORDS, st.lists(st.tuples(WORDS, st.lists(STEPS, min_size=1, max_size=3)), max_size=3))
def test_a_feature_is_read_back_as_it_was_meant(
    title: str, why: str, told: list[tuple[str, list[Step]]]
) -> None:
    scenarios = [Scenario(name, tuple(Stated("Given", step) for step in steps)) for name, steps in told]
    read = parse_feature(feature(title, why, scenarios))
    assert [scenario.steps for scenario in read.scenarios] == [scenario.steps for scenario in scenarios]


@pytest.mark.parametrize(
    "why", ["Scenario: no", "# not a comment", "@tag", '"""', "| a |", "Why: Why: x", "a\nb"]
)
def test_no_reason_is_mistaken_for_gherkin(why: str) -> None:
    read = parse_feature(feature("t", why, [Scenario("s", (Stated("Given", ChangeApplied()),))]))
    assert (read.why, len(read.scenarios)) == (" ".join(why.split()), 1)


def test_an_unknown_step_is_named_with_its_line_and_the_nearest_known_one() -> None:
    text = 'Feature: f\n\n  Scenario: s\n    Given the target is at commit "abc"\n'
    with pytest.raises(UnknownStep) as caught:
        parse_feature(text)
    assert caught.value.line == 4
    assert caught.value.text == 'the target is at commit "abc"'
    assert caught.value.nearest == TargetAt("4f1c2ab").text


@pytest.mark.parametrize(
    "text",
    [
        'the rule "B904" reports at most 3 findings',
        'the rule "B904" reports at most -1 findings in "x"',
        'the target at commit "\\x"',
        "No finding was suppressed",
        "",
    ],
)
def test_what_only_resembles_a_step_is_unknown(text: str) -> None:
    with pytest.raises(UnknownStep):
        parse_step(text)


def test_a_step_with_a_table_below_it_is_unknown_as_nothing_would_read_the_table() -> None:
    with pytest.raises(UnknownStep, match="with a table"):
        parse_feature("Feature: f\n  Scenario: s\n    When the change is applied\n      | a |\n")


def test_backgrounds_outlines_and_rules_become_plain_scenarios() -> None:
    text = """\
Feature: f
  Background:
    Given the target at commit "abc"

  Scenario Outline: s
    Then the rule "<rule>" reports at most 0 findings in "x"
    Examples:
      | rule |
      | B904 |
      | F401 |

  Rule: r
    Scenario: t
      * every test that passed before still passes
"""
    given = Stated("Given", TargetAt("abc"))
    assert parse_feature(text) == Feature(
        "f",
        "",
        (
            Scenario("s", (given, Stated("Then", FindingsAtMost("B904", 0, ("x",))))),
            Scenario("s", (given, Stated("Then", FindingsAtMost("F401", 0, ("x",))))),
            Scenario("t", (given, Stated("And", TestsStillPass()))),
        ),
    )


@pytest.mark.parametrize("text", ["", "nonsense", "# language: zz\nFeature: f\n"])
def test_a_text_that_is_no_feature_is_refused(text: str) -> None:
    with pytest.raises(NoFeature, match=r"line|1:"):
        parse_feature(text)


def test_what_the_evidence_raises_is_not_a_failed_step() -> None:
    class Broken(Answers):
        def nothing_suppressed(self) -> Observation:
            raise OSError("the disk is full")

    stated = Scenario("s", (Stated("Then", NothingSuppressed()),))
    with pytest.raises(OSError, match="full"):
        execute(Feature("f", "", (stated,)), Broken())
