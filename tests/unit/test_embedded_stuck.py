"""Which troubles of NATS end only when it is started anew, by what its health page says of them."""

import json

import pytest

from services.runtime.embedded.nats import lasting

BLOCK = "/x/servers/nats/jetstream/LOG/streams/ARTEFACTS/msgs/1.blk"
FULL = {
    "type": "STREAM",
    "account": "LOG",
    "stream": "ARTEFACTS",
    "error": f"JetStream stream 'LOG > ARTEFACTS' write error: write {BLOCK}: no space left on device",
}
OFF = {"type": "JETSTREAM", "error": "JetStream not enabled (10076)"}
STARTING = {"type": "CONNECTION", "error": "failed to be ready for connections after 1ms"}
STRANGER = {"type": "ACCOUNT", "account": "X", "error": "JetStream account 'X' could not be resolved"}


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([FULL], "could not write its log"),
        ([STRANGER, FULL], "could not write its log"),
        ([OFF], "switched its log off"),
        ([STARTING], None),
        ([STRANGER], None),
    ],
)
def test_a_server_is_started_anew_for_what_no_time_heals(
    errors: list[dict[str, str]], told: str | None
) -> None:
    assert lasting(json.dumps({"status": "error", "errors": errors}).encode()) == told


def test_a_server_that_is_well_is_left_alone() -> None:
    assert lasting(b'{"status":"ok"}') is None


def test_another_page_says_nothing_of_its_health() -> None:
    with pytest.raises(ValueError, match="JSON"):
        lasting(b"<html>")
