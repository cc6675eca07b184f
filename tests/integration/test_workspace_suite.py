"""Suites of every temper, run for real in the sandbox, from a folder with spaces and other alphabets."""

import asyncio
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.sandbox.detect import detect
from services.sandbox.port import MIB, Limits, Sandbox
from services.workspace.checkout import Workspace
from services.workspace.environments.environment import Environment, build_environment
from services.workspace.git.repository import Identity, Repository
from services.workspace.suites.suite import run_suite

LIMITS = Limits(wall_seconds=60, memory_bytes=1024 * MIB)
PASSING = "def test_ok(): pass\n"


async def repository_of(folder: Path, files: dict[str, str | bytes]) -> Repository:
    """Commit files without running them through anything."""
    repository = Repository(folder)
    await repository.initialise(bare=False)
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
    when = datetime(2024, 1, 1, tzinfo=UTC)
    tree = await repository.import_folder(folder)
    commit = await repository.commit_tree(tree, (), "one", Identity("n", "n@example.invalid"), when)
    await repository.set_ref("refs/heads/base", commit)
    return repository


@dataclass
class Bench:
    """One environment with pytest and coverage alone, and a place for any number of trees."""

    root: Path
    sandbox: Sandbox
    environment: Environment
    numbers: count

    async def run(self, files, limits=LIMITS, prepare=lambda _: None, **options) -> SuiteReport:
        """Commit `files` beside the package `pkg`, check them out, run their suite."""
        name = f"t{next(self.numbers)}"
        source = self.root / "sources" / name
        source.mkdir(parents=True)
        prepare(source)
        repository = await repository_of(source, {"pkg/__init__.py": "def one():\n    return 1\n", **files})
        async with Workspace(self.root).worktree(repository, name, await repository.head()) as tree:
            return await run_suite(self.sandbox, self.environment, tree, limits, **options)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    async def build():
        root = tmp_path_factory.mktemp("home") / "dätä with spaces"
        root.mkdir()
        repository = await repository_of(root / "base", {"pkg/__init__.py": "def one():\n    return 1\n"})
        sandbox = await detect()
        environment = await build_environment(sandbox, repository, await repository.head(), root)
        return Bench(root, sandbox, environment, count())

    return asyncio.run(build())


async def test_every_outcome_is_told_by_test_id(bench):
    report = await bench.run(
        {
            "tests/test_all.py": """
            import unittest
            import pytest
            from pkg import one
            def test_passes(): assert one() == 1
            def test_fails(): assert one() == 2
            def test_skips(): pytest.skip("why")
            @pytest.mark.xfail
            def test_expected(): assert False
            @pytest.mark.xfail
            def test_unexpected(): pass
            @pytest.fixture
            def broken(): raise OSError("no fixture")
            def test_errs(broken): pass
            @pytest.fixture
            def late():
                yield
                raise OSError("late")
            def test_errs_late(late): pass
            class Old(unittest.TestCase):
                def test_sub(self):
                    with self.subTest(1): self.assertTrue(False)
            """
        }
    )
    assert report.end is SuiteEnd.FINISHED
    assert {name.partition("::")[2]: outcome for name, outcome in report.tests.items()} == {
        "test_passes": Outcome.PASSED,
        "test_fails": Outcome.FAILED,
        "test_skips": Outcome.SKIPPED,
        "test_expected": Outcome.XFAILED,
        "test_unexpected": Outcome.XPASSED,
        "test_errs": Outcome.ERROR,
        "test_errs_late": Outcome.ERROR,
        "Old::test_sub": Outcome.FAILED,
    }
    assert "assert 1 == 2" in report.failures["tests/test_all.py::test_fails"]
    assert report.exit_code == 1


async def test_ids_are_stable_and_unique(bench):
    files = {
        "test_ids.py": """
        import pathlib, pytest
        here = str(pathlib.Path(__file__).parent / "x")
        @pytest.mark.parametrize("v", [object(), object()], ids=repr)
        def test_address(v): pass
        @pytest.mark.parametrize("v", [here])
        def test_place(v): pass
        """
    }
    first, second = await bench.run(files), await bench.run(files)
    assert list(first.tests) == [
        "test_ids.py::test_address[<object object at 0x>]",
        "test_ids.py::test_address[<object object at 0x>]#2",
        "test_ids.py::test_place[x]",
    ]
    assert first.tests == second.tests


async def test_a_hanging_suite_is_stopped_and_keeps_what_it_said(bench):
    files = {"test_h.py": "import time\ndef test_a(): pass\ndef test_b(): time.sleep(1000)\n"}
    report = await bench.run(files, Limits(wall_seconds=6))
    assert report.end is SuiteEnd.TIMED_OUT
    assert report.tests == {"test_h.py::test_a": Outcome.PASSED}
    assert report.duration_ms < 30_000


async def test_megabytes_of_output_are_bounded(bench):
    files = {
        "pytest.ini": "[pytest]\naddopts = -s\n",
        "test_o.py": "import os\ndef test_a():\n    for _ in range(50): os.write(1, b'x' * 1024**2)\n",
    }
    report = await bench.run(files)
    assert (report.end, report.passed) == (SuiteEnd.FINISHED, 1)
    assert len(report.output) < 64 * 1024


async def test_memory_is_bounded(bench):
    files = {"test_m.py": "def test_a():\n    kept = []\n    while True: kept.append(b'x' * 8 * 1024**2)\n"}
    report = await bench.run(files, Limits(wall_seconds=60, memory_bytes=512 * MIB))
    assert report.end is SuiteEnd.OUT_OF_MEMORY or report.failed == 1


@pytest.mark.parametrize(
    ("files", "end"),
    [
        (
            {"conftest.py": "import pytest\ndef pytest_sessionstart(): pytest.exit('x', returncode=0)\n"},
            SuiteEnd.CRASHED,
        ),
        ({"conftest.py": "import pytest\ndef pytest_collection(): pytest.exit('x', returncode=0)\n"}, None),
        ({"conftest.py": "import os\nos._exit(0)\n"}, SuiteEnd.CRASHED),
        ({"test_b.py": "import os\nos._exit(0)\n"}, SuiteEnd.CRASHED),
        ({"pytest.py": "raise SystemExit(0)\n"}, SuiteEnd.CRASHED),
        ({"pkg/other.py": "x = 1\n", "test_a.py": None}, None),
        ({"test_a.py": "import os\ndef test_a(): os._exit(0)\n"}, SuiteEnd.CRASHED),
        ({"test_b.py": "import os\ndef test_b(): os._exit(0)\n"}, SuiteEnd.CRASHED),
        ({"test_b.py": "import os\ndef test_b(): os.kill(os.getpid(), 11)\n"}, SuiteEnd.CRASHED),
        (
            {"test_b.py": "import os, atexit\natexit.register(os._exit, 3)\ndef test_b(): pass"},
            SuiteEnd.CRASHED,
        ),
        (
            {"test_b.py": "import pytest\ndef test_b(): pytest.exit('enough', returncode=0)\n"},
            SuiteEnd.CRASHED,
        ),
        ({"conftest.py": "import nothing_of_that_name\n"}, SuiteEnd.COLLECTION_FAILED),
        ({"test_a.py": "import nothing_of_that_name\n"}, SuiteEnd.COLLECTION_FAILED),
    ],
)
async def test_a_suite_that_did_not_run_is_never_taken_for_a_green_one(bench, files, end):
    given = {"test_a.py": PASSING, **files}
    report = await bench.run({name: content for name, content in given.items() if content is not None})
    assert report.end is (end or SuiteEnd.NOTHING_COLLECTED)


async def test_links_that_lead_outside_the_tree_are_not_collected(bench):
    outside = bench.root / "outside"
    outside.mkdir()
    (outside / "test_outside.py").write_text(PASSING)

    def link(source):
        (source / "own").mkdir()
        for name, goal in {
            "away": outside,
            "above": "../..",
            "root": "/",
            "inside": "own",
            "self": ".",
        }.items():
            (source / name).symlink_to(goal)
        (source / "test_away.py").symlink_to(outside / "test_outside.py")

    report = await bench.run({"test_a.py": PASSING, "own/test_b.py": PASSING}, prepare=link)
    assert report.end is SuiteEnd.FINISHED
    assert set(report.tests) == {"test_a.py::test_ok", "own/test_b.py::test_ok", "inside/test_b.py::test_ok"}


async def test_one_module_that_does_not_import_is_an_error_among_the_others(bench):
    report = await bench.run({"test_a.py": PASSING, "test_b.py": "def broken(:\n"})
    assert report.end is SuiteEnd.FINISHED
    assert report.tests == {"test_a.py::test_ok": Outcome.PASSED, "test_b.py": Outcome.ERROR}
    assert "SyntaxError" in report.failures["test_b.py"]


@pytest.mark.parametrize(
    ("configuration", "note"),
    [
        ("[pytest]\naddopts = --cov=pkg -n 4 --benchmark-skip --strict-markers\n", None),
        ("[pytest]\naddopts = --no-such-option\n", "refused the target's options"),
        ("[pytest]\nrequired_plugins = pytest-nothing\n", "refused the target's options"),
        ("[pytest]\nminversion = 999\n", "refused the target's configuration"),
    ],
)
async def test_settings_that_pytest_refuses_do_not_stop_the_suite(bench, configuration, note):
    report = await bench.run({"pytest.ini": configuration, "test_a.py": PASSING})
    assert report.tests == {"test_a.py::test_ok": Outcome.PASSED}
    assert (note in report.output) if note else not report.output.startswith("[")


PLUG = "import pytest\n@pytest.fixture\ndef five():\n    return 5\n"


async def test_a_plugin_of_the_target_is_loaded_and_an_early_stop_is_not_obeyed(bench):
    files = {
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p pkg.plug -vx'\n",
        "pkg/plug.py": PLUG,
        "test_a.py": "def test_bad(): assert False\ndef test_five(five): assert five == 5\n",
    }
    report = await bench.run(files)
    assert report.tests == {"test_a.py::test_bad": Outcome.FAILED, "test_a.py::test_five": Outcome.PASSED}
    assert report.notes == ()


@pytest.mark.parametrize(
    ("options", "note"), [("-p no_such_plugin", "refused"), ("-p xdist", "left out here: xdist")]
)
async def test_a_plugin_that_does_not_load_or_is_left_out_is_told(bench, options, note):
    files = {"pytest.ini": f"[pytest]\naddopts = {options} -m 'not slow'\n", "test_a.py": PASSING}
    report = await bench.run(files)
    assert report.tests == {"test_a.py::test_ok": Outcome.PASSED}
    assert [note in one for one in report.notes] == [True]


async def test_configured_test_paths_are_followed(bench):
    files = {
        "pyproject.toml": "[tool.pytest.ini_options]\ntestpaths = ['checks']\naddopts = '-l'\n",
        "checks/test_a.py": PASSING,
        "other/test_b.py": PASSING,
    }
    assert list((await bench.run(files)).tests) == ["checks/test_a.py::test_ok"]


async def test_only_the_named_tests_run(bench):
    files = {
        "test_a.py": "import pytest\n@pytest.mark.parametrize('v', [1, 2])\ndef test_v(v): pass\n",
        "test_b.py": PASSING,
        "deep/test_c.py": PASSING,
        "deep/test_d.py": PASSING,
    }
    named = await bench.run(files, only=["test_a.py::test_v[2]", "test_b.py"])
    assert list(named.tests) == ["test_a.py::test_v[2]", "test_b.py::test_ok"]
    folder = await bench.run(files, only=["deep", "test_b.py::test_gone"])
    assert list(folder.tests) == ["deep/test_c.py::test_ok", "deep/test_d.py::test_ok"]


async def test_coverage_is_of_the_import_packages_alone(bench):
    files = {
        "pkg/extra.py": "def used():\n    return 1\n\n\ndef unused():\n    return 2\n",
        "pkg/never.py": "x = 1\n",
        "test_a.py": "from pkg.extra import used\ndef test_a(): used()\n",
    }
    report = await bench.run(files, coverage=True)
    assert report.end is SuiteEnd.FINISHED
    assert report.covered["pkg/extra.py"] == (1, 2, 5)
    assert report.missing == {"pkg/__init__.py": (2,), "pkg/extra.py": (6,), "pkg/never.py": (1,)}


async def test_odd_files_do_no_harm(bench, tmp_path):
    (tmp_path / "secret.py").write_text("def test_secret(): pass\n")

    def prepare(source):
        (source / "test_outside.py").symlink_to(tmp_path / "secret.py")
        (source / "pytest.ini").symlink_to("/etc/hostname")
        (source / "away").symlink_to("/root")

    report = await bench.run({"latin.py": b"# caf\xe9\nx = 1\n", "test_a.py": PASSING}, prepare=prepare)
    assert report.tests["test_a.py::test_ok"] is Outcome.PASSED
    assert "test_outside.py::test_secret" not in report.tests


async def test_a_child_process_of_a_test_does_not_speak_for_it(bench):
    files = {
        "test_f.py": """
        import os
        def test_parent():
            if os.fork() == 0:
                raise RuntimeError("in the child")
            os.wait()
        """
    }
    report = await bench.run(files)
    assert report.tests == {"test_f.py::test_parent": Outcome.PASSED}


async def test_a_suite_cannot_write_outside_its_tree_nor_alter_its_environment(bench):
    place = bench.environment.python.parent.parent / "pyvenv.cfg"
    before = place.read_bytes()
    files = {
        "test_w.py": f"""
        import pathlib, sys
        def test_environment(): pathlib.Path({str(place)!r}).write_text("altered")
        def test_plugin(): pathlib.Path(sys.modules["aps_report"].__file__).write_text("altered")
        """
    }
    report = await bench.run(files)
    assert set(report.tests.values()) == {Outcome.FAILED}
    assert place.read_bytes() == before


async def test_a_secret_that_a_suite_prints_stands_nowhere_in_its_report(bench):
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    source = f"""
    import pytest
    SECRET = {secret!r}
    @pytest.mark.parametrize("given", [SECRET])
    def test_named(given): pass
    def test_fails():
        print("printed", SECRET)
        assert SECRET == ""
    """
    report = await bench.run({"tests/test_all.py": source, "conftest.py": f"print({secret!r})\n"})
    assert list(report.tests.values()) == [Outcome.FAILED, Outcome.PASSED]
    assert "[***]" in report.failures["tests/test_all.py::test_fails"]
    assert secret not in report.model_dump_json()
