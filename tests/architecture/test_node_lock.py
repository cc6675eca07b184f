"""The programs that come by npm are pinned, checked, and named without an index's address."""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "requirements" / "node"
WANTED = json.loads((FOLDER / "package.json").read_text("utf-8"))["dependencies"]
LOCKED = json.loads((FOLDER / "package-lock.json").read_text("utf-8"))["packages"]


def test_each_program_is_pinned_to_one_version() -> None:
    assert {name: LOCKED[f"node_modules/{name}"]["version"] for name in WANTED} == WANTED


def test_each_package_is_checked_by_its_hash() -> None:
    packages = {name: package for name, package in LOCKED.items() if name}
    assert packages
    assert [name for name, package in packages.items() if "integrity" not in package] == []


def test_no_address_of_an_index_stands_in_the_lock() -> None:
    text = "".join(path.read_text("utf-8") for path in FOLDER.iterdir())
    assert "://" not in text
    assert [name for name, package in LOCKED.items() if "resolved" in package] == []
