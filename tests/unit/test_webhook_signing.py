"""Who signed a delivery: by a secret in use, over the very bytes, and not long ago."""

from datetime import UTC, datetime, timedelta

import pytest

from services.gateway.webhooks.signing import (
    NOT_OURS,
    NOT_SIGNED,
    OTHER_FORM,
    TOO_NEW,
    TOO_OLD,
    NotSigned,
    by_digest,
    by_standard,
)
from services.runtime.webhook_settings import key_of
from tests.webhook_deliveries import digest, standard

BODY = b'{"zen": "Keep it logically awesome."}'
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = b"a key of other systems"


def signed(headers: dict[str, str], body: bytes = BODY, keys: tuple[bytes, ...] = (KEY,)) -> int:
    id, timestamp, signature = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    return by_standard(keys, body, id, timestamp, signature, NOW)


def at(moved: timedelta) -> dict[str, str]:
    return standard("msg_1", int((NOW + moved).timestamp()), BODY)


def test_it_matches_the_example_of_githubs_own_documentation() -> None:
    told = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert by_digest([b"It's a Secret to Everybody"], b"Hello, World!", told) == 0


def test_it_matches_the_example_of_the_standards_own_tests() -> None:
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body, then = b'{"test": 2432232314}', datetime.fromtimestamp(1614265330, UTC)
    told = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert by_standard([key], body, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", told, then) == 0


def test_it_is_told_which_of_two_secrets_signed() -> None:
    for number, secret in enumerate(("present", "former")):
        assert by_digest([b"present", b"former"], BODY, digest(secret, BODY)) == number


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        ("", NOT_SIGNED),
        ("sha1=2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", OTHER_FORM),
        ("sha256=", OTHER_FORM),
        ("sha256=" + "é" * 64, OTHER_FORM),
        (digest("present", BODY)[:-1], OTHER_FORM),
        (digest("another", BODY), NOT_OURS),
        (digest("present", BODY + b" "), NOT_OURS),
    ],
)
def test_what_was_not_signed_by_a_secret_in_use_is_refused(signature: str, why: str) -> None:
    with pytest.raises(NotSigned) as refused:
        by_digest([b"present", b"former"], BODY, signature)
    assert str(refused.value) == why


def test_a_standard_message_may_carry_several_signatures() -> None:
    headers = at(timedelta())
    other = standard("msg_1", int(NOW.timestamp()), BODY, b"another key")["webhook-signature"]
    both = {**headers, "webhook-signature": f"v1a,AAAA {other} {headers['webhook-signature']}"}
    assert signed(both) == 0


@pytest.mark.parametrize(
    ("moved", "why"),
    [
        (timedelta(minutes=-5, seconds=-1), TOO_OLD),
        (timedelta(minutes=5, seconds=1), TOO_NEW),
    ],
)
def test_a_message_of_another_time_is_refused(moved: timedelta, why: str) -> None:
    with pytest.raises(NotSigned) as refused:
        signed(at(moved))
    assert str(refused.value) == why


def test_a_message_of_nearly_now_is_taken() -> None:
    assert signed(at(timedelta(minutes=-5))) == signed(at(timedelta(minutes=5))) == 0


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_signed_too(name: str) -> None:
    with pytest.raises(NotSigned, match=NOT_OURS):
        signed({**at(timedelta()), name: str(int(NOW.timestamp()) + 1)})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_message_without_one_of_its_headers_is_not_signed(name: str) -> None:
    with pytest.raises(NotSigned, match=NOT_SIGNED):
        signed({**at(timedelta()), name: ""})


@pytest.mark.parametrize("time", ["-1", "1.5", "tomorrow", "9" * 40, "١٢"])
def test_a_time_that_is_no_time_is_refused(time: str) -> None:
    with pytest.raises(NotSigned, match=OTHER_FORM):
        signed({**at(timedelta()), "webhook-timestamp": time})


@pytest.mark.parametrize("signature", ["v1,", "v1,!!!!", "v2,AAAA", "v1,é", ","])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(NotSigned):
        signed({**at(timedelta()), "webhook-signature": signature})
