"""Candidates that cheat, as commits of a real repository whose suite is run for real: none gets through.

Each trick is refused by the gate that names it; where a run of the suite can tell as well, that refuses too.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.gates.suite import suite_no_worse
from services.sandbox.detect import detect
from tests.acceptance.bench import Bench, built
from tests.acceptance.evaluator_tricks import NAMED, TALK, TRICKS
from tests.acceptance.targets import TESTS, WORDS
from tests.leftovers import session_folder

pytestmark = pytest.mark.slow

ASKED_FOR = (
    "deleted test", "weakened assertion", "skip mark", "conftest", "early exit", "patched runner",
    "changed CI", "removed logging", "suppressed finding", "cached result",
)  # fmt: skip


async def _built(root: Path) -> Bench:
    files = {"Makefile": "test:\n\tpytest -q\n", "tiny/talk.py": TALK}
    return await built(root, files, await detect())


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with session_folder("tricks", asyncio.run) as root:
        yield asyncio.run(_built(root))


@pytest.mark.parametrize(("kind", "name"), NAMED)
async def test_a_candidate_that_cheats_is_refused_by_name(bench: Bench, kind: str, name: str) -> None:
    trick = TRICKS[kind][name]
    candidate = await bench.candidate(trick.files)
    unmet = {one.gate: one.evidence for one in await bench.judged(candidate) if not one.passed}
    assert trick.gate in unmet
    assert trick.says in unmet[trick.gate]
    if trick.shows:
        verdict = suite_no_worse(bench.before, (), await bench.suite(candidate))
        assert not verdict.passed, verdict.evidence


@pytest.mark.parametrize("kind", ASKED_FOR)
def test_each_class_has_at_least_three_tricks(kind: str) -> None:
    assert len(TRICKS[kind]) >= 3


async def test_an_honest_candidate_passes(bench: Bench) -> None:
    better = WORDS.replace("class Box(object):", "class Box:").replace("import os\n", "")
    more = f"{TESTS}\n\ndef test_more():\n    assert words.joined([]) == ''\n"
    candidate = await bench.candidate({"tiny/words.py": better, "tests/test_words.py": more})
    verdicts = await bench.judged(candidate)
    assert [one.evidence for one in verdicts if not one.passed] == []
    assert suite_no_worse(bench.before, (), await bench.suite(candidate)).passed
