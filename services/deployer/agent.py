"""Deployer: puts approved changes on the release branch, and takes landed ones back."""

from dataclasses import dataclass

from events.catalogue import read_fact
from events.improvement import IMPROVEMENT
from events.store import Recorded
from services.deployer.deploying import deploy
from services.deployer.policy import Deploy, TakeBack, whenever
from services.deployer.taking_back import take_back
from services.runtime.workbench import Workbench


@dataclass(frozen=True)
class Deployer:
    """Reacts to approvals and requests to take changes back."""

    bench: Workbench
    role: str = "deployer"

    async def react(self, event: Recorded) -> None:
        """Deploy or take back, as the policy says."""
        state = await self.bench.book.state(IMPROVEMENT, event.envelope.address.id)
        cause = self.bench.cause(event)
        match whenever(read_fact(event.envelope), state):
            case Deploy(batch=batch):
                await deploy(self.bench, batch, cause)
            case TakeBack(target=target):
                await take_back(self.bench, target, event.envelope.at, cause)
            case None:
                return
