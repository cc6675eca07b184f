"""The sandbox by bubblewrap: the program builds the root, a chain of small programs drops the rest.

Rules:
1. As root bubblewrap mounts as root (of a user namespace that maps everyone to themselves), so folders
   below closed ones can be shown, and keeps only what `setpriv` needs to become the sandbox's uid.
   Otherwise it makes a user namespace of its own.
2. The command's environment reaches no program before the uid is dropped: it is set by `env -i` after.
3. Options travel by a file descriptor, so any number of folders can be shown. The environment does not:
   the machine's process list shows it, so no secret belongs there.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from services.sandbox import identity, seccomp
from services.sandbox.identity import GID, UID
from services.sandbox.memory_file import sealed
from services.sandbox.plan import SHM, TMP
from services.sandbox.port import Command, Hear, Limits, NoSandbox, Result
from services.sandbox.rlimits import address_space, tmp_bytes
from services.sandbox.supervise import Start, supervise
from services.sandbox.user_namespace import UserNamespaces, entering, new_user_namespace
from services.sandbox.view import HOME, Bind, View, environment, view

SIGNALLED = range(129, 128 + 65)  # bubblewrap reports a death by signal n as 128 + n
RAN = b'"exit-code"'  # bubblewrap tells it of a command that was executed
ONLY_ROOT_KEEPS = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


class Bubblewrap:
    """Runs commands under `bwrap`."""

    level = "bubblewrap"

    def __init__(self) -> None:
        program = shutil.which("bwrap")
        if program is None:
            raise NoSandbox("bubblewrap is not installed: install the package `bubblewrap`")
        self._program = program
        self._filter = seccomp.program(platform.machine())
        self._namespaces = UserNamespaces(new_user_namespace)

    async def run(self, command: Command, limits: Limits, hear: Hear | None = None) -> Result:
        """Run `command`; an exit code 129 to 192 reads as the death by a signal it conventionally is."""
        if not identity.is_root():
            return await self._run(command, limits, hear, None)
        async with self._namespaces.one() as namespace:
            return await self._run(command, limits, hear, namespace)

    async def _run(
        self, command: Command, limits: Limits, hear: Hear | None, namespace: int | None
    ) -> Result:
        seen = view(command)
        files = tuple((sealed(content), path) for path, content in seen.files)
        rules = sealed(self._filter)
        reading, writing = os.pipe()
        options = (*_namespaces(command), *_root(seen, files, limits), "--chdir", "/")
        options += ("--json-status-fd", str(writing), "--seccomp", str(rules))
        arguments = sealed(b"".join(option.encode() + b"\0" for option in options))
        bwrap = (self._program, "--args", str(arguments), "--", *_inside(command, limits))
        start = Start(
            argv=(*_dying_with_us(), *(() if namespace is None else entering(namespace)), *bwrap),
            env={"PATH": os.defpath},
            inherited=(arguments, rules, writing, *(descriptor for descriptor, _ in files)),
            status=(reading, writing),
            stdin=command.stdin,
        )
        return _judged(await supervise(start, limits, hear))

    def hand_over(self, path: Path) -> None:
        """Give the tree to the sandbox's uid when root."""
        identity.hand_over(path)


def _dying_with_us() -> Iterator[str]:
    """Bubblewrap asks the kernel for it too, but only once it has begun to work."""
    alive = 'test "$PPID" = "$0" && exec "$@"'  # else we died before the signal was asked for
    yield from ("setpriv", "--pdeathsig", "KILL", "sh", "-c", alive, str(os.getpid()))


def _judged(result: Result) -> Result:
    if result.exit_code > 0 and RAN not in result.status:
        raise NoSandbox(f"bubblewrap could not start: {result.stderr.decode(errors='replace').strip()}")
    if result.exit_code in SIGNALLED:
        return replace(result, exit_code=128 - result.exit_code)
    return result


def _namespaces(command: Command) -> Iterator[str]:
    yield from ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
    if not command.network:
        yield "--unshare-net"
    yield from ("--hostname", "sandbox", "--die-with-parent", "--new-session", "--clearenv")
    yield from ("--cap-drop", "ALL")
    if identity.is_root():
        for capability in ONLY_ROOT_KEEPS:
            yield from ("--cap-add", capability)
    else:
        yield from ("--unshare-user", "--uid", str(UID), "--gid", str(GID))


def _root(seen: View, files: tuple[tuple[int, str], ...], limits: Limits) -> Iterator[str]:
    for target, link in seen.links:
        yield from ("--symlink", target, link)
    yield from ("--proc", "/proc", "--dev", "/dev")
    for folder in (SHM, TMP):
        yield from ("--perms", "1777", "--size", str(tmp_bytes(limits)), "--tmpfs", folder)
    yield from ("--perms", "1777", "--dir", HOME)
    for parent in seen.parents:  # made here because bubblewrap makes missing ones for its own uid alone
        yield from ("--perms", "0755", "--dir", parent)
    for bind in seen.system:
        yield from _bind(bind)
    for descriptor, path in files:
        yield from ("--perms", "0444", "--file", str(descriptor), path)
    for bind in seen.folders:
        yield from _bind(bind)
    yield from ("--remount-ro", "/dev", "--remount-ro", "/")


def _bind(bind: Bind) -> tuple[str, str, str]:
    return ("--bind" if bind.writable else "--ro-bind", bind.source, bind.target)


def _inside(command: Command, limits: Limits) -> Iterator[str]:
    if identity.is_root():
        yield from ("setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", "--no-new-privs")
        yield from ("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all")
    # The folder may be closed to all but the command's uid, so it is entered as that one.
    yield from (
        "env",
        "-C",
        str(command.cwd),
        "-i",
        *(f"{name}={value}" for name, value in environment(command).items()),
    )
    yield from ("/usr/bin/prlimit", f"--nproc={limits.processes}", f"--as={address_space(limits)}")
    yield from (f"--fsize={limits.file_bytes}", f"--nofile={limits.open_files}", "--core=0", "--")
    yield from command.argv
