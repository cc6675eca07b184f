"""`aps views` on real servers, as a person runs it."""

import json
from pathlib import Path

from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.settings import load
from tests.cli_process import ended
from tests.projection_facts import CYCLE, tell


async def test_a_person_switches_to_new_views_and_back(home: Path, nats_configuration: Path) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
        await set_up(ground)
        async with ground.log("admin") as (_, book):
            await tell(book.store, CYCLE)
        assert ended(home, "views", "rebuild").returncode == Exit.OK
        early = ended(home, "views", "switch")
        assert (early.returncode, "Build them: rebuild" in early.stderr) == (Exit.NOT_FOUND, True)
        rebuilt = json.loads(ended(home, "views", "rebuild", "--json").stdout)
        returned = json.loads(ended(home, "views", "switch", "--json").stdout)
        assert returned["checkpoint"] == len(CYCLE)
        assert returned["chain"] == rebuilt["chain"]
        assert ended(home, "replay", "--check").returncode == Exit.OK
