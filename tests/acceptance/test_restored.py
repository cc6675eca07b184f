"""A log that was restored into another data folder is gone on with there, on the same target."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.command import aps, improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import subjects

pytestmark = pytest.mark.slow


def test_what_landed_is_taken_back_from_another_folder_and_work_goes_on_there(
    home: Path, fresh_home: Callable[[str], Path], target: Repositories, tmp_path: Path
) -> None:
    root, archive = target(), str(tmp_path / "aps.jsonl.gz")
    landed = improve(home, root)
    before = subjects(root)
    assert aps(home, "backup", "--with-keys", archive).code == 0
    there = fresh_home("restored")
    restored = aps(there, "restore", archive)
    assert restored.code == 0, restored.err
    taken = aps(there, "improvements", "rollback", landed.id_of("F401"))
    assert taken.code == 0, taken.err
    assert subjects(root)[:-1] == before
    again = improve(there, root)
    assert again.statuses == {**landed.statuses, "F401": "rolled_back"}
    assert again.outcome["suite_runs"] == 0
    for command in (("events", "verify"), ("replay", "--check")):
        assert aps(there, *command).code == 0
