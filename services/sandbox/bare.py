"""How the small programs of the sandbox are started: a bare interpreter and one module of this package."""

import sys
from pathlib import Path

from services.sandbox.port import Result

SOURCES = str(Path(__file__).parents[2])
FAILED = b'"failed"'


def program(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs `main()` of `services.sandbox.<module>` with `arguments` in argv[2:].

    No site packages, no environment, no working folder on the path: only the standard library and,
    last, the sources of the services.
    """
    start = f"import sys; sys.path.append(sys.argv[1]); from services.sandbox.{module} import main; main()"
    return (sys.executable, "-I", "-S", "-c", start, SOURCES, *arguments)


def failure(result: Result) -> str | None:
    """Return what such a program said when it could not set up, None when it could."""
    return result.stderr.decode(errors="replace").strip() if FAILED in result.status else None
