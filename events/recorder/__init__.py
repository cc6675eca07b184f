"""The persistence module of the `eventsourcing` library on JetStream: `PERSISTENCE_MODULE=events.recorder`.

The library looks here for the one infrastructure factory; docs/eventsourcing.md says how to use it.
"""

from events.recorder.factory import JetStreamFactory as Factory

__all__ = ["Factory"]
