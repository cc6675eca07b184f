"""Small targets with seeded findings, and what of a person's checkout must never change."""

import hashlib
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

BRANCH = "aps/improved"
PROJECT = '[project]\nname = "tiny"\nversion = "1.0"\n'
# One file in which several rules overlap on a line, so that taking one change back must repeat others.
WORDS = """import os
import sys


def joined(words):
    result = []
    for word in words:
        result.append(word.upper())
    return "%s" % ",".join(result)


def same(a, b):
    if not a == b:
        return False
    else:
        return True


def unique(words):
    return set([word for word in words])


def read(path):
    return open(path, "r").read()


def both(first, second):
    return list(zip(first, second))


def loud(mapping):
    return [name.upper() for name in mapping.keys()]


class Box(object):
    def __init__(self, value):
        self.value = value
"""
# SIM118 breaks it: what `loud` is given here has `keys` and cannot be iterated.
TESTS = """from tiny import words


class Keyed:
    def keys(self):
        return ["a"]


def test_joined():
    assert words.joined(["a", "b"]) == "A,B"


def test_same():
    assert words.same(1, 1)
    assert not words.same(1, 2)


def test_unique():
    assert words.unique(["a", "a"]) == {"a"}


def test_both():
    assert words.both([1], [2]) == [(1, 2)]
    assert words.loud(Keyed()) == ["A"]


def test_read(tmp_path):
    (tmp_path / "a").write_text("x")
    assert words.read(tmp_path / "a") == "x"


def test_box():
    assert words.Box(1).value == 1
"""
TINY: Mapping[str, str] = {
    "pyproject.toml": PROJECT,
    "tiny/__init__.py": "",
    "tiny/words.py": WORDS,
    "tests/test_words.py": TESTS,
}


def git(root: Path, *words: str) -> str:
    """Run git as the person who owns the target."""
    done = subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", *words],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def repository(root: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """Make a git repository of one commit: the tiny project with `files` on top of it."""
    write(root, {**TINY, **(files or {})})
    git(root, "init", "--quiet", "--initial-branch=main")
    return commit(root)


def commit(root: Path, message: str = "Begin") -> Path:
    """Commit everything there is."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return root


def fingerprint(root: Path) -> str:
    """Digest all that belongs to the person: files, index, HEAD, settings, hooks, every other ref."""
    digest = hashlib.sha256()
    kept = ("HEAD", "index", "config", "hooks", "info")
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root).parts
        if path.is_dir() and not path.is_symlink():
            continue
        if inside[0] != ".git" or (len(inside) > 1 and inside[1] in kept):
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            digest.update(f"{path.relative_to(root)} {path.lstat().st_mode:o}\0".encode() + content)
    refs = git(root, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    digest.update("\n".join(ref for ref in refs if BRANCH not in ref).encode())
    return digest.hexdigest()


def landed(root: Path, base: str = "main") -> list[tuple[str, str]]:
    """Return what stands on the release branch, oldest first: message without the id's digest, and tree."""
    text = git(root, "log", "--reverse", "--format=%T %B%x00", f"{base}..{BRANCH}")
    commits = [part.strip() for part in text.split("\0") if part.strip()]
    return [(message, tree) for tree, _, message in (one.partition(" ") for one in commits)]


def content(root: Path) -> list[tuple[str, str]]:
    """What landed, with the digests in ids left out: these name the target's folder."""
    return [
        (re.sub(r"(?<=Improvement-Id: )(\S+)-[0-9a-f]{8}", r"\1", text), sha) for text, sha in landed(root)
    ]


def subjects(root: Path, base: str = "main") -> list[str]:
    """Return the first lines of what stands on the release branch, oldest first."""
    return [message.splitlines()[0] for message, _ in landed(root, base)]


def tree(root: Path, ref: str = BRANCH) -> str:
    """Return the tree hash of a ref."""
    return git(root, "rev-parse", f"{ref}^{{tree}}")
