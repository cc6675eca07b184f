"""The data folders of the acceptance tests: environments are built once for the whole session."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.runtime.embedded.servers import EmbeddedServers
from tests.acceptance.command import improve
from tests.acceptance.targets import repository
from tests.conftest import run

Repositories = Callable[..., Path]


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """A folder that any uid may traverse (pytest's own temporary folders are closed)."""
    folder = Path(tempfile.mkdtemp(prefix="aps-acceptance-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def home(ground: Path) -> Iterator[Path]:
    """A data folder whose servers stay up, so that commands adopt them."""
    servers = EmbeddedServers(ground / "home")
    run(servers.join())
    yield ground / "home"
    run(servers.leave())


@pytest.fixture(scope="session")
def prepared(ground: Path, home: Path) -> Path:
    """The environments folder once the tiny project's environment stands in it."""
    ended = improve(home, repository(ground / "prepared"))
    assert ended.code == 0, ended.err
    return home / "environments"


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
