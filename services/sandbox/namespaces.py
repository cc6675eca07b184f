"""The sandbox by the kernel alone: namespaces and Landlock, for a machine without bubblewrap.

The view, the limits and the system call filter are those of `Bubblewrap`; a launcher program builds
them with system calls. Landlock is a second wall behind the first where the kernel has it; the escape
suite holds for the namespaces alone too.
"""

import os
import platform
import sys
from pathlib import Path

from services.sandbox import bare, identity, landlock, seccomp
from services.sandbox.identity import GID, UID
from services.sandbox.memory_file import sealed
from services.sandbox.plan import Plan
from services.sandbox.port import Command, Hear, Limits, NoSandbox, Result
from services.sandbox.rlimits import of_process, tmp_bytes
from services.sandbox.supervise import Start, supervise
from services.sandbox.view import HOME, Bind, environment, view


class Namespaces:
    """Runs commands in namespaces of their own, with Landlock where the kernel has it."""

    def __init__(self, *, use_landlock: bool = True) -> None:
        if sys.platform != "linux":
            raise NoSandbox("namespaces are a Linux feature: run the services on Linux")
        self._filter = seccomp.program(platform.machine())
        self._landlock = landlock.version() if use_landlock else 0
        self.level = "namespaces+landlock" if self._landlock else "namespaces"

    async def run(self, command: Command, limits: Limits, hear: Hear | None = None) -> Result:
        """Run `command` as the port says."""
        plan = sealed(self._plan(command, limits).packed())
        reading, writing = os.pipe()
        start = Start(
            argv=bare.program("launch", str(plan), str(writing)),
            env={},
            inherited=(plan, writing),
            status=(reading, writing),
            stdin=command.stdin,
        )
        result = await supervise(start, limits, hear)
        if (reason := bare.failure(result)) is not None:
            raise NoSandbox(f"namespaces could not start: {reason}")
        return result

    def hand_over(self, path: Path) -> None:
        """Give the tree to the sandbox's uid when root."""
        identity.hand_over(path)

    def _plan(self, command: Command, limits: Limits) -> Plan:
        seen = view(command)
        return Plan(
            parent=os.getpid(),
            as_root=identity.is_root(),
            uid=UID,
            gid=GID,
            network=command.network,
            landlock=self._landlock,
            links=seen.links,
            parents=seen.parents,
            binds=tuple(map(_plain, (*seen.system, *seen.folders))),
            files=seen.files,
            home=HOME,
            tmp_bytes=tmp_bytes(limits),
            limits=of_process(limits),
            filter_program=self._filter,
            argv=command.argv,
            env=environment(command),
            cwd=str(command.cwd),
        )


def _plain(bind: Bind) -> tuple[str, str, bool]:
    return bind.source, bind.target, bind.writable
