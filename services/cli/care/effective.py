"""Shows the settings in effect, and where they come from."""

import os
from pathlib import Path

from services.cli.session import print_json, say
from services.cli.tables import show_table
from services.runtime.effective import effective
from services.runtime.settings import Settings


async def show(settings: Settings, *, as_json: bool) -> None:
    """Print every setting by its name outside."""
    found = effective(settings)
    if as_json:
        print_json({name: value for name, value, _ in found})
    else:
        rows = [(name, value, "" if given else "default") for name, value, given in found]
        show_table(("setting!", "value", "from"), rows)
        say(f"settings file: {settings_file(settings.home)}")


def settings_file(home: Path) -> str:
    """Return which file settings are read from, and whether it is there."""
    file = Path(os.environ.get("APS_ENV_FILE") or home / ".env")
    return str(file) if file.is_file() else f"{file} (there is none)"
