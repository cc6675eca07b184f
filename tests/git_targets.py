"""Targets made with the plain git command, for tests."""

import os
import subprocess
from datetime import UTC, datetime

from services.workspace.git.repository import Identity

ME = Identity("Some One", "one@example.invalid")
WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def git(folder, *args):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}
    done = subprocess.run(["git", *args], cwd=folder, env=env, check=True, capture_output=True)
    return os.fsdecode(done.stdout).strip()


def make(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "n")
    git(folder, "config", "user.email", "n@example.invalid")
    commit(folder, files)
    return folder


def commit(folder, files, message="one"):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


async def committed(clone, tmp_path, parent, files, message="change"):
    worktree = tmp_path / "editing"
    await clone.add_worktree(worktree, parent)
    for name, content in files.items():
        (worktree / name).write_bytes(content)
    tree = await clone.write_tree(worktree, sorted(files))
    return await clone.commit_tree(tree, [parent], message, ME, WHEN)
