"""Hostile and ordinary source archives."""

import io
import tarfile
import zipfile

import pytest

from services.workspace.files import Unsafe, read_regular, write_inside
from services.workspace.sources.archive import unpack


def archive(path, *members):
    with tarfile.open(path, "w:gz") as opened:
        for name, content, settings in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in settings.items():
                setattr(info, key, value)
            opened.addfile(info, io.BytesIO(content))
    return path


def link(name, to):
    return (name, b"", {"type": tarfile.SYMTYPE, "linkname": to})


def test_the_one_root_folder_is_taken_off(tmp_path):
    packed = archive(
        tmp_path / "a.tar.gz",
        ("a-1/pkg/run.sh", b"x", {"mode": 0o4777}),
        ("a-1/README", b"hello", {"mode": 0o600, "uid": 7}),
        link("a-1/pkg/docs", "../README"),
    )
    unpack(packed, tmp_path / "out")
    assert (tmp_path / "out/README").read_bytes() == b"hello"
    assert (tmp_path / "out/pkg/run.sh").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "out/pkg/docs").read_bytes() == b"hello"


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", b"x", {})],
        [("a-1/../../evil", b"x", {})],
        [("/etc/evil", b"x", {})],
        [link("a-1/out", "/etc")],
        [link("a-1/deep/out", "../../etc")],
        [link("a-1/out", ".."), ("a-1/out/evil", b"x", {})],
    ],
)
def test_what_would_leave_the_folder_is_refused(tmp_path, members):
    packed = archive(tmp_path / "a.tar.gz", *members)
    with pytest.raises(Unsafe):
        unpack(packed, tmp_path / "inner" / "out")
    written = [path for path in tmp_path.rglob("evil") if not path.is_relative_to(tmp_path / "inner" / "out")]
    assert written == []


def test_special_files_are_left_behind(tmp_path):
    packed = archive(tmp_path / "a.tar.gz", ("a/pipe", b"", {"type": tarfile.FIFOTYPE}), ("a/b", b"1", {}))
    unpack(packed, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]


def test_a_zip_is_unpacked_and_a_text_file_is_no_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("a-1/x.py", "1")
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out/x.py").read_text() == "1"
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(Unsafe, match="not a readable archive"):
        unpack(tmp_path / "text", tmp_path / "other")


def test_nothing_is_written_or_read_through_a_link(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree" / "way").symlink_to(tmp_path / "outside")
    with pytest.raises(Unsafe, match="is a link"):
        write_inside(tmp_path / "tree", "way/file", b"x")
    (tmp_path / "secret").write_text("s")
    (tmp_path / "tree" / "last").symlink_to(tmp_path / "secret")
    assert read_regular(tmp_path / "tree" / "last") is None
    write_inside(tmp_path / "tree", "last", b"mine")
    assert (tmp_path / "secret").read_text() == "s"
