"""The swarm is paused once and resumed once."""

from events.swarm import SWARM, Paused, Resumed
from tests.rules import of

swarm = of(SWARM)
PAUSED = Paused(reason="a person looks first")


def test_it_runs_until_it_is_paused() -> None:
    swarm.when(Resumed()).then_rejected("running already")
    swarm.when(PAUSED).then(paused=PAUSED)


def test_it_is_paused_until_it_is_resumed() -> None:
    paused = swarm.given(PAUSED)
    paused.when(Paused(reason="again")).then_rejected("paused already")
    paused.when(Resumed()).then(paused=None)


def test_replay_after_json_gives_the_same_state() -> None:
    story = swarm.given(PAUSED, Resumed(), PAUSED)
    assert story.replayed() == story.state
