"""`aps dead` takes the numbers of letters, and says in words what else it was given."""

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.session import Exit


@pytest.mark.parametrize("words", [("replay",), ("discard", "--reason", "why")])
@pytest.mark.parametrize("number", ["-1", "0", "x"])
def test_what_is_no_number_of_a_letter_is_refused_before_anything_starts(
    words: tuple[str, ...], number: str
) -> None:
    ended = CliRunner().invoke(app, ["dead", *words, "--", number])
    assert ended.exit_code == Exit.USAGE
    assert "NUMBER" in ended.stderr
    assert "Traceback" not in ended.stderr
