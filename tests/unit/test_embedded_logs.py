"""What the embedded servers say is kept, and never more of it than two files of a bounded length."""

from pathlib import Path

import pytest

from services.runtime.embedded.addresses import Addresses
from services.runtime.embedded.nats import NatsServer
from services.runtime.embedded.process import has_long_log, shorten_log

LONG = 8 * 1024**2


@pytest.fixture
def server(tmp_path: Path) -> NatsServer:
    addresses = Addresses(nats=1, monitoring=2, postgres=3, name="aps-test")
    return NatsServer(tmp_path, tmp_path, addresses, {}, tmp_path)


def test_the_end_of_a_long_log_is_kept_and_the_server_goes_on_in_the_same_file(server: NatsServer) -> None:
    with server.log.open("ab", buffering=0) as held_by_the_server:
        held_by_the_server.write(b"the oldest line\n" + bytes(LONG) + b"the last line\n")
        assert has_long_log(server)
        shorten_log(server)
        held_by_the_server.write(b"the next line\n")
    assert server.log.read_bytes() == b"the next line\n"
    former = server.log.with_name("nats-server.1.log").read_bytes()
    assert len(former) == LONG
    assert former.endswith(b"the last line\n")


def test_a_log_that_another_process_shortened_meanwhile_is_left_as_it_is(server: NatsServer) -> None:
    server.log.write_bytes(bytes(LONG + 1))
    shorten_log(server)
    server.log.write_bytes(b"the next line\n")
    shorten_log(server)
    assert server.log.read_bytes() == b"the next line\n"
    assert server.log.with_name("nats-server.1.log").stat().st_size == LONG


def test_a_server_that_never_ran_has_no_long_log(server: NatsServer) -> None:
    assert not has_long_log(server)
