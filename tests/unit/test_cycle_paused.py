"""While everything is paused no cycle begins, and none is followed."""

from typing import cast

import pytest

from events.fact import Rejected
from events.swarm import ALL, SWARM, Paused
from services.cycle.requesting import Place, Wish, ask
from tests.asking_example import BECAUSE, Time, book_at


async def test_a_cycle_asked_for_in_a_paused_swarm_is_refused_with_the_way_on() -> None:
    book = await book_at(Time())
    await book.record(SWARM, ALL, Paused(reason="wait"), cause=BECAUSE)
    nowhere = cast(Place, None)  # nobody looks at the target
    with pytest.raises(Rejected, match=r"everything is paused \(wait\); go on with: aps resume"):
        await ask(book, nowhere, Wish("/srv/shop"), "cli")
    assert await book.store.head() == 1
