"""Removes what a data folder holds: log, views, clones, sessions of engines, reports, logs; nothing else.

Rules
1. Only what this system makes is removed, by name. A target, a settings file, anything else stays.
2. Nothing is removed while another command uses the servers, nor from a folder that is no data folder.
3. A link is removed, never what it leads to.
"""

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from services.cli.care.settling_in import CONTEXT
from services.cli.session import Exit, Stop, print_json, say
from services.forking import forks
from services.runtime.data_folder import DataFolder
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.settings import Settings

# `servers` and `credentials` go with the servers themselves, before all others; each fork before them.
OWN = (
    "forks",
    "scratch",
    "keys",
    "targets",
    "repositories",
    "worktrees",
    "environments",
    "engines",
    "sources",
    "downloads",
    "reports",
    "logs",
)


async def reset(settings: Settings, *, yes: bool, as_json: bool) -> None:
    """Ask, stop the embedded servers, remove. Raises ServerProblem when another command uses them."""
    home = settings.home
    if settings.fork:
        raise Stop(Exit.USAGE, f"this is the fork {settings.fork}: aps fork remove it, where it was opened")
    if not looks_like_data_folder(home):
        say(f"nothing to remove: {home} is no data folder")
        if as_json:
            print_json({"home": str(home), "removed": []})
        return
    there = [*(DataFolder(home).servers, DataFolder(home).credentials), *own(home)]
    if not yes:
        _confirm(home, there)
    await _erase(home)
    if as_json:
        print_json({"home": str(home), "removed": [str(path) for path in there]})
    say(f"removed from {home}: {', '.join(path.name for path in there)}")
    if settings.nats_url is not None:
        say("NATS_URL is set: the log there stands as before")
    if settings.database_url is not None:
        say("DATABASE_URL is set: the views there stand as before")


async def _erase(home: Path) -> None:
    for fork in forks.every(home):
        await forks.remove(home, fork.name)
    await EmbeddedServers(home).erase()
    await asyncio.to_thread(_remove_all, own(home))


def looks_like_data_folder(home: Path) -> bool:
    """Whether a command has worked here, and it is nobody's home and no repository."""
    folder = DataFolder(home)
    embedded = folder.servers.is_dir() and folder.credentials.is_dir()
    given = (home / "repositories").is_dir() and any(folder.logs.glob("*.jsonl"))
    others = home.resolve() in (Path.home().resolve(), Path("/")) or (home / ".git").exists()
    return (embedded or given) and not others


def own(home: Path) -> list[Path]:
    """Return what is there of this system's own, beside servers and credentials."""
    paths = [home / name for name in (*OWN, CONTEXT)]
    return [path for path in paths if path.exists() or path.is_symlink()]


def _confirm(home: Path, there: list[Path]) -> None:
    say(f"this removes for good, the log included, from {home}:")
    for path in there:
        say(f"  {path.name}")
    if not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "nobody to ask: give --yes")
    if not typer.confirm("remove it?", default=False, err=True):
        raise Stop(Exit.FAILED, "nothing was removed")


def _remove_all(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, onerror=_made_removable)
        else:
            path.unlink()


def _made_removable(remove: Callable[[str], Any], path: str, _: object) -> None:
    """Remove what a read-only folder kept, once its mode allows it."""
    folder = Path(path).parent
    folder.chmod(folder.stat().st_mode | stat.S_IRWXU)
    if remove in (os.open, os.scandir, os.lstat):  # the folder itself could not be read
        Path(path).chmod(stat.S_IRWXU)
        shutil.rmtree(path)
    else:
        remove(path)
