"""Files of the moment lie in the data folder, and what a killed process left there is removed."""

import subprocess
import sys
import tempfile
from pathlib import Path

from services.runtime.scratch import scratch

KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from services.runtime.scratch import scratch
with scratch(Path(sys.argv[1])):
    Path(tempfile.mkdtemp(prefix="aps-suite-"), "report").write_text("half a rep")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_temporary_files_are_made_in_the_data_folder_and_are_gone_at_the_end(tmp_path: Path) -> None:
    former = tempfile.gettempdir()
    with scratch(tmp_path / "scratch") as folder:
        assert Path(tempfile.mkdtemp(prefix="aps-index-")).parent == folder
        assert folder.parent == tmp_path / "scratch"
    assert list((tmp_path / "scratch").iterdir()) == []
    assert tempfile.gettempdir() == former


def test_what_a_killed_process_left_goes_with_the_next_start(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    killed = subprocess.run(
        (sys.executable, "-c", KILLED, str(root)), check=False, cwd=Path(__file__).parents[2]
    )
    assert killed.returncode < 0
    assert [path.name for path in root.rglob("report")] == ["report"]
    with scratch(root) as folder:
        assert list(root.iterdir()) == [folder]


def test_what_a_living_process_uses_stays(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    with scratch(root) as first:
        with scratch(root) as second:
            assert first.is_dir()
            assert sorted(root.iterdir()) == sorted([first, second])
        assert list(root.iterdir()) == [first]


def test_a_stray_file_among_them_is_no_trouble(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    root.mkdir()
    (root / "stray").write_text("")
    (root / "link").symlink_to("/nonexistent")
    with scratch(root) as folder:
        assert folder.is_dir()
