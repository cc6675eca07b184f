"""The launcher: a small program that turns itself into namespaces around one command.

Started as a subprocess by `Namespaces` with a bare interpreter; imports nothing heavy. Three processes:
the outer one waits and ends the way the command ended; the first inside (process 1 of its namespace)
builds the root and reaps; the command is its child, and its end ends everything.

Rules:
1. Each process dies with its parent, and nothing starts inside before the service knows process 1.
2. Order in the command: own user namespace (its own process count), limits, working folder, uid,
   capabilities, Landlock, system call filter, program. Nothing of the target runs before the last.
3. From the moment the target's files are the root nothing can be imported any more: a module lying in
   them would run before the uid is dropped.
4. Failing to set up is told on the status descriptor, which no command inherits, and why on stderr.
"""

import _socket
import fcntl
import os
import resource
import sys

from services.sandbox import landlock, rootfs, syscalls
from services.sandbox.plan import SHM, TMP, Plan, unpacked

SETUP_FAILED = 125
NOT_EXECUTABLE, NOT_FOUND = 126, 127
MESSAGE = "sandbox: "
SIOCSIFFLAGS = 0x8914
UP_AND_RUNNING = 0x41
DEVICES = ("/dev", "/proc")
MAPPED, SHARED = b"m", b"s"


def main() -> None:
    """Run the plan read from the descriptor in argv, naming process 1 on the other descriptor."""
    plan_from, status = map(int, sys.argv[2:4])
    os.set_inheritable(status, False)
    with open(plan_from, "rb") as content:  # noqa: PTH123 -- a descriptor, not a path
        plan = unpacked(content.read())
    try:
        _outer(plan, status)
    except Exception as error:  # noqa: BLE001 -- the process boundary: a traceback would import modules
        _fail(error)


def _outer(plan: Plan, status: int) -> None:
    os.umask(0)
    _leave(plan)
    _die_with_parent()
    if os.getppid() != plan.parent:
        os._exit(SETUP_FAILED)
    go_read, go_write = os.pipe()
    end_read, end_write = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(go_write)
        os.close(end_read)
        _inside(plan, go_read, end_write)
    os.close(go_read)
    os.close(end_write)
    os.write(status, b'{"child-pid": %d}\n' % first)
    os.write(go_write, b"g")
    said = os.read(end_read, 4)
    os.waitpid(first, 0)
    _end_like(int.from_bytes(said, "little") if said else SETUP_FAILED << 8)


def _leave(plan: Plan) -> None:
    flags = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC
    flags |= syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWCGROUP
    if not plan.network:
        flags |= syscalls.CLONE_NEWNET
    if plan.as_root:
        syscalls.unshare(flags)
        return
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(flags | syscalls.CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _map("self", plan, uid, gid)


def _inside(plan: Plan, go: int, end: int) -> None:
    try:
        _die_with_parent()
        if os.read(go, 1) != b"g":  # the outer process is gone
            os._exit(SETUP_FAILED)
        syscalls.set_process(syscalls.PR_SET_DUMPABLE, 0)
        sys.meta_path.clear()
        rootfs.enter(plan)
        _socket.sethostname("sandbox")
        if not plan.network:
            _raise_loopback()
        command = _start(plan)
        syscalls.drop_bounding_set()
        syscalls.clear_capabilities()
        _reap_until(command, end)
    except Exception as error:  # noqa: BLE001 -- the process boundary, as in main
        _fail(error)


def _start(plan: Plan) -> int:
    asked_read, asked_write = os.pipe()
    done_read, done_write = os.pipe()
    command = os.fork()
    if command == 0:
        try:
            _become(plan, asked_write, done_read)
        except Exception as error:  # noqa: BLE001 -- the process boundary, as in main
            _fail(error)
    if os.read(asked_read, 1) == MAPPED:
        _map(str(command), plan, plan.uid, plan.gid)
    os.write(done_write, b"d")
    for descriptor in (asked_read, asked_write, done_read, done_write):
        os.close(descriptor)
    return command


def _become(plan: Plan, asked: int, done: int) -> None:
    os.setsid()
    os.write(asked, MAPPED if plan.as_root and _own_user_namespace() else SHARED)
    os.read(done, 1)
    for name, bound in plan.limits:
        resource.setrlimit(getattr(resource, name), (bound, bound))
    os.chdir(plan.cwd)
    rules = _landlock_rules(plan) if plan.landlock else None
    syscalls.drop_bounding_set()
    if plan.as_root:
        os.setgroups([])
        os.setresgid(plan.gid, plan.gid, plan.gid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
    syscalls.clear_capabilities()
    syscalls.set_process(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if rules is not None:
        landlock.restrict(rules)
    syscalls.filter_calls(plan.filter_program)
    os.umask(0o022)
    _execute(plan)


def _landlock_rules(plan: Plan) -> int:
    writable = tuple(target for _, target, may_write in plan.binds if may_write)
    return landlock.ruleset(plan.landlock, (*writable, TMP, SHM), DEVICES)


def _own_user_namespace() -> bool:
    """Give the run a process count of its own; without it runs of one uid share theirs."""
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
    except OSError:  # forbidden on this machine: the bound still holds, shared with the other runs
        return False
    return True


def _execute(plan: Plan) -> None:
    program = plan.argv[0]
    folders = ("",) if "/" in program else plan.env.get("PATH", os.defpath).split(":")
    answer, reason = NOT_FOUND, "no such program"
    for folder in folders:
        try:
            os.execve(f"{folder}/{program}" if folder else program, plan.argv, plan.env)  # noqa: S606 -- no shell is the point
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            answer, reason = NOT_EXECUTABLE, str(error.strerror)
    os.write(2, f"{program}: {reason}\n".encode(errors="replace"))
    os._exit(answer)


def _reap_until(command: int, end: int) -> None:
    while True:
        pid, status = os.wait()
        if pid == command:
            os.write(end, status.to_bytes(4, "little"))
            os._exit(0)


def _end_like(status: int) -> None:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != syscalls.SIGKILL:
            syscalls.end_by_default(number)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def _map(process: str, plan: Plan, uid: int, gid: int) -> None:
    root = "0 0 1\n" if plan.as_root else ""  # named, not held: the system's files show their owner
    _write(f"/proc/{process}/uid_map", f"{root}{plan.uid} {uid} 1")
    _write(f"/proc/{process}/gid_map", f"{root}{plan.gid} {gid} 1")


def _raise_loopback() -> None:
    request = b"lo".ljust(16, b"\0") + UP_AND_RUNNING.to_bytes(2, sys.byteorder) + bytes(22)
    socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(socket.fileno(), SIOCSIFFLAGS, request)
    socket.close()


def _die_with_parent() -> None:
    syscalls.set_process(syscalls.PR_SET_PDEATHSIG, syscalls.SIGKILL)


def _write(path: str, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.write(descriptor, content.encode())
    os.close(descriptor)


def _fail(error: Exception) -> None:
    os.write(2, f"{MESSAGE}{error}\n".encode(errors="replace"))
    os.write(int(sys.argv[3]), b'{"failed": true}\n')
    os._exit(SETUP_FAILED)
