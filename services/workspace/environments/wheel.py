"""Reads built wheels as plain archives: their metadata, and the files a build made that no tree tracks."""

import posixpath
import re
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

from services.workspace.files import MIB, Unsafe, relative_parts
from services.workspace.layout import Layout

_MOST_BYTES = 512 * MIB
_DATA = re.compile(r"^[^/]+\.data/(?:purelib|platlib)/")


def read_metadata(wheel: Path) -> str:
    """Return the text of the wheel's METADATA, empty when it has none."""
    with zipfile.ZipFile(wheel) as opened:
        for info in opened.infolist():
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", info.filename) and info.file_size < 8 * MIB:
                return opened.read(info).decode("utf-8", "replace")
    return ""


def generated_files(wheel: Path, layout: Layout, tracked: Collection[str]) -> Mapping[str, bytes]:
    """Return what the wheel has inside the import packages and the tree does not: tree path to content.

    A compiled form of a module whose source is tracked stays out: it would hide the source under test.
    """
    found: dict[str, bytes] = {}
    prefix = "" if layout.root == "." else f"{layout.root}/"
    with zipfile.ZipFile(wheel) as opened:
        for info in opened.infolist():
            path = prefix + _DATA.sub("", info.filename)
            if _wanted(path, info, layout, tracked):
                relative_parts(path)
                found[path] = opened.read(info)
            if sum(map(len, found.values())) > _MOST_BYTES:
                raise Unsafe(f"{wheel.name} generates more than {_MOST_BYTES} bytes")
    return found


def _wanted(path: str, info: zipfile.ZipInfo, layout: Layout, tracked: Collection[str]) -> bool:
    inside = any(path.startswith(f"{package}/") for package in layout.packages)
    if info.is_dir() or not inside or path in tracked or info.file_size > _MOST_BYTES:
        return False
    folder, name = posixpath.split(path)
    compiled = name.endswith((".so", ".pyd"))
    return not (compiled and posixpath.join(folder, f"{name.split('.')[0]}.py") in tracked)
