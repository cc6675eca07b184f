"""What a person is told while the log is away: two sentences, and none of what is over at once."""

from services.runtime.away import PATIENCE_SECONDS, Away


class Hall:
    """A clock, and what was told."""

    def __init__(self) -> None:
        self.time = 0.0
        self.said: list[str] = []
        self.away = Away(self.said.append, lambda: self.time)

    def fails(self, *times: float) -> None:
        for self.time in times:
            self.away.failed(TimeoutError("no answer"))


def test_what_is_over_at_once_is_not_told() -> None:
    hall = Hall()
    hall.fails(0.0, PATIENCE_SECONDS / 2)
    hall.away.worked()
    hall.fails(PATIENCE_SECONDS)
    assert hall.said == []


def test_what_lasts_is_told_once_and_so_is_its_end() -> None:
    hall = Hall()
    hall.fails(0.0, PATIENCE_SECONDS, 2 * PATIENCE_SECONDS)
    hall.away.worked()
    hall.away.worked()
    assert hall.said == [
        "the log is away (no answer); trying again until it is back",
        "the log is back; going on",
    ]
