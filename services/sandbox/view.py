"""What a command sees: system folders, its own folders, a private /tmp, an identity, an environment.

Rules:
1. Pure apart from asking which paths exist; both back-ends build the same root from the same view.
2. Parents come before children, so a writable folder inside a readable one stays writable.
3. Nothing of /etc is seen but what programs need to start and to resolve names; no host account is.
4. A writable path that is itself a symbolic link is refused: its target was chosen by someone else.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.sandbox.identity import GID, UID, USER
from services.sandbox.plan import TMP
from services.sandbox.port import Command, Unrunnable

HOME = f"{TMP}/home"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
ETC_NETWORK = ("gai.conf", "host.conf", "hosts", "nsswitch.conf", "resolv.conf")
LOOPBACK_HOSTS = b"127.0.0.1 localhost\n::1 localhost\n"
FILES_ONLY = b"passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"
NEVER = ("/", "/proc", "/dev", "/sys", "/etc", TMP)  # the sandbox has its own of these


@dataclass(frozen=True)
class Bind:
    """A host path shown at `target`."""

    source: str
    target: str
    writable: bool


@dataclass(frozen=True)
class View:
    """The whole root of one run: `parents` are made as open folders, then binds are put in order."""

    links: tuple[tuple[str, str], ...]
    parents: tuple[str, ...]
    system: tuple[Bind, ...]
    files: tuple[tuple[str, bytes], ...]
    folders: tuple[Bind, ...]


def view(command: Command) -> View:
    """Say what `command` sees. Raises Unrunnable for paths that cannot be shown."""
    folders = _folders(command)
    _check_cwd(command.cwd, folders)
    links, base = _system()
    etc, copies = _etc((*ETC, *ETC_NETWORK) if command.network else ETC)
    system, files = (*base, *etc), (*_files(network=command.network), *copies)
    shown = (*(bind.target for bind in (*system, *folders)), *(path for path, _ in files))
    return View(links=links, parents=_parents(shown), system=system, files=files, folders=folders)


def environment(command: Command) -> dict[str, str]:
    """Return the whole environment of the command; its own entries win over the sandbox's."""
    own: Mapping[str, str] = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "TMPDIR": TMP,
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
    }
    return {**own, **command.env}


def _folders(command: Command) -> tuple[Bind, ...]:
    writable = {_checked(path, writable=True) for path in command.writable}
    readable = {_checked(path, writable=False) for path in command.readable} - writable
    binds = [Bind(os.path.realpath(path), path, writable=True) for path in writable]
    binds += [
        Bind(os.path.realpath(path), path, writable=False)
        for path in readable
        if not _under(path, SYSTEM)  # already there, read-only
    ]
    return tuple(sorted(binds, key=lambda bind: (bind.target.count("/"), bind.target)))


def _checked(path: Path, *, writable: bool) -> str:
    normal = os.path.normpath(path)
    if not path.is_absolute():
        raise Unrunnable(f"{path} is not absolute: the sandbox shows absolute paths only")
    if normal in NEVER:
        raise Unrunnable(f"{path} cannot be shown whole: name the folder below it that is needed")
    if writable and path.is_symlink():
        raise Unrunnable(f"{path} is a symbolic link: name the folder it leads to")
    if not path.exists():
        raise Unrunnable(f"{path} does not exist: create it before the run")
    return normal


def _check_cwd(cwd: Path, folders: tuple[Bind, ...]) -> None:
    normal = os.path.normpath(cwd)
    if normal in {"/", TMP}:
        return
    if not _under(normal, (*(bind.target for bind in folders), *SYSTEM)):
        raise Unrunnable(f"the working folder {cwd} is not among the folders the command may see")
    if not cwd.is_dir():
        raise Unrunnable(f"the working folder {cwd} does not exist")


def _parents(targets: Iterable[str]) -> tuple[str, ...]:
    """Return the folders above the mount points, outermost first."""
    own = {"/", TMP}  # made by the sandbox itself
    above = {"/etc", *own}
    for target in targets:
        while (target := os.path.dirname(target)) not in above:  # noqa: PTH120 -- for each mount of each run
            above.add(target)
    return tuple(sorted(above - own, key=lambda path: (path.count("/"), path)))


def _under(path: str, parents: tuple[str, ...]) -> bool:
    return any(path == parent or path.startswith(f"{parent}/") for parent in parents)


def _system() -> tuple[tuple[tuple[str, str], ...], tuple[Bind, ...]]:
    present = [Path(folder) for folder in SYSTEM if Path(folder).is_dir()]
    links = tuple((str(path.readlink()), str(path)) for path in present if path.is_symlink())
    binds = tuple(Bind(str(path), str(path), writable=False) for path in present if not path.is_symlink())
    return links, binds


def _etc(names: Iterable[str]) -> tuple[tuple[Bind, ...], tuple[tuple[str, bytes], ...]]:
    """Show folders as they are and copy files: one more mount takes bubblewrap longer than writing a file."""
    binds, copies = [], []
    for name in names:
        path = f"/etc/{name}"
        try:
            with open(path, "rb") as file:  # noqa: PTH123 -- fifteen of them in each run
                copies.append((path, file.read()))
        except IsADirectoryError:
            binds.append(Bind(os.path.realpath(path), path, writable=False))
        except (FileNotFoundError, PermissionError):
            continue  # the command could not have read it either
    return tuple(binds), tuple(copies)


def _files(*, network: bool) -> tuple[tuple[str, bytes], ...]:
    passwd = f"root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n{USER}:x:{UID}:{GID}:{USER}:{HOME}:/bin/sh\n"
    accounts = (
        ("/etc/passwd", passwd.encode()),
        ("/etc/group", f"root:x:0:\n{USER}:x:{GID}:\n".encode()),
    )
    names = (("/etc/hosts", LOOPBACK_HOSTS), ("/etc/nsswitch.conf", FILES_ONLY))
    return accounts if network else (*accounts, *names)
