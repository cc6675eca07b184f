"""Forks go with the data folder they were opened from; in a fork itself nothing is reset."""

from pathlib import Path

import pytest

from services.cli.care.erasing import reset
from services.cli.session import Exit, Stop
from services.forking import forks
from services.runtime.data_folder import decided_place
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.head_keys import signing_key
from services.runtime.settings import load
from services.workspace.fork import Fork

FORK = Fork("try", 12, "a" * 64, "2026-01-02T03:04:05+00:00", "/data", "2026-01-03T00:00:00+00:00", True)


async def test_a_reset_removes_the_forks_with_their_servers_data(tmp_path: Path) -> None:
    home = tmp_path / "home"
    fork = home / "forks" / "try"
    async with EmbeddedServers(home):
        forks.begin(home, FORK)
        async with EmbeddedServers(fork):
            places = [decided_place(home), decided_place(fork)]
    assert all(place.exists() for place in places)
    await reset(load({"APS_HOME": str(home)}), yes=True, as_json=False)
    assert not any(place.exists() for place in places)
    assert list(home.iterdir()) == []


async def test_a_fork_in_use_keeps_everything(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with EmbeddedServers(home):
        pass
    async with EmbeddedServers(forks.begin(home, FORK)):
        with pytest.raises(Exception, match="in use by another command"):
            await reset(load({"APS_HOME": str(home)}), yes=True, as_json=False)
        assert (home / "servers").is_dir()
    await reset(load({"APS_HOME": str(home)}), yes=True, as_json=False)


async def test_a_fork_is_removed_and_not_reset(tmp_path: Path) -> None:
    folder = forks.begin(tmp_path, FORK)
    with pytest.raises(Stop) as refused:
        await reset(load({"APS_HOME": str(folder)}), yes=True, as_json=False)
    assert refused.value.code is Exit.USAGE
    assert folder.is_dir()


def test_a_fork_never_signs_as_the_original(tmp_path: Path) -> None:
    folder = forks.begin(tmp_path, FORK)
    secret = {"SECRET_KEY_BASE": "k" * 40}
    keys = [
        signing_key(load({"APS_HOME": str(home), **given})).public.text
        for home in (tmp_path, folder)
        for given in ({}, secret)
    ]
    assert len({*keys}) == 4
    assert keys[3] == signing_key(load({"APS_HOME": str(folder), **secret})).public.text
