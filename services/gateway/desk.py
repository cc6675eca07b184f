"""What the gateway works at: the log, the views, the signer of sessions."""

from dataclasses import dataclass

from events.envelope import Cause
from projections.queries import Views
from services.access.sessions import Signer
from services.access.tokens import Holder
from services.gateway.denials import Denials
from services.gateway.health import Asker
from services.gateway.live.feed import Feed
from services.gateway.live.position import ViewsPosition
from services.gateway.metering.office import Metering
from services.gateway.reach.log import ReachedLog
from services.gateway.redelivering import Redelivery
from services.gateway.watching import HealthWatch
from services.gateway.webhooks.intake import Intake
from services.runtime.ground import Ground, actor
from services.runtime.tracing import current


@dataclass(frozen=True)
class GatewayDesk:
    """Open for as long as the gateway runs; whoever opened it closes it."""

    ground: Ground
    book: ReachedLog
    views: Views
    signer: Signer
    feed: Feed
    position: ViewsPosition
    asker: Asker
    watch: HealthWatch
    webhooks: Intake
    metering: Metering
    letters: Redelivery
    denials: Denials

    @property
    def log_away(self) -> str:
        """Why nothing is to be asked of the log now, and nothing can be decided; empty while it answers."""
        why = "" if self.asker.connection.is_connected else "not connected; connecting again"
        why = self.book.why_away or why
        return f"NATS is away: {why}" if why else ""

    def cause(self, holder: Holder | None, chain: str, key: str = "") -> Cause:
        """Return the cause of facts that a holder asks for; `key` tells a repeated request from another."""
        who = holder.id if holder else "nobody"
        return Cause(
            actor=f"{actor('gateway')}/{who}",
            source="aps/gateway",
            correlation=chain,
            event=key,
            traceparent=current(),
        )
