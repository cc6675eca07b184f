"""Who waits while everything is paused is told so, once, and that it goes on."""

from events.swarm import ALL, SWARM, Paused, Resumed
from services.cli.standstill import Standstill
from tests.asking_example import BECAUSE, Time, book_at

PAUSED = "everything is paused (the bill looks wrong); go on with: aps resume"


async def test_a_pause_is_told_once_and_so_is_its_end() -> None:
    book = await book_at(Time())
    said = list[str]()
    standstill = Standstill(said.append)
    await standstill.look(book)
    assert said == []
    await book.record(SWARM, ALL, Paused(reason="the bill looks wrong"), cause=BECAUSE)
    await standstill.look(book)
    await standstill.look(book)
    assert said == [PAUSED]
    await book.record(SWARM, ALL, Resumed(), cause=BECAUSE)
    await standstill.look(book)
    await standstill.look(book)
    assert said == [PAUSED, "everything goes on"]
