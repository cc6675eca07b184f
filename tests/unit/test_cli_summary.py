"""`aps --help` says what every command is for, whole, and how to begin."""

from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.summary import LINES


def test_no_line_of_the_help_is_cut() -> None:
    told = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).output
    assert all(line in told for line in LINES.values())
    assert not [line for line in told.splitlines()[1:] if line.endswith("...")]
    assert "aps improve ~/src/project\n" in told
