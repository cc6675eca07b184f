"""Which exit code each trouble ends a command with."""

from pathlib import Path

import pytest

from events.fact import Rejected
from events.store import Broken, Conflict, Denied, Position, Unavailable
from events.upcasting import NewerVersion
from services.cli.__main__ import told
from services.cli.desk import not_found
from services.cli.exits import expected
from services.cli.session import Exit, Stop
from services.gateway.listening import PortInUse
from services.prompting.template import Template, UnusablePrompt
from services.runtime.ground import NotReady
from services.runtime.settings import WrongSettings
from services.runtime.supervisor import GaveUp
from services.workspace.sources.sdist import UnknownSdist


def gave_up(cause: Exception) -> GaveUp:
    trouble = GaveUp("gateway died 6 times")
    trouble.__cause__ = cause
    return trouble


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (WrongSettings("APS_PORT"), Exit.USAGE),
        (UnknownSdist("nothing is called so"), Exit.NOT_FOUND),
        (Denied("not yours"), Exit.DENIED),
        (Rejected("not now"), Exit.CONFLICT),
        (Conflict("improvement", "x", Position(), None), Exit.CONFLICT),
        (NotReady("no server"), Exit.UNAVAILABLE),
        (Unavailable("no answer"), Exit.UNAVAILABLE),
        (ConnectionRefusedError("refused"), Exit.UNAVAILABLE),
        (PortInUse(4000), Exit.UNAVAILABLE),
        (TimeoutError(), Exit.TIMED_OUT),
        (Broken("a link is missing"), Exit.FAILED),
        (UnusablePrompt("prompt untrusted.md is not UTF-8"), Exit.FAILED),
        (NewerVersion("update this program"), Exit.FAILED),
        (gave_up(ValueError("a mistake")), Exit.FAILED),
        (Stop(Exit.DENIED, "only admin may"), Exit.DENIED),
    ],
)
def test_a_trouble_has_its_exit_code_and_its_message(trouble: Exception, code: Exit) -> None:
    found = expected(trouble)
    assert found is not None
    assert (found.code, bool(str(found))) == (code, True)


def test_what_nobody_expected_stays_unexpected() -> None:
    assert expected(ZeroDivisionError("division by zero")) is None


def test_the_reason_a_service_gave_up_decides() -> None:
    found = expected(ExceptionGroup("services", [gave_up(PortInUse(4000))]))
    assert found is not None
    assert found.code is Exit.UNAVAILABLE
    assert "--port 4001" in str(found)


def test_a_damaged_log_is_told_with_the_command_that_tells_more() -> None:
    assert str(expected(Broken("sequence 7 is missing"))).startswith(
        "sequence 7 is missing. The log is damaged"
    )
    assert "aps events verify" in str(expected(Broken("sequence 7 is missing")))
    known = Broken("the log is gone (aps restore --journal)")
    assert str(expected(known)) == str(known)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    known = ["up006-1a2b3c4d", "up031-9f8e7d6c", "f401-00112233"]
    assert "nearest: up006-1a2b3c4d" in str(not_found("improvement", "up006-1a2b3c4e", known))


def test_a_part_of_a_name_is_near_it() -> None:
    assert str(not_found("improvement", "f401", ["f401-00112233", "b905-1"])).endswith(
        "nearest: f401-00112233"
    )


def test_nothing_is_near_where_there_is_nothing() -> None:
    assert str(not_found("target", "toolz", [])) == "there is no target 'toolz'; there is none yet"


def test_a_prompt_that_cannot_be_read_ends_a_command_that_is_still_loading_with_its_message_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "untrusted.md"
    place.write_bytes(b"\xff\xfe rules")
    with pytest.raises(UnusablePrompt) as trouble:
        Template.read(place, "services.prompting/prompts/untrusted.md")
    assert told(trouble.value) is Exit.FAILED
    assert capsys.readouterr().err == "prompt services.prompting/prompts/untrusted.md is not UTF-8: byte 0\n"
