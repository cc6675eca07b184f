"""A person who waits for the tests sees what they wait for."""

from threading import Event

from tests.progress import Progress


def test_what_is_under_way_is_named_with_its_time_longest_first() -> None:
    now = [100.0]
    said: list[str] = []
    progress = Progress(said.append, clock=lambda: now[0])
    assert progress.line() == ""
    progress.pytest_runtest_logstart("tests/acceptance/test_a.py::test_one")
    now[0] = 130.0
    progress.pytest_runtest_logstart("tests/acceptance/test_b.py::test_two")
    assert (
        progress.line()
        == "0 tests have ended; under way: test_a.py::test_one (30 s), test_b.py::test_two (0 s)"
    )
    progress.pytest_runtest_logfinish("tests/acceptance/test_a.py::test_one")
    assert progress.line() == "1 tests have ended; under way: test_b.py::test_two (0 s)"
    assert said == []


def test_it_speaks_once_nothing_has_ended_for_a_while_and_stops_with_the_session() -> None:
    said: list[str] = []
    spoken = Event()

    def say(line: str) -> None:
        said.append(line)
        spoken.set()

    progress = Progress(say, quiet=0.01)
    progress.pytest_runtest_logstart("tests/acceptance/test_a.py::test_one")
    progress.pytest_sessionstart()
    assert spoken.wait(30)
    progress.pytest_sessionfinish()
    assert said[0].startswith("0 tests have ended; under way: test_a.py::test_one (")
