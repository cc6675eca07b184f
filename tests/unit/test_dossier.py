"""What is made of an improvement's evidence before anybody shows it: gates, patches, components."""

from schemas.improvement import Component, GateResult, Status
from services.dossier.demands import Stand, demands_of, refusal_standing
from services.dossier.improvement import Dossier, Refusal
from services.dossier.patch import MOST_LINES, Kind, changes_in
from services.gates.catalogue import GATES
from services.gateway.pages.drawing import MOST, drawn
from tests.shelf_evidence import PATCH

NOTHING = Dossier.model_construct(
    status=Status.INITIALIZED, gates=(), refusals=(), attempts=0, commands=(), timeline=(), missing=()
)
SUITE, GONE = GATES[1].name, GATES[2].name


def refused(attempt: int, reason: str) -> Refusal:
    return Refusal(attempt=attempt, reason=reason, leave_out=(), bug_report="")


def unmet(one: Dossier) -> list[str]:
    return [demand.gate for demand in demands_of(one) if demand.unmet]


def test_no_gate_is_met_before_it_was_asked() -> None:
    assert unmet(NOTHING) == [gate.name for gate in GATES]


def test_a_gate_that_a_verdict_does_not_name_is_no_obstacle() -> None:
    proven = NOTHING.model_copy(
        update={"gates": (GateResult(gate=SUITE, version="1", passed=True, evidence="6 tests passed"),)}
    )
    stands = {demand.gate: demand.stands for demand in demands_of(proven)}
    assert (stands[SUITE], stands[GONE], unmet(proven)) == (Stand.PASSED, Stand.IDLE, [])


def test_a_gate_of_another_version_of_the_catalogue_is_shown_too() -> None:
    old = NOTHING.model_copy(
        update={"gates": (GateResult(gate="of_old", version="0", passed=False, evidence="no"),)}
    )
    assert unmet(old) == ["of_old"]


def test_what_the_last_refusal_names_has_failed_until_the_change_is_written_again() -> None:
    reason = f"{SUITE}: 1 test newly failing; {GONE}: 2 are left"
    once = NOTHING.model_copy(update={"attempts": 1, "refusals": (refused(1, reason),)})
    stands = {demand.gate: (demand.stands, demand.evidence) for demand in demands_of(once)}
    assert stands[SUITE] == (Stand.FAILED, "1 test newly failing")
    assert stands[GONE] == (Stand.FAILED, "2 are left")
    assert refusal_standing(once) == reason
    again = once.model_copy(update={"attempts": 2})
    assert {demand.stands for demand in demands_of(again)} == {Stand.OPEN}
    assert refusal_standing(again) == refusal_standing(NOTHING) == ""


def test_a_patch_is_read_file_by_file_and_line_by_line() -> None:
    index, store = changes_in(PATCH)
    assert [(one.path, one.added, one.removed) for one in (index, store)] == [
        ("shelf/index.py", 1, 2),
        ("shelf/store.py", 1, 1),
    ]
    assert [(line.kind.value, line.before, line.after) for line in index.lines] == [
        ("place", None, None),
        ("removed", 1, None),
        ("same", 2, 1),
        ("removed", 3, None),
        ("added", None, 2),
        ("same", 4, 3),
        ("same", 5, 4),
    ]


def test_a_removed_line_that_looks_like_a_header_is_a_line() -> None:
    patch = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n--- x\n+++ y\n\\ No newline at end of file\n"
    (one,) = changes_in(patch)
    assert [(line.kind, line.text) for line in one.lines[1:]] == [
        (Kind.REMOVED, "-- x"),
        (Kind.ADDED, "++ y"),
        (Kind.NOTE, "\\ No newline at end of file"),
    ]


def test_what_is_no_patch_has_no_files() -> None:
    assert changes_in("") == changes_in("hello\n+world\n") == ()


def test_a_very_long_patch_says_what_is_not_shown() -> None:
    patch = "diff --git a/a b/a\n@@ -0,0 +1 @@\n" + "+x\n" * MOST_LINES
    assert changes_in(patch)[0].lines[-1].text == "2 more lines are not shown"


def component(number: int, *imports: str, touched: bool = False) -> Component:
    name = f"m{number}"
    return Component(module=name, path=f"{name}.py", touched=touched, fan_in=number, imports=imports)


def test_an_arrow_leads_from_what_imports_to_what_is_touched() -> None:
    drawing = drawn((component(1, touched=True), component(2, "m1", "elsewhere")))
    assert drawing is not None
    touched, knowing = (next(box for box in drawing.boxes if box.module == name) for name in ("m1", "m2"))
    (arrow,) = drawing.arrows
    assert knowing.x < arrow.x1 < arrow.x2 == touched.x - 1


def test_a_view_of_many_components_leaves_out_those_that_fewest_know() -> None:
    drawing = drawn([component(0, touched=True), *(component(n, "m0") for n in range(1, MOST + 10))])
    assert drawing is not None
    assert (len(drawing.boxes), drawing.left_out) == (MOST, 10)
    assert {"m0", f"m{MOST + 9}"} <= {box.module for box in drawing.boxes}
    assert drawn(()) is None
