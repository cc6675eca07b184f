"""`make setup` on a copy of the ground, with lock files that ask for nothing, so that no index is needed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

TELL_WHERE = "import os\nimport sys\n\nprint(__file__, *sys.argv[1:])\nprint(os.environ.get('APS_HOME'))\n"


def make(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "APS_"))
    }
    command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**plain, **environ}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout in a folder with a space, set up once; its `aps` tells where it is and what it was given."""
    folder = tmp_path_factory.mktemp("a checkout") / "with spaces"
    (folder / "requirements").mkdir(parents=True)
    (folder / "services" / "cli").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements/install.py"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("runtime", "test"):
        (folder / "requirements" / f"{name}.txt").write_text("# nothing\n")
    for package in ("services", "services/cli"):
        (folder / package / "__init__.py").touch()
    (folder / "services" / "cli" / "__main__.py").write_text(TELL_WHERE)
    first = make(folder, "setup")
    assert first.returncode == 0, first.stderr
    assert "the runtime packages are installed" in first.stdout
    yield folder
    shutil.rmtree(folder)


def test_a_second_setup_has_nothing_to_do(ground: Path) -> None:
    again = make(ground, "setup")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_changed_lock_is_installed_again(ground: Path) -> None:
    (ground / "requirements" / "runtime.txt").write_text("# still nothing\n")
    assert "installing requirements/runtime.txt" in make(ground, "setup").stdout
    assert make(ground, "setup").stdout == ""


def test_a_package_without_a_hash_is_refused_and_said_so(ground: Path) -> None:
    kept = (ground / "requirements" / "runtime.txt").read_text()
    (ground / "requirements" / "runtime.txt").write_text("toolz==1.2.0\n")
    refused = make(ground, "setup")
    assert refused.returncode != 0
    assert "pip could not install" in refused.stderr
    assert "hash" in refused.stderr.lower()
    (ground / "requirements" / "runtime.txt").write_text(kept)


def test_run_improves_the_pinned_project_or_the_one_named(ground: Path) -> None:
    source = ground / "services" / "cli" / "__main__.py"
    pinned = make(ground, "run").stdout.splitlines()[-2:]
    assert pinned == [f"{source} improve sdist:toolz==1.2.0", str(ground / ".aps")]
    named = make(ground, "run", "REPO=my own/project").stdout.splitlines()[-2:]
    assert named == [f"{source} improve my own/project", str(ground / ".aps")]


def test_aps_runs_the_checkout_wherever_it_is_called(ground: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "services" / "cli"
    stranger.mkdir(parents=True)
    (stranger / "__main__.py").write_text("raise SystemExit('not the one that was asked for')\n")
    called = subprocess.run(
        [ground / ".venv/bin/aps", "doctor"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert called.stdout.splitlines()[0] == f"{ground / 'services' / 'cli' / '__main__.py'} doctor"


def test_make_alone_lists_what_can_be_made(ground: Path) -> None:
    listed = {line.split()[0] for line in make(ground).stdout.splitlines() if line.startswith("  ")}
    assert listed >= {"setup", "run", "test", "test-long", "check", "cover", "bench", "lock"}
