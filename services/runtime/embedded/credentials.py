"""The generated passwords of the embedded servers: one file each, readable by their owner alone."""

import secrets
from pathlib import Path

from services.runtime.data_folder import write_durably


def password(folder: Path, name: str) -> str:
    """Return the password kept for `name`, generated when there is none.

    Callers hold the start lock. The leading letter keeps a NATS configuration, which takes the value
    from the environment unquoted, from reading it as a number.
    """
    file = folder / name
    if not file.exists():
        write_durably(file, "p" + secrets.token_urlsafe(32))
    return file.read_text("utf-8")
