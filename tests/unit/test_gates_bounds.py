"""A change stays inside its repository: every way out of it, and every way to steer git, is named."""

from collections.abc import Mapping

import pytest

from schemas.improvement import GateResult
from services.gates.bounds import LINK, SUBMODULE, Places, stays_inside

FILE = "100644"


def judged(path: str, after: str, before: str | None = None, mode: str = FILE) -> GateResult:
    return stays_inside({path: before}, {path: after}, Places({path: mode}))


def linked(links: Mapping[str, str], *new: str) -> GateResult:
    """Judge a change that brings the links `new` into a tree that then has `links`."""
    return stays_inside({}, links, Places(dict.fromkeys(new, LINK), links))


@pytest.mark.parametrize(
    ("path", "goal"),
    [
        ("link", "/etc/passwd"),
        ("link", "/"),
        ("link", ".."),
        ("pkg/link.py", "../../other/secret.py"),
        ("pkg/deep/link", "../../.."),
        ("link", "pkg/../../x"),
        ("link", "./..//."),
        ("a/link", "../a/../../a"),
    ],
)
def test_a_link_that_leads_out_is_named_with_where_it_leads(path: str, goal: str) -> None:
    result = linked({path: goal}, path)
    assert not result.passed
    assert result.evidence == f"{path}: a link that leads out of the repository, to {goal}"


@pytest.mark.parametrize(
    ("path", "goal"),
    [
        ("link", "README.md"),
        ("pkg/link.py", "../other.py"),
        ("pkg/link", ".."),
        ("pkg/a/link", "./../b/../c"),
        ("link", "nothing/is/there"),
        ("pkg/..link", "..x"),
    ],
)
def test_a_link_that_stays_may_come(path: str, goal: str) -> None:
    assert linked({path: goal}, path).passed


@pytest.mark.parametrize(
    ("links", "new"),
    [
        ({"up": "/", "link": "up/etc/passwd"}, "link"),
        ({"a/b/here": ".", "link": "a/b/here/../../.."}, "link"),
        ({"one": "two", "two": "one"}, "one"),
        ({"self": "self"}, "self"),
        ({f"l{n}": f"l{n + 1}" for n in range(50)}, "l0"),
    ],
    ids=["through-one-that-was-there", "down-a-link-and-up", "in-a-circle", "to-itself", "without-end"],
)
def test_a_link_is_followed_through_the_others(links: dict[str, str], new: str) -> None:
    assert "leads out of the repository" in linked(links, new).evidence


@pytest.mark.parametrize("goal", [".git", ".git/hooks", "pkg/../.GIT/config", "git~1/config"])
def test_a_link_to_what_is_gits_own_is_named(goal: str) -> None:
    assert "a link that leads to git's own files" in linked({"link": goal}, "link").evidence


@pytest.mark.parametrize("path", [".GIT/config", "pkg/.git", "git~1/hooks/x", "pkg/.Git /config"])
def test_a_path_that_would_be_gits_own_is_named(path: str) -> None:
    assert "it would belong to git" in judged(path, "x").evidence


def test_a_submodule_is_named() -> None:
    assert "vendor: a submodule" in judged("vendor", "", mode=SUBMODULE).evidence


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (".gitmodules", "[submodule]\n", "it says where submodules come from"),
        ("pkg/.gitattributes", "*.py filter=evil\n", "new: filter=evil, by which git hands files"),
        (".gitattributes", "a diff=evil\n* -text merge=evil\n", "new: diff=evil, merge=evil, by"),
        (".gitconfig", "[core]\n", "settings of git"),
        (".lfsconfig", "[lfs]\n", "settings of git"),
        (".githooks/pre-commit", "#!/bin/sh\n", "a hook"),
        (".husky/pre-push", "#!/bin/sh\n", "a hook"),
        ("git-hooks/post-checkout", "#!/bin/sh\n", "a hook"),
        ("lefthook.yml", "pre-commit:\n", "a hook"),
    ],
)
def test_what_steers_git_is_named(path: str, text: str, said: str) -> None:
    assert f"{path}: {said}" in judged(path, text).evidence
    assert judged(path, text, before=text).passed, "only its mode changed"


def test_what_steers_nobody_passes() -> None:
    attributes = "*.sh text eol=lf\n*.py diff=python\n*.md merge=union\n# filter=x\nx filter\n"
    assert judged(".gitattributes", attributes).passed
    assert judged(".gitattributes", "* filter=lfs\n*.py text\n", before="* filter=lfs\n").passed
    assert judged("pkg/hooks/airflow.py", "x = 1\n").passed
    assert judged(".gitignore", "*.pyc\n").passed


def test_what_goes_is_welcome() -> None:
    assert stays_inside({"vendor": None, "link": "/"}, {"vendor": None, "link": None}, Places()).passed
