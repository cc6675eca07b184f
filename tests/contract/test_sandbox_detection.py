"""How a sandbox is found, which paths it refuses to show, and how files are handed over to it."""

import os
import time
from pathlib import Path

import pytest

from services.sandbox.detect import detect
from services.sandbox.port import Command, Limits, NoSandbox, Unrunnable
from tests.contract.test_sandbox import LEVELS, Cell, bubblewrap_is_there, cell_in


@pytest.fixture(params=LEVELS)
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    return cell_in(request.param, tmp_path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [("relative", "not absolute"), ("/", "whole"), ("/proc", "whole"), ("/no/such/folder", "does not exist")],
)
async def test_a_path_that_cannot_be_shown_is_refused_by_name(cell: Cell, path: str, reason: str) -> None:
    command = Command(argv=("true",), cwd=cell.work, writable=(cell.work, Path(path)))
    with pytest.raises(Unrunnable, match=reason):
        await cell.sandbox.run(command, Limits())


async def test_a_writable_symbolic_link_is_refused(cell: Cell) -> None:
    link = cell.home / "link"
    link.symlink_to("/usr")
    with pytest.raises(Unrunnable, match="symbolic link"):
        await cell.sandbox.run(Command(argv=("true",), cwd=cell.work, writable=(cell.work, link)), Limits())


async def test_a_working_folder_that_is_not_shown_is_refused(cell: Cell) -> None:
    with pytest.raises(Unrunnable, match="working folder"):
        await cell.sandbox.run(Command(argv=("true",), cwd=cell.home, writable=(cell.work,)), Limits())


def test_handing_over_follows_no_link_and_spares_files_with_other_names(cell: Cell) -> None:
    outside = cell.home / "outside"
    outside.write_text("mine")
    (cell.work / "link").symlink_to(outside)
    os.link(outside, cell.work / "other name")
    (cell.work / "deep").mkdir()
    (cell.work / "deep" / "file").write_text("theirs")
    cell.sandbox.hand_over(cell.work)
    owner = cell.work.stat().st_uid
    assert outside.stat().st_uid == os.geteuid()
    assert outside.stat().st_nlink == (1 if os.geteuid() == 0 else 2)
    assert (cell.work / "deep" / "file").stat().st_uid == owner
    assert (cell.work / "link").lstat().st_uid == owner
    assert (cell.work / "other name").read_text() == "mine"


def test_handing_over_a_big_tree_again_is_quick(cell: Cell) -> None:
    for folder in range(20):
        (cell.work / str(folder)).mkdir()
        for file in range(250):
            (cell.work / str(folder) / str(file)).touch()
    cell.sandbox.hand_over(cell.work)
    begun = time.monotonic()
    cell.sandbox.hand_over(cell.work)
    assert time.monotonic() - begun < 0.5


async def test_detection_prefers_bubblewrap_and_obeys_a_preference() -> None:
    assert bubblewrap_is_there()
    assert (await detect()).level == "bubblewrap"
    assert (await detect("namespaces")).level.startswith("namespaces")


async def test_detection_never_chooses_to_do_without() -> None:
    with pytest.raises(NoSandbox, match="install the package `bubblewrap`"):
        await detect("none")


@pytest.mark.parametrize(
    ("code", "says"),
    [(1, "bwrap: "), (1, "nsenter: "), (125, "sandbox: "), (125, 'sandbox: {"failed": true}')],
)
async def test_a_command_that_speaks_as_the_sandbox_does_is_not_taken_for_it(
    cell: Cell, code: int, says: str
) -> None:
    result = await cell.run("sh", "-c", f"echo '{says}no' >&2; exit {code}")
    assert (result.exit_code, result.stderr) == (code, f"{says}no\n".encode())
