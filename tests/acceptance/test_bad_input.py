"""What a person may point the command at: each ends clearly, and nothing of theirs is touched."""

from pathlib import Path

import pytest

from tests.acceptance.command import aps, improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import (
    TESTS,
    WORDS,
    commit,
    fingerprint,
    git,
    landed,
    repository,
    subjects,
    write,
)

pytestmark = pytest.mark.slow

LANDED = {"deployment_complete", "partly_landed"}


def test_a_folder_that_is_no_repository_is_refused(home: Path, ground: Path) -> None:
    (ground / "plain").mkdir()
    ended = improve(home, ground / "plain")
    assert (ended.code, ended.out) == (2, "")
    assert "is not a git repository: run `git init`" in ended.err


def test_a_folder_that_is_not_there_is_refused(home: Path, ground: Path) -> None:
    ended = improve(home, ground / "nowhere")
    assert ended.code == 2
    assert "does not exist" in ended.err


def test_a_repository_without_commits_is_refused(home: Path, ground: Path) -> None:
    root = ground / "empty"
    root.mkdir()
    git(root, "init", "--quiet")
    ended = improve(home, root)
    assert ended.code == 2
    assert "has no commits" in ended.err


def test_a_repository_of_an_empty_commit_has_nothing_to_improve(home: Path, ground: Path) -> None:
    root = ground / "hollow"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    ended = improve(home, root)
    assert ended.code in (0, 1)
    assert "Traceback" not in ended.err
    assert git(root, "branch", "--list", "aps/improved") == ""


def test_an_unknown_source_distribution_is_named(home: Path) -> None:
    ended = aps(home, "improve", "sdist:no-such-project-of-anyone==9.9.9", "--json")
    assert ended.code in (3, 6)
    assert "no-such-project-of-anyone" in ended.err


def test_a_dirty_tree_is_left_alone_and_its_head_is_used(home: Path, target: Repositories) -> None:
    root = target()
    write(root, {"tiny/words.py": WORDS + "\nx = 1\n", "notes.txt": "mine"})
    git(root, "add", "tiny/words.py")
    before = fingerprint(root)
    ended = improve(home, root)
    assert ended.outcome["base"] == git(root, "rev-parse", "HEAD")
    assert any("uncommitted changes" in note for note in ended.outcome["notes"])
    assert fingerprint(root) == before
    assert LANDED & set(ended.statuses.values())


def test_a_detached_head_in_a_path_with_spaces_and_umlauts(home: Path, ground: Path, prepared: Path) -> None:
    root = repository(ground / "targets" / "größer als früher")
    git(root, "checkout", "--quiet", "--detach")
    before = fingerprint(root)
    ended = improve(home, root)
    assert any("HEAD is detached" in note for note in ended.outcome["notes"])
    assert len(subjects(root)) >= 6
    assert fingerprint(root) == before


def test_without_tests_nothing_lands_without_a_person(home: Path, ground: Path) -> None:
    root = ground / "targets" / "untested"
    write(root, {"pyproject.toml": '[project]\nname = "tiny"\nversion = "1.0"\n'})
    write(root, {"tiny/__init__.py": "", "tiny/words.py": WORDS})
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    ended = improve(home, root)
    assert set(ended.statuses.values()) <= {"testing_complete", "abandoned"}
    assert all("approve" in waiting["needs"] for waiting in ended.outcome["waiting"])
    assert any("no test that pytest finds" in note for note in ended.outcome["notes"])
    assert git(root, "branch", "--list", "aps/improved") == ""


def test_a_suite_that_fails_already_may_not_get_worse(home: Path, target: Repositories) -> None:
    root = target({"tests/test_known.py": "def test_known():\n    assert 1 == 2\n"})
    ended = improve(home, root)
    assert ended.outcome["tests_before"] == {"passed": 6, "failed": 1}
    assert ended.outcome["tests_after"] == {"passed": 6, "failed": 1}
    assert LANDED & set(ended.statuses.values())


@pytest.mark.parametrize(
    ("name", "test", "why"),
    [
        (
            "hangs",
            "import time\n\ndef test_it():\n    time.sleep(600)\n",
            "did not end within the time limit",
        ),
        ("leaves", "import os\n\ndef test_it():\n    os._exit(0)\n", "without finishing its report"),
        ("empty", "import os\nos._exit(0)\n", "without finishing its report"),
    ],
)
def test_a_suite_that_proves_nothing_lands_nothing(
    home: Path, target: Repositories, name: str, test: str, why: str
) -> None:
    root = target({"tests/test_words.py": test})
    before = fingerprint(root)
    ended = improve(home, root, APS_SUITE_TIMEOUT_SECONDS="3")
    assert not LANDED & set(ended.statuses.values())
    assert any(why in note for note in ended.outcome["notes"]), ended.outcome["notes"]
    assert fingerprint(root) == before
    assert git(root, "branch", "--list", "aps/improved") == ""


def test_a_suite_that_prints_megabytes_is_read_to_its_end(home: Path, target: Repositories) -> None:
    loud = "def test_loud():\n    for _ in range(20):\n        print('x' * 1_000_000)\n    assert True\n"
    root = target({"tests/test_loud.py": loud, "pytest.ini": "[pytest]\naddopts = -s\n"})
    ended = improve(home, root)
    assert ended.outcome["tests_after"] == {"passed": 7, "failed": 0}
    assert LANDED & set(ended.statuses.values())


def test_unreadable_files_are_left_alone_and_the_rest_is_improved(home: Path, target: Repositories) -> None:
    broken, latin = "def half(:\n    import os\n", "# caf\xe9\nimport os\n".encode("latin-1")
    root = target({"tiny/broken.py": broken, "tiny/latin.py": latin})
    ended = improve(home, root)
    assert LANDED & set(ended.statuses.values())
    assert git(root, "show", "aps/improved:tiny/broken.py") == broken.strip()
    assert git(root, "diff", "--name-only", "main", "aps/improved").splitlines() == ["tiny/words.py"]


def test_links_that_lead_outside_and_submodules_are_not_followed(
    home: Path, ground: Path, target: Repositories
) -> None:
    outside = ground / "outside-of-target" / "theirs.py"
    write(outside.parent, {outside.name: "import os\n"})
    inner = repository(ground / "targets" / "inner")
    root = target()
    (root / "tiny" / "link.py").symlink_to(outside)
    (root / "tiny" / "up").symlink_to(outside.parent)
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "vendor")
    commit(root, "Link")
    before = fingerprint(root)
    ended = improve(home, root)
    assert LANDED & set(ended.statuses.values())
    assert any("submodules are left alone" in note for note in ended.outcome["notes"])
    assert outside.read_text() == "import os\n"
    assert fingerprint(root) == before


def test_the_persons_hooks_and_settings_are_neither_run_nor_changed(home: Path, target: Repositories) -> None:
    root = target()
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "update", "post-receive"):
        path = root / ".git" / "hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch '{root}/ran-{hook}'\n")
        path.chmod(0o755)
    git(root, "config", "core.fsmonitor", f"touch '{root}/ran-fsmonitor'; false")
    ran_by_git_here = sorted(path.name for path in root.glob("ran-*"))
    before = fingerprint(root)
    ended = improve(home, root)
    assert len(landed(root)) == sum(status in LANDED for status in ended.statuses.values())
    assert sorted(path.name for path in root.glob("ran-*")) == ran_by_git_here
    assert fingerprint(root) == before


def test_what_the_tests_prove_is_what_was_there(home: Path, target: Repositories) -> None:
    root = target({"tests/test_words.py": TESTS + "\n\ndef test_more():\n    assert words.read\n"})
    ended = improve(home, root)
    outcome = ended.outcome
    assert outcome["findings_after"] < outcome["findings_before"] == 13
    assert outcome["head"] == git(root, "rev-parse", "aps/improved")
    assert outcome["tests_after"] == {"passed": 7, "failed": 0}
    assert outcome["suite_runs"] <= len(outcome["improvements"]) + 4
