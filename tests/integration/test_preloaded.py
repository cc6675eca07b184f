"""The process from which commands of tests begin gives each what it was given, and tells how it ended."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.preloaded import LIBRARIES, Preloaded, Wanted

SAYS = """
import os, pathlib, sys
print(sorted(os.environ), pathlib.Path.cwd(), sys.argv[1:], sys.stdin.read(), end="")
print(*(name for name in sys.modules if name.split(".")[0] in ("services", "events", "projections")), end="")
sys.exit("of no use")
"""
ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def preloaded() -> Iterator[Preloaded]:
    begun = Preloaded(ENVIRONMENT)
    yield begun
    begun.end()


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    (tmp_path / "saying.py").write_text(SAYS)
    return Wanted("saying", ("a", "ü"), {"ONLY": "this", **ENVIRONMENT}, str(tmp_path))


def fresh(wanted: Wanted) -> tuple[int, str, str]:
    command = [sys.executable, "-m", wanted.module, *wanted.arguments]
    done = subprocess.run(
        command,
        env=wanted.environment,
        cwd=wanted.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_command_is_as_one_started_from_nothing(preloaded: Preloaded, wanted: Wanted) -> None:
    done = preloaded.run(wanted, 60)
    assert (done.returncode, done.stdout, done.stderr) == fresh(wanted)
    assert "['a', 'ü']" in done.stdout
    assert (done.returncode, done.stderr) == (1, "of no use\n")


def test_commands_run_side_by_side_and_one_that_takes_too_long_is_killed(
    preloaded: Preloaded, wanted: Wanted, tmp_path: Path
) -> None:
    (tmp_path / "hanging.py").write_text("import threading; threading.Event().wait()")
    endless = Wanted("hanging", (), wanted.environment, wanted.folder)
    with ThreadPoolExecutor(3) as threads:
        hangs = threads.submit(preloaded.run, endless, 2)
        others = [threads.submit(preloaded.run, wanted, 60) for _ in range(2)]
        assert [one.result().returncode for one in others] == [1, 1]
        with pytest.raises(subprocess.TimeoutExpired):
            hangs.result()


def test_no_library_is_ours() -> None:
    ours = {path.parent.name for path in Path(ENVIRONMENT["PYTHONPATH"]).glob("*/__init__.py")}
    assert ours >= {"events", "services"}
    assert not ours & {name.split(".")[0] for name in LIBRARIES}
