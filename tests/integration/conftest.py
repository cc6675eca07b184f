"""A small target and our clone of it."""

import pytest

from services.workspace.git.repository import Repository
from tests.git_targets import make


@pytest.fixture
def target(tmp_path):
    return make(tmp_path / "spaced and ünïcode", {"a.py": b"one\ntwo\nthree\nfour\nfive\n", "ü.txt": b"x"})


@pytest.fixture
async def clone(tmp_path, target):
    repository = Repository(tmp_path / "data" / "clone.git")
    await repository.clone_from(target)
    return repository
