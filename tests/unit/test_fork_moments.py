"""What may be given as a moment of the log, the same for every command."""

from datetime import UTC, datetime, timedelta

import pytest

from projections.views.catalogue import VIEWS
from services.cli.history.rebuilding import SHOWN
from services.cli.history.showing import QUERIES
from services.runtime.moments import NoMoment, NothingThen, moment_of

PRESENT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "meant"),
    [
        ("", None),
        ("1200", 1200),
        ("0", 0),
        ("2026-11-23T14:04:00+00:00", PRESENT - timedelta(minutes=1)),
        ("2026-11-23T15:04:00+01:00", PRESENT - timedelta(minutes=1)),
        ("2026-11-23T14:05:00Z", PRESENT),
        ("10m ago", PRESENT - timedelta(minutes=10)),
        ("90s", PRESENT - timedelta(seconds=90)),
        ("2 h ago", PRESENT - timedelta(hours=2)),
        ("1d ago", PRESENT - timedelta(days=1)),
    ],
)
def test_a_sequence_a_time_or_how_long_ago(at: str, meant: int | datetime | None) -> None:
    assert moment_of(at, PRESENT) == meant


def test_a_time_without_a_zone_is_local() -> None:
    at = "2026-11-22T10:00"
    assert moment_of(at, PRESENT) == datetime.fromisoformat(at).astimezone(UTC)


@pytest.mark.parametrize(
    "at", ["yesterday", "-1", "1.5", "٣", "10 parsecs ago", "2026-13-01", "99999999m ago"]
)
def test_anything_else_is_no_moment(at: str) -> None:
    with pytest.raises(NoMoment):
        moment_of(at, PRESENT)


def test_nothing_stands_at_a_time_that_has_not_come() -> None:
    with pytest.raises(NothingThen, match="has not come yet"):
        moment_of("2026-11-23T14:06:00Z", PRESENT)


def test_every_view_can_be_shown_as_of_a_moment() -> None:
    assert [*QUERIES] == [view.name for view in VIEWS]
    assert set(SHOWN) == set(QUERIES)
