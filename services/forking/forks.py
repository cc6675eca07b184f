"""The forks of a data folder: where they stand, how they are called, how they are removed."""

import asyncio
import os
from pathlib import Path

from services.runtime.data_folder import is_root, make_folder, write_durably
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.settings import Settings, load
from services.workspace.files import remove as remove_folder
from services.workspace.fork import MARKER, NAME, Fork, UnreadableMarker, fork_of

FOLDER = "forks"


class WrongName(ValueError):  # noqa: N818 -- says what is wrong
    """No fork can be called so."""


class NameTaken(Exception):  # noqa: N818 -- what was found
    """A fork of that name stands already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a fork {name} stands already: give another --name, or aps fork remove {name}")


class NoSuchFork(LookupError):  # noqa: N818 -- what was found
    """There is no fork of that name; `known` are those there are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no fork {name!r}")
        self.name, self.known = name, known


def home_of(home: Path, name: str) -> Path:
    """Return the data folder of a fork. Raises `WrongName`."""
    if not NAME.fullmatch(name):
        raise WrongName(
            f"no fork can be called {name!r}: use up to 40 of a-z, 0-9 and -, a letter or digit first"
        )
    return home / FOLDER / name


def settings_of(folder: Path) -> Settings:
    """Return the settings that hold in a fork: those of the environment and its own file, less `OUTSIDE`."""
    return load({**os.environ, "APS_HOME": str(folder)})


def every(home: Path) -> tuple[Fork, ...]:
    """Return the forks of a data folder by name; one whose marker cannot be read is told as unfinished."""
    return tuple(_read(folder) for folder in sorted((home / FOLDER).glob("*")) if folder.is_dir())


def _read(folder: Path) -> Fork:
    try:
        found = fork_of(folder)
    except UnreadableMarker:
        found = None
    return found or Fork(folder.name, 0, "", "", str(folder.parent.parent), "")


def find(home: Path, name: str) -> Fork:
    """Return a fork by name. Raises `NoSuchFork`."""
    forks = {fork.name: fork for fork in every(home)}
    if name not in forks:
        raise NoSuchFork(name, tuple(forks))
    return forks[name]


def free_name(home: Path, seq: int, kind: str = "at") -> str:
    """Return a name for a fork at a sequence that none has yet."""
    taken, number, name = {fork.name for fork in every(home)}, 1, f"{kind}-{seq}"
    while name in taken:
        number += 1
        name = f"{kind}-{seq}-{number}"
    return name


def begin(home: Path, fork: Fork) -> Path:
    """Make the data folder of a new fork, its marker first. Raises `WrongName`, `NameTaken`."""
    folder = home_of(home, fork.name)
    mode = 0o711 if is_root() else 0o700
    make_folder(folder.parent, mode)
    try:
        folder.mkdir(mode=mode)
    except FileExistsError:
        raise NameTaken(fork.name) from None
    folder.chmod(mode)
    mark(folder, fork)
    return folder


def mark(folder: Path, fork: Fork) -> None:
    """Write the marker of a fork."""
    write_durably(folder / MARKER, fork.text())


async def remove(home: Path, name: str) -> None:
    """Stop the servers of a fork and remove all of it for good.

    Raises `NoSuchFork`, and ServerProblem when a command works in it.
    """
    find(home, name)
    folder = home / FOLDER / name
    await EmbeddedServers(folder).erase()
    await asyncio.to_thread(_remove, folder)


def _remove(folder: Path) -> None:
    """Remove the folder, its marker last: what is left of an interrupted removal is a fork still."""
    for inner in folder.iterdir():
        if inner.name != MARKER:
            remove_folder(inner)
    remove_folder(folder)
