"""A person sees what an engine does while it does it, on lines that stay not too often."""

from schemas.run_progress import RunProgress
from services.cli.cycle.listening import Heard, said_of
from services.cli.cycle.watching import Plainly
from services.cycle.progress import CyclePhase, Progress

AT = Progress(CyclePhase.IMPLEMENTATION, 0, 1, 0, None, "writing the changes")


def word(
    text: str = "Write a.py", run: str = "r1", kind: str = "tool", role: str = "developer"
) -> RunProgress:
    return RunProgress(
        run=run,
        improvement="imp-1",
        role="developer",
        engine="claude_code",
        model="",
        task="change",
        attempt=1,
        turn=2,
        kind=kind,
        text=text,
    )


def test_a_word_says_who_asks_whom_and_what_is_done() -> None:
    assert said_of(word()) == "developer asks claude_code (change, turn 2): Write a.py"
    assert said_of(word("so", kind="text")).endswith(": says: so")
    assert "\x1b" not in said_of(word("a\x1b[2J"))


def test_only_calls_under_way_for_what_is_followed_are_heard() -> None:
    heard = Heard()
    heard(word())
    assert heard.latest(["imp-2"]) is None
    assert heard.latest(["imp-1"]) == word()
    heard(word(kind="ended"))
    assert heard.latest(["imp-1"]) is None


def test_a_call_that_is_made_again_takes_the_place_of_one_that_was_killed() -> None:
    heard = Heard()
    for one in (word(run="dead"), word(run="again"), word(run="again", kind="ended")):
        heard(one)
    assert heard.latest(["imp-1"]) is None


def test_lines_that_stay_are_said_for_news_alone_and_not_too_often() -> None:
    said = list[str]()
    show = Plainly(said.append)
    show(AT, None, 0)
    show(AT, None, 1)
    show(AT, word("Read a.py"), 2)
    for tenth in range(20):
        show(AT, word(f"Read {tenth}.py"), 2 + tenth / 10)
    show(AT, word("Write b.py"), 5)
    show(AT, word("Read c.py", run="r2"), 5.5)
    show(AT, None, 6)
    assert [line.partition("implementation: ")[2].rpartition(": ")[2] for line in said] == [
        "writing the changes",
        "Read a.py",
        "Write b.py",
        "Read c.py",
    ]
