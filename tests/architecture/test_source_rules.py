"""Rules of the source that neither the linter nor import-linter can say."""

import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("schemas", "events", "projections", "services")
LONGEST = 350
SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma)")
REASON = re.compile(r"#\s*(noqa|type:\s*ignore|pragma)[^#]*?(--|#)\s*\S+")
PATCHING = re.compile(
    r"mock\.patch|from unittest import mock|from unittest\.mock import|monkeypatch\.setattr\(\""
)


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def comments(path: Path) -> Iterator[tokenize.TokenInfo]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token


def place(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_nats_holds_configuration_only() -> None:
    # A Python file there would make the folder a package that hides the NATS client.
    assert [place(path) for path in (ROOT / "nats").rglob("*") if path.suffix in (".py", ".pyi")] == []


def test_no_file_is_too_long_to_read() -> None:
    files = python_files(*SHIPPED, "tests", "requirements")
    lengths = {place(path): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_only_subjects_spells_the_subjects_of_the_log() -> None:
    spelled = [path for path in python_files(*SHIPPED) if "aps.v1" in path.read_text("utf-8")]
    assert [place(path) for path in spelled] == ["events/subjects.py:1"]


def test_every_suppression_has_its_reason_on_its_line() -> None:
    bare = [
        place(path, token.start[0])
        for path in python_files(*SHIPPED, "tests", "requirements")
        for token in comments(path)
        if SUPPRESSION.match(token.string) and not REASON.match(token.string)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("comment", "allowed"),
    [
        ("# noqa: E501", False),
        ("# noqa: E501 --", False),
        ("# noqa: E501 -- a table reads better unbroken", True),
        ("# type: ignore[attr-defined]", False),
        ("# type: ignore[attr-defined]  # pytest offers no other way", True),
    ],
)
def test_a_reason_is_more_than_the_sign_for_one(comment: str, allowed: bool) -> None:
    assert bool(REASON.match(comment)) is allowed


def test_no_test_patches_what_it_tests() -> None:
    me = Path(__file__)
    patching = [
        path for path in python_files("tests") if path != me and PATCHING.search(path.read_text("utf-8"))
    ]
    assert [place(path) for path in patching] == []


def test_the_wheel_gets_every_package() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    there = {str(path.parent.relative_to(ROOT)).replace("/", ".") for path in python_files(*SHIPPED)}
    assert sorted(declared) == sorted(there | {"services.runtime.nats"})


def test_the_wheel_gets_every_file_that_is_not_python() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    taken: set[Path] = set()
    for package in setuptools["packages"]:
        folder = ROOT / setuptools["package-dir"].get(package, package.replace(".", "/"))
        patterns = setuptools["package-data"]["*"] + setuptools["package-data"].get(package, [])
        taken.update(path for pattern in patterns for path in folder.glob(pattern))
    there = {
        path
        for folder in (*SHIPPED, "nats")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    there -= set((ROOT / "services/runtime/nats").rglob("*"))  # what a build puts there, copied from nats/
    assert sorted(place(path) for path in there - taken) == []
