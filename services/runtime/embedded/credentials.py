"""The generated passwords of the embedded servers: one file each, readable by their owner alone."""

import os
import secrets
from pathlib import Path


def password(folder: Path, name: str) -> str:
    """Return the password kept for `name`, generated when there is none.

    Callers hold the start lock. The leading letter keeps a NATS configuration, which takes the value
    from the environment unquoted, from reading it as a number.
    """
    file = folder / name
    if file.exists():
        return file.read_text("utf-8")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    value = "p" + secrets.token_urlsafe(32)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(value)
        written.flush()
        os.fsync(written.fileno())
    fresh.replace(file)
    return value
