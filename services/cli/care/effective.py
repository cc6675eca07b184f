"""Shows the settings in effect: what was given, what holds by itself, no secret."""

import os
import re
from pathlib import Path

from pydantic import SecretStr

from services.cli.session import print_json, say
from services.cli.tables import show_table
from services.runtime.settings import Settings

MASK = "******"
ADDRESSES = ("nats_url", "database_url")
CREDENTIALS = re.compile(r"//.*@")  # to the last @: a password may hold any other sign
QUERY = re.compile(r"\?.*$")


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


def effective(settings: Settings) -> list[tuple[str, str | int | bool | None, bool]]:
    """Return name, value (secrets masked) and whether it was given, for each setting."""
    found = [
        (
            str(field.validation_alias),
            shown(getattr(settings, name), is_address=name in ADDRESSES),
            name in settings.model_fields_set,
        )
        for name, field in type(settings).model_fields.items()
        if field.validation_alias
    ]
    passwords = [
        (f"APS_NATS_{user.upper()}_PASSWORD", MASK, True) for user in sorted(settings.nats_passwords)
    ]
    return [*found, *passwords]


def shown(value: object, *, is_address: bool) -> str | int | bool | None:
    """Return a value as it may be seen: an address without its credentials, no other secret at all."""
    match value:
        case None | bool() | int():
            return value
        case SecretStr() if is_address:
            return ",".join(map(_bare, _each(value.get_secret_value())))
        case SecretStr():
            return MASK
        case _:
            return str(value)


def _bare(url: str) -> str:
    return QUERY.sub("", CREDENTIALS.sub(f"//{MASK}@", url))


def _each(urls: str) -> list[str]:
    """Part a list of addresses at the commas before a scheme; any other comma may be a password's."""
    return re.split(r",(?=\s*\w+://)", urls)
