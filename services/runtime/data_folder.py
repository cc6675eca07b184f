"""The data folder: where each kind of file lives under APS_HOME, and which of it others may reach.

The log is the only state worth keeping; everything else here can be made again from it.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

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
    def reports(self) -> Path:
        """Reports for people."""
        return self.home / "reports"

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
        self.home.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.home, self.servers):
            folder.mkdir(mode=traversable, exist_ok=True)
        for folder in (self.credentials, self.keys, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        for folder in (self.targets, self.worktrees, self.environments, self.reports):
            folder.mkdir(mode=0o755, exist_ok=True)


def is_root() -> bool:
    """Whether this process must give its servers another uid."""
    return os.geteuid() == 0


def reachable_by_others(path: Path) -> bool:
    """Whether any uid may traverse every folder on the way to `path`, `path` included."""
    real = path.resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (real, *real.parents))


def shared_place(home: Path) -> Path:
    """Return the folder of the embedded servers' data for `home`, made if missing.

    It is `home`/servers wherever the servers' uid can reach that. Root's home under a closed folder
    (such as /root) gets `/var/lib/aps/<12 hex of sha256 of home's path>` instead, owned by root.
    The choice is made once and kept in `home`/servers/place, so that data never seem to vanish when
    a mode changes. Raises UnusableFolder when the kept place belongs to another home.
    """
    folder = DataFolder(home)
    folder.create()
    kept = folder.servers / _PLACE_FILE
    if kept.exists():
        place = Path(kept.read_text("utf-8").strip())
        return folder.servers if place == Path() else _claim(place, home)
    place = folder.servers
    if is_root() and not reachable_by_others(folder.servers):
        name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
        place = _claim(SHARED_ROOT / name, home)
    kept.write_text("." if place == folder.servers else str(place), "utf-8")
    return place


def _claim(place: Path, home: Path) -> Path:
    """Make `place` the servers' folder of `home`, or say whose it is."""
    SHARED_ROOT.mkdir(mode=0o755, exist_ok=True)
    place.mkdir(mode=0o755, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UnusableFolder(f"{place} must be a folder only uid {os.geteuid()} can write to; move it away")
    owner = place / _OWNER_FILE
    resolved = str(home.resolve())
    if owner.exists() and (other := owner.read_text("utf-8")) != resolved and Path(other).exists():
        raise UnusableFolder(
            f"the servers' data of {home} lie in {place}, which belongs to {other}: "
            f"{home} seems to be a copy. Remove {home / 'servers' / _PLACE_FILE} to begin with an empty log"
        )
    owner.write_text(resolved, "utf-8")
    return place
