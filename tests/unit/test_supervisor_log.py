"""What the supervisor writes of a service that died."""

import pytest
from structlog.testing import capture_logs

from events.store import Broken
from services.runtime.supervisor import GaveUp, Service, supervise


@pytest.mark.parametrize(("failure", "traced"), [(Broken("the log is gone"), False), (KeyError("x"), True)])
async def test_a_trace_is_written_only_where_the_message_does_not_say_it_all(
    failure: Exception, traced: bool
) -> None:
    async def die() -> None:
        raise failure

    with capture_logs() as lines, pytest.raises(GaveUp):
        await supervise([Service("one", die)], back_off=(0.0,))
    died = [line for line in lines if line["event"] == "service died"]
    assert [(line["exc_info"], line["problem"]) for line in died] == [(traced, str(failure))] * 2
