"""Finds the sandbox this machine can give, by trying each back-end once per process.

Rules:
1. A back-end counts only after a real run: being installed or being root proves nothing.
2. Running without a sandbox is never chosen here; a caller who accepts it constructs `Unsandboxed`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from services.sandbox.bubblewrap import Bubblewrap
from services.sandbox.namespaces import Namespaces
from services.sandbox.port import Command, Ended, Limits, NoSandbox, Sandbox

BACK_ENDS: tuple[tuple[str, Callable[[], Sandbox]], ...] = (
    ("bubblewrap", Bubblewrap),
    ("namespaces", Namespaces),
)
PROBE = Command(argv=("sh", "-c", "exit 7"), cwd=Path("/"))
PROBE_LIMITS = Limits(wall_seconds=10.0)
CURE = "install the package `bubblewrap`, or allow user namespaces to this user (or run as root)"


async def detect(prefer: str | None = None) -> Sandbox:
    """Return a sandbox that works here, bubblewrap first, or only the back-end named by `prefer`.

    `prefer` is a level or the beginning of one. Raises NoSandbox with each reason and the cure.
    """
    reasons = []
    for name, make in BACK_ENDS:
        if prefer is not None and not prefer.startswith(name):
            continue
        found = await _tried(name, make)
        if not isinstance(found, NoSandbox):
            return found
        reasons.append(f"{name}: {found}")
    if not reasons:
        reasons.append(f"no sandbox is called {prefer}")
    raise NoSandbox("; ".join([*reasons, CURE]))


@cache
def _verdicts() -> dict[str, Sandbox | NoSandbox]:
    return {}


async def _tried(name: str, make: Callable[[], Sandbox]) -> Sandbox | NoSandbox:
    verdicts = _verdicts()
    if name not in verdicts:
        verdicts[name] = await _probed(make)
    return verdicts[name]


async def _probed(make: Callable[[], Sandbox]) -> Sandbox | NoSandbox:
    try:
        sandbox = make()
        result = await sandbox.run(PROBE, PROBE_LIMITS)
    except NoSandbox as reason:
        return reason
    if result.ended is Ended.EXITED and result.exit_code == 7:
        return sandbox
    said = result.stderr.decode(errors="replace").strip()
    return NoSandbox(f"a probe ended with {result.ended} {result.exit_code}: {said}")
