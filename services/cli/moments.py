"""What a person may give as a moment of the log: a sequence, an ISO 8601 time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

import typer

from services.cli.session import Exit, Stop

AGO = re.compile(r"(?P<count>\d{1,5}) ?(?P<unit>[smhd])( ago)?")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def given(context: typer.Context, option: typer.CallbackParam, value: str) -> str:
    """Return the value of an option; ends the command with 2 for an empty one, as an unset variable gives."""
    source = context.get_parameter_source(option.name or "")
    if not value.strip() and source is not None and source.name != "DEFAULT":
        raise typer.BadParameter("it is empty; name a sequence or a time, or leave the option out")
    return value


def moment_of(at: str, present: datetime) -> int | datetime | None:
    """Return what `at` names, None when it is empty; a time without a zone is local.

    Ends the command with 2 for anything else, and with 3 for a time that has not come.
    """
    text = at.strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        return int(text)
    if ago := AGO.fullmatch(text):
        return present - timedelta(**{UNITS[ago["unit"]]: int(ago["count"])})
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Stop(
            Exit.USAGE,
            f"{at!r} is neither a sequence, nor a time such as 2026-11-23T14:05, nor such as '10m ago'",
        ) from None
    if moment > present:
        raise Stop(Exit.NOT_FOUND, f"{at} has not come yet")
    return moment
