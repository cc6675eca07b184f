"""How this command was called, so that the commands it suggests work as they are typed."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def invocation(other: Path | None = None) -> str:
    """Return the start of a command line that reaches the same data folder, or another, by this program."""
    beside = Path(sys.executable).with_name("aps")
    found = shutil.which("aps")
    is_on_path = found is not None and beside.exists() and Path(found).samefile(beside)
    program = str(beside) if beside.exists() and not is_on_path else "aps"
    home = str(other) if other else os.environ.get("APS_HOME")
    prefix = f"APS_HOME={shlex.quote(str(Path(home).expanduser().absolute()))} " if home else ""
    return f"{prefix}{shlex.quote(program)}"
