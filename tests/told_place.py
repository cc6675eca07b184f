"""A data folder whose log holds a whole cycle, all of it in the views, with its servers running."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.settings import load
from tests.cli_place import Place
from tests.conftest import run
from tests.projection_facts import CYCLE, tell

END = len(CYCLE)


@dataclass(frozen=True)
class Told(Place):
    """The data folder, and the ground its commands stand on."""

    ground: Ground
    servers: EmbeddedServers

    @contextmanager
    def stopped(self) -> Iterator[Path]:
        """Let the servers be down for the time of the block; gives the folder of their data."""
        run(self.servers.leave())
        try:
            yield self.servers.place
        finally:
            run(self.servers.join())


@contextmanager
def told_place(home: Path) -> Iterator[Told]:
    """Tell a cycle in `home` and let the views follow; the servers are gone at the end."""
    servers = EmbeddedServers(home)

    async def begin() -> Ground:
        await servers.join()
        ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
        await set_up(ground)
        async with ground.log("admin") as (_, book):
            await tell(book.store, CYCLE)
        return ground

    try:
        place = Told(home, run(begin()), servers)
        assert place.aps("improvements", "list").code == Exit.OK
        yield place
    finally:
        run(servers.leave())
        run(EmbeddedServers(home).erase())
