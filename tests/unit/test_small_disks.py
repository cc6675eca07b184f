"""What a test that fills a disk asks of it first, and tells of it when it fails."""

from pathlib import Path

import pytest

from services.sandbox.port import MIB
from tests.small_disks import describe, full, told


def test_a_disk_that_would_be_full_without_its_filler_fails_the_test_before_it_waits(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "left over").write_bytes(bytes(3 * MIB))
    with pytest.raises(AssertionError, match=r"MB free before the disk is filled:[^!]*3\.0 MB  environments"):
        full(tmp_path, least=2**62).__enter__()
    assert not (tmp_path / "filler").exists()


def test_a_disk_that_others_use_too_is_never_filled(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is no disk of its own"):
        full(tmp_path, least=0).__enter__()


def test_a_failure_tells_what_the_disk_holds_and_how_the_logs_of_its_servers_end(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "logs").mkdir(parents=True)
    (tmp_path / "theirs" / "logs" / "nats-server.log").write_text("ready\nno space left on device\n")
    (tmp_path / "theirs" / "servers" / "postgres" / "base").mkdir(parents=True)
    (tmp_path / "theirs" / "servers" / "postgres" / "base" / "1").write_bytes(bytes(2 * MIB))
    with pytest.raises(KeyError) as failed, told(tmp_path):
        raise KeyError
    assert failed.value.__notes__ == [describe(tmp_path)]
    assert "2.0 MB  theirs/servers/postgres" in describe(tmp_path)
    assert "theirs/logs/nats-server.log:\n  ready\n  no space left on device" in describe(tmp_path)
