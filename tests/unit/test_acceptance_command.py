"""A command of the acceptance tests that hangs is ended, and what it said until then is shown."""

import subprocess
import sys

import pytest

from tests.acceptance.command import wait

HANGS = "import sys, time; print('so far', flush=True); sys.exit(time.sleep(600))"


def test_a_command_that_hangs_is_killed_and_its_words_are_shown() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HANGS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with pytest.raises(subprocess.TimeoutExpired) as hung:
        wait(process, seconds=3.0)
    (note,) = hung.value.__notes__
    assert process.returncode is not None
    assert "so far" in note
