"""What is kept of what an engine said: bounded, and without its credential."""

import base64
import json

from services.engines.transcript import Hidden, Transcript

SECRET = 'sk-"very\\secret"-4f9d2c7b1e8a'


def test_a_transcript_keeps_its_beginning_and_its_end() -> None:
    kept = Transcript(limit=1_000)
    for number in range(100):
        kept.add(json.dumps({"n": number, "text": "x" * 20}).encode())
    lines = [json.loads(line) for line in kept.contents().splitlines()]
    assert (lines[0]["n"], lines[-1]["n"]) == (0, 99)
    assert sum(line.get("lines_left_out", 1) for line in lines) == 100
    assert len(kept.contents()) < 1_100


def test_of_a_line_that_is_too_long_the_length_and_the_beginning_are_kept() -> None:
    kept = Transcript()
    kept.add(b"x" * 5_000_000)
    assert json.loads(kept.contents()) == {"bytes": 5_000_000, "begins": "x" * 1_000}


def test_a_secret_is_hidden_plainly_escaped_and_encoded() -> None:
    told = " ".join(
        (SECRET, json.dumps(SECRET), base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex())
    )
    shown = Hidden(SECRET).text(told)
    assert shown.count("[***]") == 4
    assert "4f9d2c7b1e8a" not in shown


def test_without_a_secret_nothing_is_hidden() -> None:
    assert Hidden("").text("anything") == "anything"
    assert Hidden("").longest == 0
