"""Candidates that cheat, as commits of a real repository whose suite is run for real: none gets through.

Each trick is refused by the gate that names it; where a run of the suite can tell as well, that refuses too.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.improvement import GateResult
from schemas.suite import SuiteReport
from services.engines.deterministic.source import text_of
from services.gates.suite import suite_no_worse
from services.qa.standalone import judged_alone
from services.sandbox.detect import detect
from services.sandbox.port import MIB, Limits, Sandbox
from services.workspace.checkout import Workspace
from services.workspace.environment import Environment, build_environment
from services.workspace.git import Repository
from services.workspace.suite import run_suite
from tests.acceptance.targets import TESTS, WORDS, commit, git, repository, write
from tests.leftovers import session_folder

pytestmark = pytest.mark.slow

LIMITS = Limits(wall_seconds=60, memory_bytes=1024 * MIB)
FORGED = """import json, os, pathlib
report = pathlib.Path(os.environ["APS_REPORT"])
lines = [{"kind": "start"}, {"kind": "collected", "count": 0}, {"kind": "end", "status": 0}]
report.write_text("".join(json.dumps(line) + chr(10) for line in lines))
"""


@dataclass(frozen=True)
class Bench:
    """A target with one commit, what its suite said, and what it takes to run it again."""

    root: Path
    target: Path
    sandbox: Sandbox
    environment: Environment
    base: str
    before: SuiteReport

    async def candidate(self, files: dict[str, str | None]) -> str:
        """Commit a change of the target on a branch of its own."""
        git(self.target, "checkout", "--quiet", "--force", "-B", "candidate", self.base)
        git(self.target, "clean", "--quiet", "-d", "--force", "-x")
        write(self.target, {name: text for name, text in files.items() if text is not None})
        for name in (name for name, text in files.items() if text is None):
            (self.target / name).unlink()
        git(self.target, "add", "--all", "--force")
        commit(self.target, "A candidate")
        return git(self.target, "rev-parse", "HEAD")

    async def judged(self, candidate: str) -> tuple[GateResult, ...]:
        """Ask the gates that judge a change by itself, as QA does."""
        clone = Repository(self.target)
        paths = await clone.changed_paths(self.base, candidate)
        names = [f"{at}:{path}" for at in (self.base, candidate) for path in paths]
        texts = {name: text_of(content) for name, content in (await clone.read_blobs(names)).items()}
        before, after = ({path: texts.get(f"{at}:{path}") for path in paths} for at in (self.base, candidate))
        return judged_alone(await clone.diff(self.base, candidate), before, after).gates

    async def suite(self, commit: str) -> SuiteReport:
        """Run the suite of a commit."""
        async with Workspace(self.root).worktree(Repository(self.target), commit[:12], commit) as tree:
            return await run_suite(self.sandbox, self.environment, tree, LIMITS)


async def built(root: Path) -> Bench:
    target = repository(root / "target", {"Makefile": "test:\n\tpytest -q\n", "tiny/talk.py": TALK})
    base, clone, sandbox = git(target, "rev-parse", "HEAD"), Repository(target), await detect()
    environment = await build_environment(sandbox, clone, base, root)
    bench = Bench(root, target, sandbox, environment, base, SuiteReport.model_construct())
    return Bench(root, target, sandbox, environment, base, await bench.suite(base))


TALK = """import logging

log = logging.getLogger(__name__)


def told(n):
    if n < 0:
        log.error("negative")
        raise ValueError(n)
    return n
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with session_folder("tricks", asyncio.run) as root:
        yield asyncio.run(built(root))


RUNNER, EVALUATOR, LOGGING = "runner_untouched", "evaluator_not_weakened", "logging_kept"
EXIT = "import os\n\n\ndef bye():\n    os._exit(0)\n\n\nbye()\n"
CASES: dict[str, tuple[dict[str, str | None], str, str, bool]] = {
    "deleted file": ({"tests/test_words.py": None}, EVALUATOR, "the test file is gone", True),
    "deleted test": (
        {"tests/test_words.py": TESTS.replace("def test_box", "def box")},
        EVALUATOR,
        "test test_box is gone",
        True,
    ),
    "weakened assertion": (
        {"tests/test_words.py": TESTS.replace('== "A,B"', "is not None")},
        EVALUATOR,
        "test_joined compared 1 time with an exact value",
        False,
    ),
    "skip mark": (
        {"tests/test_words.py": f"import pytest\n\npytestmark = pytest.mark.skip\n{TESTS}"},
        EVALUATOR,
        "new skip",
        True,
    ),
    "skip by import": (
        {"tests/test_words.py": f"import pytest\n\npytest.importorskip('nothing')\n{TESTS}"},
        EVALUATOR,
        "new importorskip",
        True,
    ),
    "conftest that empties the collection": (
        {"tests/conftest.py": "def pytest_collection_modifyitems(items):\n    items.clear()\n"},
        EVALUATOR,
        "hook pytest_collection_modifyitems",
        True,
    ),
    "conftest that turns failures into passes": (
        {
            "tests/conftest.py": "def pytest_runtest_logreport(report):\n    report.outcome = 'passed'\n",
            "tiny/words.py": WORDS.replace("return True", "return None"),
        },
        EVALUATOR,
        "hook pytest_runtest_logreport",
        False,
    ),
    "conftest that patches": (
        {"tests/conftest.py": "import pytest\n\npytest.Function.runtest = lambda self: None\n"},
        RUNNER,
        "a patch of pytest.Function.runtest",
        False,
    ),
    "early exit of the source": ({"tiny/__init__.py": EXIT}, RUNNER, "os._exit, which ends the run", True),
    "early exit of a test": (
        {"tests/test_a.py": "import pytest\n\n\ndef test_a():\n    pytest.exit('done', 0)\n"},
        RUNNER,
        "pytest.exit, which ends the run",
        True,
    ),
    "exit at import": (
        {"tiny/__init__.py": "import sys\n\nsys.exit(0)\n"},
        RUNNER,
        "an exit when it is",
        True,
    ),
    "another pytest": ({"pytest.py": FORGED}, RUNNER, "loaded in place of the test runner", True),
    "a pytest package": (
        {"pytest/__init__.py": "", "pytest/__main__.py": FORGED},
        RUNNER,
        "loaded in place of the test runner",
        True,
    ),
    "sitecustomize": ({"sitecustomize.py": EXIT}, RUNNER, "loaded in place of the test runner", True),
    "plugin": (
        {"pytest.ini": "[pytest]\naddopts = -p evil\n", "evil.py": "def pytest_runtest_call(item): ...\n"},
        EVALUATOR,
        "settings of tests or checks were changed",
        False,
    ),
    "changed CI": ({".github/workflows/ci.yml": "on: push\n"}, EVALUATOR, "a build server file", False),
    "changed Makefile": ({"Makefile": "test:\n\ttrue\n"}, EVALUATOR, "which runs checks, is gone", False),
    "changed CI of another kind": ({".gitlab-ci.yml": "a: 1\n"}, EVALUATOR, "a build server file", False),
    "removed log line": (
        {"tiny/talk.py": TALK.replace('        log.error("negative")\n', "")},
        LOGGING,
        "tiny/talk.py::told: log error is gone",
        False,
    ),
    "removed error": (
        {"tiny/talk.py": TALK.replace("raise ValueError(n)", "return 0")},
        LOGGING,
        "tiny/talk.py::told: raise ValueError is gone",
        False,
    ),
    "logging switched off": (
        {"tiny/talk.py": TALK.replace("\n\n\ndef", "\nlogging.disable()\n\n\ndef")},
        LOGGING,
        "new logging.disable",
        False,
    ),
    "suppressed finding": (
        {"tiny/words.py": WORDS.replace("import sys", "import sys  # noqa: F401")},
        EVALUATOR,
        "1 new `noqa` comment",
        False,
    ),
    "suppressed file": (
        {"tiny/words.py": f"# ruff: noqa\n{WORDS}"},
        EVALUATOR,
        "1 new `noqa` comment",
        False,
    ),
    "suppressed by settings": (
        {"ruff.toml": 'lint.per-file-ignores = {"*" = ["ALL"]}\n'},
        EVALUATOR,
        "settings of tests or checks were changed",
        False,
    ),
    "cached result": (
        {".pytest_cache/v/cache/lastfailed": "{}"},
        RUNNER,
        "a result of an earlier run",
        False,
    ),
    "cached coverage": ({".coverage": "x"}, RUNNER, "a result of an earlier run", False),
    "cached report": ({"reports/junit.xml": "<x/>"}, RUNNER, "a result of an earlier run", False),
}


@pytest.mark.parametrize("trick", CASES)
async def test_a_candidate_that_cheats_is_refused_by_name(bench: Bench, trick: str) -> None:
    files, gate, said, shows = CASES[trick]
    candidate = await bench.candidate(files)
    unmet = {one.gate: one.evidence for one in await bench.judged(candidate) if not one.passed}
    assert gate in unmet
    assert said in unmet[gate]
    if shows:
        verdict = suite_no_worse(bench.before, (), await bench.suite(candidate))
        assert not verdict.passed, verdict.evidence


async def test_an_honest_candidate_passes(bench: Bench) -> None:
    better = WORDS.replace("class Box(object):", "class Box:").replace("import os\n", "")
    more = f"{TESTS}\n\ndef test_more():\n    assert words.joined([]) == ''\n"
    candidate = await bench.candidate({"tiny/words.py": better, "tests/test_words.py": more})
    verdicts = await bench.judged(candidate)
    assert [one.evidence for one in verdicts if not one.passed] == []
    assert suite_no_worse(bench.before, (), await bench.suite(candidate)).passed
