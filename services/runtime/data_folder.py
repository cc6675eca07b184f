"""The data folder: where each kind of file lives under APS_HOME, and which of it others may reach.

The log is the only state worth keeping; everything else here can be made again from it.
"""

import hashlib
import itertools
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.workspace.locks import alone_in

# Root's servers run as this uid and gid ("nobody" everywhere): PostgreSQL refuses to run as root.
SERVICE_UID = 65534
# State that must outlive temporary files: /var/tmp is swept by age on many systems, /var/lib is not.
SHARED_ROOT = Path("/var/lib/aps")
_PLACE_FILE = "place"
_OWNER_FILE = "home"


class UnusableFolder(Exception):  # noqa: N818 -- says what is wrong with the folder, as the glossary has it
    """A folder cannot serve; the message says which, why, and what to do."""


@dataclass(frozen=True)
class DataFolder:
    """The layout of one APS_HOME."""

    home: Path

    @property
    def servers(self) -> Path:
        """The embedded servers' data, unless `shared_place` puts it elsewhere."""
        return self.home / "servers"

    @property
    def credentials(self) -> Path:
        """Generated passwords, one file each, readable by the owner alone."""
        return self.home / "credentials"

    @property
    def keys(self) -> Path:
        """Signing keys, readable by the owner alone."""
        return self.home / "keys"

    @property
    def targets(self) -> Path:
        """Clones of the targets."""
        return self.home / "targets"

    @property
    def worktrees(self) -> Path:
        """Worktrees of those clones, one per piece of work."""
        return self.home / "worktrees"

    @property
    def environments(self) -> Path:
        """Virtual environments in which the targets' suites run."""
        return self.home / "environments"

    @property
    def engines(self) -> Path:
        """What engines keep of their sessions."""
        return self.home / "engines"

    @property
    def reports(self) -> Path:
        """Reports for people."""
        return self.home / "reports"

    @property
    def scratch(self) -> Path:
        """Files of the moment, one folder for each process."""
        return self.home / "scratch"

    @property
    def logs(self) -> Path:
        """Logs of the services and of the embedded servers."""
        return self.home / "logs"

    def create(self) -> None:
        """Make every folder that is missing; existing ones keep their mode.

        Root's home may be traversed (0711), because its servers and its sandbox run as another uid;
        anyone else's is closed (0700). Secrets and logs are closed in both.
        """
        traversable = 0o711 if is_root() else 0o700
        for folder in (self.home, self.servers):
            make_folder(folder, traversable)
        for folder in (self.credentials, self.keys, self.logs):
            make_folder(folder, 0o700)
        for folder in (self.targets, self.worktrees, self.environments, self.reports):
            make_folder(folder, 0o755)


def make_folder(path: Path, mode: int) -> None:
    """Make a missing folder, and its parents, with exactly `mode`, whatever the umask."""
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=mode, exist_ok=True)
    path.chmod(mode)


def write_durably(path: Path, text: str) -> None:
    """Write a file for the owner alone, so that after a crash it holds the old text or the new."""
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(fresh).replace(path)


def is_root() -> bool:
    """Whether this process must give its servers another uid."""
    return os.geteuid() == 0


def reachable_by_others(path: Path) -> bool:
    """Whether any uid may traverse every folder on the way to `path`, `path` included."""
    real = path.resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (real, *real.parents))


def shared_place(home: Path, shared_root: Path = SHARED_ROOT) -> Path:
    """Return the folder of the embedded servers' data for `home`, made if missing.

    It is `home`/servers wherever the servers' uid can reach that. Root's home under a closed folder
    (such as /root) gets `shared_root`/<12 hex of sha256 of home's path> instead (with -2, -3 and so
    on when that is there already), owned by root. The choice is made once and kept in
    `home`/servers/place, so that no data seem to vanish when a mode changes. Raises UnusableFolder
    when the place is not root's alone or belongs to another home.
    """
    folder = DataFolder(home)
    folder.create()
    kept = folder.servers / _PLACE_FILE
    with alone_in(folder.servers):
        if not kept.exists():
            write_durably(kept, str(_chosen_place(folder, shared_root)))
        place = folder.servers / kept.read_text("utf-8")
        if place != folder.servers:
            _claim(place, home)
    return place


def decided_place(home: Path) -> Path:
    """Return where the embedded servers' data of `home` lie, or its own folder while that is not decided."""
    servers = DataFolder(home).servers
    kept = servers / _PLACE_FILE
    return servers / kept.read_text("utf-8") if kept.exists() else servers


def _chosen_place(folder: DataFolder, shared_root: Path) -> Path:
    """Return a path relative to `folder.servers`: itself, or an absolute one."""
    if not is_root() or reachable_by_others(folder.servers):
        return Path()
    digest = hashlib.sha256(str(folder.home.resolve()).encode()).hexdigest()[:12]
    names = itertools.chain([digest], (f"{digest}-{number}" for number in itertools.count(2)))
    # What stands there belonged to a home that moved or was removed together with its passwords.
    return next(place for place in map(shared_root.absolute().joinpath, names) if not place.exists())


def _claim(place: Path, home: Path) -> None:
    """Make `place` the servers' folder of `home`, or say whose it is."""
    make_folder(place.parent, 0o755)
    make_folder(place, 0o755)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UnusableFolder(f"{place} must be a folder only uid {os.geteuid()} can write to; move it away")
    owner = place / _OWNER_FILE
    mine = str(home.resolve())
    other = owner.read_text("utf-8") if owner.exists() else ""
    if other == mine:
        return
    if other and Path(other).exists():
        raise UnusableFolder(
            f"the servers' data of {home} lie in {place}, which belongs to {other}: {home} seems to be a "
            f"copy. Remove {home / 'servers' / _PLACE_FILE} to begin with an empty log"
        )
    write_durably(owner, mine)
