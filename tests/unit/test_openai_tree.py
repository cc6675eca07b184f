"""The files a model may reach: every way out of the work tree, tried."""

import ctypes
import os
import socket
import threading
from pathlib import Path

import pytest

from services.engines.openai_compatible.tree import FILE_BYTES, NAMES, Inaccessible, Tree

AT_FDCWD = -100
RENAME_EXCHANGE = 2


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "src").mkdir(parents=True)
    (folder / ".git/hooks").mkdir(parents=True)
    (folder / "src/a.py").write_text("a = 1\n")
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "inner.txt").symlink_to("src/a.py")
    (folder / "away").symlink_to(outside)
    (folder / "src/up").symlink_to("..")
    (folder / "dangling").symlink_to(outside / "made.txt")
    os.mkfifo(folder / "pipe")
    return folder


WAYS_OUT = (
    "../outside/secret.txt",
    "src/../../outside/secret.txt",
    "src/../src/a.py",
    "/etc/passwd",
    "//etc/passwd",
    "link.txt",
    "inner.txt",
    "away/secret.txt",
    "away/new.txt",
    "src/up/src/a.py",
    "dangling",
    "pipe",
    "src",
    "",
    ".",
    ".git/config",
    ".git",
    "./.git/hooks/pre-commit",
    ".GIT/hooks/pre-commit",
    ".git./hooks/pre-commit",
    ".git /hooks/pre-commit",
    "src/.git/config",
    "src/a.py/b",
    "src/a\0.py",
    "src/a\n.py",
    "x" * 300,
    "x/" * 3_000,
)


@pytest.mark.parametrize("path", WAYS_OUT)
def test_no_path_leads_out_of_the_tree(root: Path, outside: Path, path: str) -> None:
    before = {each: each.lstat() for each in (*root.rglob("*"), *outside.rglob("*"))}
    with pytest.raises(Inaccessible):
        Tree(root).read(path)
    with pytest.raises(Inaccessible):
        Tree(root).write(path, "changed")
    with pytest.raises(Inaccessible):
        Tree(root).replace(path, "secret", "changed")
    after = {each: each.lstat() for each in (*root.rglob("*"), *outside.rglob("*"))}
    assert {each: (found.st_mtime_ns, found.st_size) for each, found in after.items()} == {
        each: (found.st_mtime_ns, found.st_size) for each, found in before.items()
    }


@pytest.mark.parametrize("path", ["..", "away", "src/up", "/", ".git", "link.txt", "pipe", "nowhere"])
def test_nothing_outside_is_listed(root: Path, path: str) -> None:
    with pytest.raises(Inaccessible):
        Tree(root).names(path)


def test_a_listing_names_files_and_follows_no_link(root: Path) -> None:
    assert Tree(root).names(".") == (
        "away (a link, not followed)",
        "dangling (a link, not followed)",
        "inner.txt (a link, not followed)",
        "link.txt (a link, not followed)",
        "src/a.py",
        "src/up (a link, not followed)",
    )
    assert Tree(root).names("src/") == ("src/a.py", "src/up (a link, not followed)")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_neither_read_nor_written(root: Path) -> None:
    os.mknod(root / "zero", 0o600 | 0o020000, os.makedev(1, 5))
    with pytest.raises(Inaccessible, match="no regular file"):
        Tree(root).read("zero")
    with pytest.raises(Inaccessible, match="no regular file"):
        Tree(root).write("zero", "x")


def test_a_socket_is_neither_read_nor_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(Inaccessible, match="no regular file"):
            Tree(root).read("s")
        with pytest.raises(Inaccessible, match="no regular file"):
            Tree(root).write("s", "x")


def test_a_hard_link_is_replaced_and_never_written_through(root: Path, outside: Path) -> None:
    os.link(outside / "secret.txt", root / "hard.txt")
    Tree(root).write("hard.txt", "changed")
    assert (outside / "secret.txt").read_text() == "secret"
    assert (root / "hard.txt").read_text() == "changed"


def test_an_enormous_file_is_not_read(root: Path) -> None:
    with (root / "huge").open("wb") as huge:
        huge.truncate(50 * 1024**3)
    with pytest.raises(Inaccessible, match=f"over {FILE_BYTES} bytes"):
        Tree(root).read("huge")


def test_what_is_written_is_bounded_for_each_file_and_for_the_task(root: Path) -> None:
    tree = Tree(root)
    with pytest.raises(Inaccessible, match=f"over {FILE_BYTES} bytes"):
        tree.write("big.txt", "x" * (FILE_BYTES + 1))
    for _ in range(16):
        tree.write("fits.txt", "x" * FILE_BYTES)
    with pytest.raises(Inaccessible, match="in this task"):
        tree.write("more.txt", "x")
    assert not (root / "big.txt").exists()
    assert not (root / "more.txt").exists()


def test_a_replacement_cannot_grow_a_file_beyond_its_bound(root: Path) -> None:
    with pytest.raises(Inaccessible, match=f"over {FILE_BYTES} bytes"):
        Tree(root).replace("src/a.py", "1", "1" * FILE_BYTES)
    assert (root / "src/a.py").read_text() == "a = 1\n"


def test_what_is_no_text_is_not_read(root: Path) -> None:
    (root / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Inaccessible, match="not UTF-8"):
        Tree(root).read("binary")


def test_a_file_keeps_its_mode_and_a_write_leaves_nothing_else(root: Path) -> None:
    (root / "src/a.py").chmod(0o755)
    Tree(root).write("src/a.py", "a = 2\n")
    Tree(root).write("src/deep/er/b.py", "")
    assert (root / "src/a.py").stat().st_mode & 0o7777 == 0o755
    assert (root / "src/deep/er/b.py").stat().st_mode & 0o7777 == 0o644
    assert sorted(each.name for each in (root / "src").iterdir()) == ["a.py", "deep", "up"]


def test_a_set_user_bit_is_not_kept(root: Path) -> None:
    (root / "src/a.py").chmod(0o4755)
    Tree(root).write("src/a.py", "a = 2\n")
    assert (root / "src/a.py").stat().st_mode & 0o7777 == 0o755


def test_a_very_wide_and_a_very_deep_tree_are_listed_within_bounds(root: Path) -> None:
    for number in range(NAMES + 50):
        (root / "src" / f"{number}.txt").touch()
    listed = Tree(root).names("src")
    assert len(listed) == NAMES + 1
    assert "and more" in listed[-1]
    deep = root / "deep"
    for _ in range(100):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "bottom.txt").touch()
    assert [each for each in Tree(root).names("deep") if "not looked into" in each]


def test_a_name_that_is_no_text_does_not_spoil_a_listing(root: Path) -> None:
    os.close(os.open(os.fsencode(root) + b"/bad\xff.txt", os.O_CREAT | os.O_WRONLY))
    assert "bad\ufffd.txt" in Tree(root).names(".")


def test_a_tree_that_goes_away_is_said_and_not_raised(tmp_path: Path) -> None:
    with pytest.raises(Inaccessible, match="no such file"):
        Tree(tmp_path / "gone").read("a.py")


def test_a_folder_swapped_for_a_link_meanwhile_never_leads_out(root: Path, outside: Path) -> None:
    """While one side exchanges `door` for a link that leads out and back, the other writes into it."""
    libc = ctypes.CDLL(None, use_errno=True)
    (root / "door").mkdir()
    names = os.fsencode(root / "door"), os.fsencode(root / "away")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            assert libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0

    exchanging = threading.Thread(target=exchange)
    exchanging.start()
    wrote = refused = 0
    try:
        while (wrote < 50 or refused < 50) and wrote + refused < 20_000:
            try:
                Tree(root).write("door/secret.txt", "changed")
                wrote += 1
            except Inaccessible:
                refused += 1
    finally:
        stop.set()
        exchanging.join()
    assert (wrote > 0, refused > 0) == (True, True)
    assert [(each.name, each.read_text()) for each in outside.iterdir()] == [("secret.txt", "secret")]
