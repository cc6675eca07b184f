"""What the launcher is told: one run spelled out in plain values.

The launcher imports this with a bare interpreter, so it is no dataclass: those cost more to import
than the launcher takes to run.
"""

import marshal

TMP = "/tmp"  # noqa: S108 -- private to each run
SHM = "/dev/shm"  # noqa: S108 -- private to each run


class Plan:
    """One run. Binds are (source, target, writable); `limits` are (resource name, bound)."""

    def __init__(
        self,
        *,
        parent: int,
        as_root: bool,
        uid: int,
        gid: int,
        network: bool,
        landlock: int,
        links: tuple[tuple[str, str], ...],
        parents: tuple[str, ...],
        binds: tuple[tuple[str, str, bool], ...],
        files: tuple[tuple[str, bytes], ...],
        home: str,
        tmp_bytes: int,
        limits: tuple[tuple[str, int], ...],
        filter_program: bytes,
        argv: tuple[str, ...],
        env: dict[str, str],
        cwd: str,
    ) -> None:
        self.parent = parent
        self.as_root = as_root
        self.uid = uid
        self.gid = gid
        self.network = network
        self.landlock = landlock
        self.links = links
        self.parents = parents
        self.binds = binds
        self.files = files
        self.home = home
        self.tmp_bytes = tmp_bytes
        self.limits = limits
        self.filter_program = filter_program
        self.argv = argv
        self.env = env
        self.cwd = cwd

    def packed(self) -> bytes:
        """Return the form that `unpacked` reads; both ends run the same interpreter."""
        return marshal.dumps(vars(self))


def unpacked(content: bytes) -> Plan:
    """Read a plan from the service that started this process."""
    return Plan(**marshal.loads(content))  # noqa: S302 -- written by our own parent, never by a target
