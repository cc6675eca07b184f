"""What a new test reaches, measured by real runs under coverage in the sandbox."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from schemas.suite import Outcome, SuiteReport
from services.gates.behaviours import cases
from services.qa.reaching import Counting
from services.sandbox.detect import detect
from services.sandbox.port import MIB, Limits
from services.workspace.checkout import Workspace
from services.workspace.git.mixing import with_file
from services.workspace.git.repository import Identity, Repository
from services.workspace.suites.proving import Prover

pytestmark = pytest.mark.slow

LIMITS = Limits(wall_seconds=60, memory_bytes=1024 * MIB)
NEW = "tests/test_new.py"
WORDS = """KNOWN = {}


def known(function):
    name = function.__name__
    KNOWN[name] = function
    return function


@known
def doubled(
    number,
    times=2,
):
    return number * times


class Words:
    many = 2

    def said(self):
        return self.many
"""
FILES = {
    "tiny/__init__.py": "",
    "tiny/words.py": WORDS,
    "tiny/numbers.py": "def one():\n    return 1\n\n\ndef two():\n    return 2\n",
    "tests/test_numbers.py": ("from tiny.numbers import one\n\n\ndef test_one():\n    assert one() == 1\n"),
}


@dataclass
class Place:
    """A repository with a suite that never imports `tiny.words`, and what its suite covered."""

    repository: Repository
    prover: Prover
    base: str
    before: SuiteReport

    async def run(self, commit: str, only: Sequence[str]) -> SuiteReport:
        return await self.prover.run(self.repository, "reach", self.base, commit, coverage=True, only=only)

    async def count(self, source: str) -> int:
        """How many lines the test of a new file reaches."""
        commit = await with_file(self.repository, self.base, NEW, source.encode())
        after = await self.prover.run(self.repository, "after", self.base, commit)
        ids: Mapping[str, Outcome] = cases(f"{NEW}::test_new", after)
        assert set(ids.values()) == {Outcome.PASSED}, after.output
        return await Counting(self.repository, self.run, self.before, self.base, commit).count(
            f"{NEW}::test_new", ids
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    async def build() -> Place:
        root = tmp_path_factory.mktemp("reach")
        repository = Repository(root / "source")
        await repository.initialise(bare=False)
        for name, content in FILES.items():
            path = root / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        when = datetime(2024, 1, 1, tzinfo=UTC)
        tree = await repository.import_folder(root / "source")
        base = await repository.commit_tree(tree, (), "one", Identity("n", "n@example.invalid"), when)
        prover = Prover(Workspace(root / "home"), await detect(), LIMITS)
        before = await prover.run(repository, "before", base, base, coverage=True)
        return Place(repository, prover, base, before)

    return asyncio.run(build())


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("from tiny import words\n\ndef test_new():\n    assert words\n", 0),
        ("from tiny.words import *\n\ndef test_new():\n    assert 1 == 1\n", 0),
        ("def test_new():\n    from tiny import words\n    assert words.KNOWN\n", 0),
        ("import importlib\n\ndef test_new():\n    assert importlib.import_module('tiny.words')\n", 0),
        ("from tiny.words import Words\nmade = Words().said()\n\ndef test_new():\n    assert made == 2\n", 0),
        ("from tiny.words import doubled\n\ndef test_new():\n    assert doubled(2) == 4\n", 1),
        ("def test_new():\n    from tiny.words import Words\n    assert Words().said() == 2\n", 1),
        ("from tiny.numbers import two\n\ndef test_new():\n    assert two() == 2\n", 1),
    ],
    ids=[
        "imports a module that none did",
        "imports all of it",
        "imports it while it runs",
        "imports it by its name",
        "looks at what its own import did",
        "calls what none imported",
        "imports and calls while it runs",
        "calls what none called",
    ],
)
async def test_only_lines_that_a_test_itself_runs_count(place: Place, source: str, count: int) -> None:
    assert await place.count(source) == count
