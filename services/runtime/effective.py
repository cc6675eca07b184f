"""The settings in effect, as anybody may see them: what was given, what holds by itself, no secret."""

import re

from pydantic import SecretStr

from services.runtime.settings import Settings

MASK = "******"
ADDRESSES = ("nats_url", "database_url")
CREDENTIALS = re.compile(r"//.*@")  # to the last @: a password may hold any other sign
QUERY = re.compile(r"\?.*$")


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
