"""Which files a plan may name, and how what comes new is told from what is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.base import Frozen
from schemas.engine import FailureKind, Spent
from services.architect.graph import ImportGraph, c4_view, components
from services.architect.planning import Plan, Step, planned
from services.asking.consulting import Consultant
from services.asking.words import Ask, Asked
from services.engines.choosing import Wanted
from services.engines.port import AnswerT, Failed, Task
from services.engines.scripted import Answering, ScriptedEngine
from tests import projection_facts as f

OUTSIDE = (
    "../escape.py", "pkg/../../escape.py", "/etc/passwd.py", "~/escape.py", "C:/escape.py", "..\\escape.py",
    ".git/hooks/a.py", "pkg/.GIT/a.py", "", ".", "pkg/a\n.py",
)  # fmt: skip
PLAN = Plan(summary="s", steps=(Step(what="do it"),), decision="d")


@dataclass(frozen=True)
class Settled:
    """An asker to whom one answer is always given."""

    value: Frozen

    async def ask(self, ask: Ask[AnswerT]) -> Asked[AnswerT]:
        return Asked(cast(AnswerT, self.value), "r1", "scripted", "", "", Spent(), ("r1",))


def naming(field: str, path: str) -> dict[str, Any]:
    told = PLAN.model_dump(mode="json")
    if field == "steps":
        return {**told, "steps": [{"what": "do it", "files": [path]}]}
    return {**told, field: [path]}


async def answered(**said: Any) -> Any:
    engine = ScriptedEngine(Answering({**PLAN.model_dump(mode="json"), **said}))
    return await engine.ask(Task("plan", "", "", Plan), lambda _: None)


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("field", ["changes", "creates", "steps", "irreversible"])
async def test_a_plan_that_names_what_lies_outside_of_the_tree_is_asked_for_again(
    field: str, path: str
) -> None:
    refused = await answered(**naming(field, path))
    assert isinstance(refused, Failed)
    assert refused.kind is FailureKind.INVALID_ANSWER
    assert refused.kind.again


@pytest.mark.parametrize("place", ["../escape.py::run", "/etc/escape.py", "pkg/../../escape.py::A.run"])
async def test_no_place_outside_of_the_tree_may_be_declared(place: str) -> None:
    assert isinstance(await answered(removes=[place]), Failed)


async def test_a_path_of_the_tree_is_taken_as_git_names_it() -> None:
    plan = (await answered(changes=["./pkg/a.py", "docs//x.md"], removes=["./pkg/a.py::run"])).value
    assert plan.changes == ("pkg/a.py", "docs/x.md")
    assert plan.removes == ("pkg/a.py::run",)


async def test_what_a_plan_changes_but_is_not_there_comes_new(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text("")
    (tmp_path / "pkg" / "b.py").write_text("")
    said = PLAN.model_copy(
        update={"changes": ("pkg/a.py", "pkg/gone.py"), "creates": ("pkg/b.py", "pkg/gone.py")}
    )
    consultant = Consultant(
        Settled(said), "architect", {"scripted": ScriptedEngine()}, (Wanted("", "scripted", ""),)
    )
    graph, cause = ImportGraph({}), f.because(1)
    plan = await planned(
        consultant, "imp-1", "p", f.discovered(), f.specified(), graph, ("pkg",), tmp_path, "", "", (), cause
    )  # fmt: skip
    assert (plan.changes, plan.creates) == (("pkg/a.py", "pkg/b.py"), ("pkg/gone.py",))


def test_the_view_tells_what_comes_new_from_what_is_touched() -> None:
    parts = components(ImportGraph({"p.a": ()}), ("p/a.py", "p/gone.py"), ("p",))
    view = c4_view("t", "p", parts, ("p/gone.py",))
    assert '"p.a", "Python module", "touched; imported by 0"' in view
    assert '"p.gone", "Python module", "new; imported by 0"' in view
