"""The data folders of the acceptance tests: environments are built once for the whole session."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.runtime.embedded.servers import EmbeddedServers
from tests.acceptance.command import improve
from tests.acceptance.targets import repository
from tests.conftest import run
from tests.leftovers import session_folder

Repositories = Callable[..., Path]


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """A folder that any uid may traverse."""
    with session_folder("acceptance", run) as folder:
        yield folder


@pytest.fixture(scope="session")
def home(ground: Path) -> Iterator[Path]:
    """A data folder whose servers stay up, so that commands adopt them."""
    servers = EmbeddedServers(ground / "home")
    run(servers.join())
    yield ground / "home"
    run(servers.leave())


@pytest.fixture(scope="session")
def among_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def prepared(ground: Path, home: Path, among_workers: Path) -> Path:
    """A folder with the tiny project's environment and no other, built by one worker; `home` has it too."""
    kept = among_workers / "acceptance-environments"
    with (among_workers / "acceptance-environments.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            maker = ground / "maker"
            ended = improve(maker, repository(ground / "prepared"))
            assert ended.code == 0, ended.err
            shutil.copytree(maker / "environments", kept, symlinks=True)
            run(EmbeddedServers(maker).erase())
            shutil.rmtree(maker)
    for folder in kept.iterdir():
        own = home / "environments" / folder.name
        if folder.is_dir() and not own.exists():
            shutil.copytree(folder, own, symlinks=True)
    return kept


@pytest.fixture
def fresh_home(ground: Path, prepared: Path) -> Iterator[Callable[[str], Path]]:
    """Makes data folders with empty logs, in which the tiny project's environment is built already."""
    made: list[Path] = []

    def make(name: str) -> Path:
        folder = ground / name
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)
        shutil.copytree(prepared, folder / "environments", symlinks=True)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        run(EmbeddedServers(folder).erase())
        shutil.rmtree(folder)


@pytest.fixture
def target(ground: Path, request: pytest.FixtureRequest, prepared: Path) -> Repositories:
    """Makes a target of this test: the tiny project with files on top of it."""

    def make(files: dict[str, str | bytes] | None = None, name: str = "") -> Path:
        return repository(ground / "targets" / (request.node.name[:60].replace("[", "-") + name), files)

    return make
