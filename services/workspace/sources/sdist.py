"""Fetches source distributions from the person's package index and makes git repositories of them.

Nothing of a package is built or run on the host: pip's own index code finds and downloads the file; where
this pip's internals are unknown, a whole pip in the sandbox does it.
"""

import asyncio
import hashlib
import json
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.sandbox.port import Command, Limits, Sandbox
from services.workspace.files import remove
from services.workspace.git.repository import Identity, Repository
from services.workspace.sources import pip_fetch
from services.workspace.sources.archive import unpack
from services.workspace.sources.index import index_settings, python_with_pip, system_python_folders

_AUTHOR = Identity("Source distribution", "sdist@localhost")
_WHEN = datetime(2000, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")


class UnknownSdist(Exception):  # noqa: N818 -- what was asked for is unknown
    """The index offers no such source distribution; the message says what it does offer."""


class IndexUnreachable(Exception):  # noqa: N818 -- says what is wrong
    """The package index did not answer; the message carries what pip said."""


class WrongHash(Exception):  # noqa: N818 -- says what is wrong
    """The downloaded file is not the one expected."""


@dataclass(frozen=True)
class FetchedSdist:
    """A downloaded source distribution and its content hash (lower-case hex)."""

    path: Path
    sha256: str


async def fetch_sdist(
    name: str, version: str, sha256: str | None, cache: Path, sandbox: Sandbox
) -> FetchedSdist:
    """Download NAME==VERSION into `cache`, or find it there.

    Raises `UnknownSdist`, `IndexUnreachable`, or `WrongHash` when the file is neither what `sha256` nor
    what the index promised.
    """
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise UnknownSdist(f"{name}=={version} is not a distribution name and version: write NAME==VERSION")
    label = f"{re.sub(r'[-_.]+', '-', name).lower()}-{version}"
    kept = await asyncio.to_thread(_kept, cache / label, sha256)
    if kept:
        return kept
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{label}-", dir=cache) as scratch:
        fetched = await _download(name, version, Path(scratch), sandbox)
        if sha256 and fetched.sha256 != sha256:
            raise WrongHash(f"{fetched.path.name} has sha256 {fetched.sha256}, expected {sha256}")
        return await asyncio.to_thread(_keep, fetched, cache / label)


async def unpack_as_repository(sdist: FetchedSdist, dest: Path) -> Repository:
    """Make `dest` a repository with the archive's files as its one commit, or return the one made before.

    The same archive gives the same commit id everywhere. Raises `Unsafe` for a hostile archive.
    """
    repository = Repository(dest)
    if (dest / ".git").is_dir() and await repository.ref("HEAD"):
        return repository
    await asyncio.to_thread(remove, dest)
    await asyncio.to_thread(dest.parent.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{dest.name}-", dir=dest.parent) as scratch:
        building = Path(scratch) / "made"
        await asyncio.to_thread(unpack, sdist.path, building)
        made = Repository(building)
        await made.initialise(bare=False)
        tree = await made.import_folder(building)
        subject = f"Import {sdist.path.name}\n\nsha256: {sdist.sha256}"
        commit = await made.commit_tree(tree, (), subject, _AUTHOR, _WHEN)
        await made.set_ref("refs/heads/base", commit)
        await asyncio.to_thread(_move, building, dest)
    return Repository(dest)


def _move(building: Path, dest: Path) -> None:
    try:
        building.rename(dest)
    except OSError:
        if not (dest / ".git").is_dir():
            raise


async def _download(name: str, version: str, folder: Path, sandbox: Sandbox) -> FetchedSdist:
    python = await python_with_pip(folder.parent)
    process = await asyncio.create_subprocess_exec(
        str(python), "-I", pip_fetch.__file__, name, version, str(folder),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        stdout, stderr = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    said = stderr.decode("utf-8", "replace").strip()
    if process.returncode == pip_fetch.CANNOT_SAY:
        return await _download_in_sandbox(name, version, folder, sandbox)
    if process.returncode:
        raise IndexUnreachable(f"fetching {name}=={version} failed: {_last_line(said)}")
    answer: dict[str, object] = json.loads(stdout)
    if "versions" in answer:
        raise _unknown(name, version, answer["versions"], said)
    promised, found = answer["promised"], str(answer["sha256"])
    if promised and promised != found:
        raise WrongHash(f"{answer['file']} has sha256 {found}, the index promised {promised}")
    return FetchedSdist(folder / str(answer["file"]), found)


def _unknown(name: str, version: str, versions: object, said: str) -> Exception:
    offered = [str(one) for one in versions] if isinstance(versions, list) else []
    if offered:
        shown = ", ".join(offered[-8:])
        return UnknownSdist(f"{name} has no source distribution of version {version}; there are: {shown}")
    if "connection" in said.lower() or "retry" in said.lower():
        return IndexUnreachable(f"fetching {name}=={version} failed: {_last_line(said)}")
    return UnknownSdist(f"the package index has no source distribution called {name}")


def _last_line(said: str) -> str:
    return said.splitlines()[-1] if said else "pip said nothing"


async def _download_in_sandbox(name: str, version: str, folder: Path, sandbox: Sandbox) -> FetchedSdist:
    settings = await index_settings(folder.parent)
    arriving = folder / "arriving"
    await asyncio.to_thread(arriving.mkdir)
    sandbox.hand_over(arriving)
    config = folder / "pip.conf"
    await asyncio.to_thread(config.write_text, settings.config)
    python = await python_with_pip(folder.parent)
    argv = (
        str(python), "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--no-cache-dir",
        "--dest", str(arriving), f"{name}=={version}",
    )  # fmt: skip
    command = Command(
        argv,
        cwd=arriving,
        writable=(arriving,),
        readable=(*system_python_folders(), python.parent.parent, config, *settings.readable),
        env={**settings.env, "PIP_CONFIG_FILE": str(config)},
        network=True,
    )
    result = await sandbox.run(command, Limits(wall_seconds=600))
    arrived = await asyncio.to_thread(_listed, arriving)
    files = [one for one in arrived if one.is_file() and not one.is_symlink()]
    if result.exit_code or len(files) != 1:
        raise UnknownSdist(
            f"{name}=={version}: {_last_line(result.stderr.decode('utf-8', 'replace').strip())}"
        )
    return FetchedSdist(files[0], await asyncio.to_thread(_sha256, files[0]))


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _kept(folder: Path, sha256: str | None) -> FetchedSdist | None:
    for path in _listed(folder) if folder.is_dir() else []:
        found = _sha256(path)
        if sha256 in (None, found):
            return FetchedSdist(path, found)
    return None


def _keep(fetched: FetchedSdist, folder: Path) -> FetchedSdist:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / fetched.path.name
    fetched.path.replace(place)
    return FetchedSdist(place, fetched.sha256)
