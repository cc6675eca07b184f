"""The lock files: complete, hashed, and saying nothing about where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("runtime", "test")


def locked(name: str) -> dict[str, Requirement]:
    """Requirements of a lock by name; those of one name that differ by platform count once."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [re.sub(r"\s--hash=\S+", "", line).strip() for line in text.splitlines()]
    return {canonicalize_name(each.name): each for each in map(Requirement, filter(None, lines))}


def declared() -> tuple[list[Requirement], list[Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed, testing = project["project"]["dependencies"], project["dependency-groups"]["test"]
    return [Requirement(one) for one in needed], [Requirement(one) for one in testing]


def test_every_declared_package_is_locked_at_a_version_it_allows() -> None:
    needed, testing = declared()
    for name, requirements in (("runtime", needed), ("test", needed + testing)):
        lock = locked(name)
        for requirement in requirements:
            pinned = lock[canonicalize_name(requirement.name)]
            (version,) = (specifier.version for specifier in pinned.specifier)
            assert requirement.specifier.contains(version), f"{name}: {pinned} is not {requirement}"


def test_testing_uses_the_very_versions_that_run() -> None:
    runtime, testing = locked("runtime"), locked("test")
    assert {name: str(testing.get(name)) for name in runtime} == {n: str(r) for n, r in runtime.items()}


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ")
    loose = [line[:60] for line in text.splitlines() if "==" not in line or " --hash=sha256:" not in line]
    assert loose == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_to_fetch_from(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    assert re.findall(r"://|^-|@ |/", re.sub(r"\s+--hash=", " ", text), re.MULTILINE) == []
