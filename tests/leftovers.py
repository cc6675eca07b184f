"""Temporary folders of a test session, and what killed sessions left of theirs: folders and servers."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.servers import EmbeddedServers

Run = Callable[[Coroutine[Any, Any, None]], None]


@contextmanager
def session_folder(kind: str, run: Run) -> Iterator[Path]:
    """Give a folder that any uid may traverse and that is gone afterwards; sweep those of dead sessions."""
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"aps-{kind}-*-*"):
        _sweep(left, run)
    folder = Path(tempfile.mkdtemp(prefix=f"aps-{kind}-{os.getpid()}-"))
    folder.chmod(0o711)  # pytest's own temporary folders are closed
    yield folder
    shutil.rmtree(folder)


def _sweep(left: Path, run: Run) -> None:
    named = re.fullmatch(r"aps-[a-z]+-(\d+)-\w+", left.name)
    if named is None or Path("/proc", named[1]).exists():
        return
    for place in [*left.glob("servers/place"), *left.glob("*/servers/place")]:
        try:
            run(EmbeddedServers(place.parent.parent).erase())
        except ServerProblem:
            return  # a command of that session is still at it; the next session sweeps
        except FileNotFoundError:
            return  # another session is sweeping too
    shutil.rmtree(left, ignore_errors=True)  # as above
