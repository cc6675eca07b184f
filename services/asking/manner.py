"""How engines are asked: how many calls at once, with what patience, and looked after how."""

from dataclasses import dataclass, field

from services.asking.breaker import Fuse
from services.asking.calling import Watch
from services.asking.persisting import Persistence
from services.asking.retrying import Patience


@dataclass(frozen=True)
class Manner:
    """How one process asks engines.

    `parallel` calls of one engine may be under way at once, in this process and all others together; `pause`
    is how long, in seconds, it waits before it looks for a place again. A call is taken for dead `margin`
    seconds after it must have ended.
    """

    parallel: int = 4
    pause: float = 0.25
    margin: float = 60.0
    patience: Patience = field(default_factory=Patience)
    fuse: Fuse = field(default_factory=Fuse)
    watch: Watch = field(default_factory=Watch)
    persistence: Persistence = field(default_factory=Persistence)
