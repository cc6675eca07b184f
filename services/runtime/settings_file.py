"""The file that settings are read from besides the environment, and the data folder where none is named."""

from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import parse_stream

ENV_FILE = "APS_ENV_FILE"


def with_file(environ: dict[str, str], wrong: list[str]) -> dict[str, str]:
    """Add what the settings file gives and the environment does not."""
    home = Path(environ.get("APS_HOME") or default_home(environ)).expanduser()
    file = Path(environ.get(ENV_FILE) or home / ".env")
    if not file.is_file():
        if ENV_FILE in environ:
            wrong.append(f"{ENV_FILE}={str(file)!r}: there is no such file")
        return environ
    try:
        with file.open(encoding="utf-8") as lines:
            statements = list(parse_stream(lines))
    except (OSError, UnicodeDecodeError) as error:
        wrong.append(f"{file} cannot be read: {error}")
        return environ
    wrong += [f"{file}, line {one.original.line}: give NAME=value" for one in statements if one.error]
    return {one.key: one.value for one in statements if one.key and one.value} | environ


def default_home(environ: Mapping[str, str]) -> Path:
    """Return the user's data folder as the XDG base directory specification has it."""
    base = Path(environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "aps"
