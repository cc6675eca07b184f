"""How this command was called, so that the commands it suggests work as they are typed."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def invocation() -> str:
    """Return the start of a command line that reaches the same data folder by the same program."""
    called = Path(sys.argv[0])
    program = os.path.relpath(called) if called.name == "aps" else "aps"
    found = shutil.which("aps")
    if found and called.exists() and Path(found).samefile(called):
        program = "aps"
    home = os.environ.get("APS_HOME")
    prefix = f"APS_HOME={shlex.quote(os.path.relpath(home))} " if home else ""
    return f"{prefix}{shlex.quote(program)}"
