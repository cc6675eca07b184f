"""How an option that names a moment of the log is given."""

import typer


def given(context: typer.Context, option: typer.CallbackParam, value: str) -> str:
    """Return the value of an option; ends the command with 2 for an empty one, as an unset variable gives."""
    source = context.get_parameter_source(option.name or "")
    if not value.strip() and source is not None and source.name != "DEFAULT":
        raise typer.BadParameter("it is empty; name a sequence or a time, or leave the option out")
    return value
