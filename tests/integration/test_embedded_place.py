"""The embedded servers' data lie where the servers can reach them, and nowhere a stranger can write."""

import shutil
from pathlib import Path

import pytest

from services.runtime.data_folder import DataFolder, UnusableFolder, is_root, shared_place, write_durably

ROOT_ONLY = pytest.mark.skipif(not is_root(), reason="only root's servers run as another uid")


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "shared"


def test_the_data_folder_is_made_whatever_the_umask(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "home")
    folder.create()
    folder.create()
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.home.iterdir()}
    assert modes.pop("servers") == (0o711 if is_root() else 0o700)
    assert {name for name, mode in modes.items() if mode == 0o700} == {"credentials", "keys", "logs"}
    assert {name for name, mode in modes.items() if mode == 0o755} == {
        "environments", "reports", "targets", "worktrees",
    }  # fmt: skip


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o750)
    DataFolder(tmp_path / "home").create()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o750


def test_a_home_the_servers_reach_holds_their_data(open_home: Path, shared: Path) -> None:
    home = open_home / "reached"
    assert shared_place(home, shared) == home / "servers"
    assert shared_place(home, shared) == home / "servers"
    assert not shared.exists()


@ROOT_ONLY
def test_a_closed_home_has_a_place_elsewhere_that_stays_when_the_home_opens(
    closed: Path, shared: Path
) -> None:
    place = shared_place(closed / "home", shared)
    assert place.parent == shared
    assert place.stat().st_mode & 0o777 == 0o755
    closed.chmod(0o755)
    assert shared_place(closed / "home", shared) == place


@ROOT_ONLY
def test_a_home_that_moved_keeps_its_place(closed: Path, shared: Path) -> None:
    place = shared_place(closed / "home", shared)
    (closed / "home").rename(closed / "moved")
    assert shared_place(closed / "moved", shared) == place
    assert shared_place(closed / "home", shared) != place


@ROOT_ONLY
def test_a_home_that_was_removed_leaves_nothing_to_the_next_one(closed: Path, shared: Path) -> None:
    first = shared_place(closed / "home", shared)
    shutil.rmtree(closed / "home")
    assert shared_place(closed / "home", shared) == first.with_name(f"{first.name}-2")


@ROOT_ONLY
def test_a_copied_home_may_not_use_the_place_of_the_other(closed: Path, shared: Path) -> None:
    place = shared_place(closed / "home", shared)
    DataFolder(closed / "copy").create()
    write_durably(closed / "copy" / "servers" / "place", str(place))
    with pytest.raises(UnusableFolder, match=r"seems to be a copy. Remove .*copy/servers/place"):
        shared_place(closed / "copy", shared)
    (closed / "copy" / "servers" / "place").unlink()
    assert shared_place(closed / "copy", shared) != place


@ROOT_ONLY
@pytest.mark.parametrize("trap", ["link", "writable"])
def test_a_place_that_a_stranger_prepared_is_refused(closed: Path, shared: Path, trap: str) -> None:
    place = shared_place(closed / "home", shared)
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    if trap == "link":
        place.symlink_to(closed)
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(UnusableFolder, match="only uid 0 can write to"):
        shared_place(closed / "home", shared)
