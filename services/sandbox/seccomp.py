"""The system calls no sandboxed command gets, as a filter the kernel runs.

Rules:
1. What is refused: new namespaces (they give capabilities back), mounts, and kernel surfaces that tests
   do not need and exploits do. Refusals are errors, not deaths: programs fall back.
2. Calls of another architecture or of x32 do not exist here, so no second door stays open.
3. `clone3` hides its flags behind a pointer: it does not exist here, and the C library uses `clone`.
"""

from services.sandbox.port import NoSandbox

EPERM, ENOSYS = 1, 38
NAMESPACES = 0x7E020080  # CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}
X32 = 0x40000000

LD_WORD, JEQ, JGE, JSET, RET = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NR, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16

# audit architecture, clone, unshare, then calls refused outright
X86_64 = (0xC000003E, 56, 272, (155, 165, 166, 248, 249, 250, 298, 308, 321, 323))
AARCH64 = (0xC00000B7, 220, 97, (39, 40, 41, 217, 218, 219, 241, 268, 280, 282))
EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442)
CLONE3 = 435


def program(machine: str) -> bytes:
    """Return the filter for `machine` (as `uname -m` names it). Raises NoSandbox when none is known."""
    tables = {"x86_64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}
    if machine not in tables:
        raise NoSandbox(f"no system call filter for {machine}: use x86_64 or aarch64")
    audit, clone, unshare, refused = tables[machine]
    steps = [
        _step(LD_WORD, ARCHITECTURE),
        _step(JEQ, audit, 1, 0),
        _step(RET, ERRNO | ENOSYS),
        _step(LD_WORD, NR),
        _step(JGE, X32, 0, 1),
        _step(RET, ERRNO | ENOSYS),
        _step(JEQ, CLONE3, 0, 1),
        _step(RET, ERRNO | ENOSYS),
    ]
    for number in (*refused, *EVERYWHERE):
        steps += [_step(JEQ, number, 0, 1), _step(RET, ERRNO | EPERM)]
    steps += [
        _step(JEQ, clone, 1, 0),
        _step(JEQ, unshare, 0, 3),
        _step(LD_WORD, FIRST_ARGUMENT),
        _step(JSET, NAMESPACES, 0, 1),
        _step(RET, ERRNO | EPERM),
        _step(RET, ALLOW),
    ]
    return b"".join(steps)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")
