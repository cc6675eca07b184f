"""What `aps status` calls a fault, and `aps doctor` with it."""

from events.rights import SERVICES
from services.cli.care.condition import absent, faults_of
from services.gateway.health import Component, Health, State, summed

AGENTS = tuple(name for name in SERVICES if name != "gateway")


def health(*running: str, **others: State) -> Health:
    services = [
        Component(
            name=name,
            state=State.OK if name in running else State.FAILED,
            detail="",
            instances=(f"{name}@x",) if name in running else (),
        )
        for name in SERVICES
    ]
    return summed(
        [*(Component(name=name, state=state, detail="") for name, state in others.items()), *services]
    )


def test_where_no_service_runs_nothing_is_wrong() -> None:
    assert faults_of(health(nats=State.OK)) == ()


def test_a_command_that_runs_what_it_needs_is_no_fault() -> None:
    assert faults_of(health("pm")) == faults_of(health(*AGENTS)) == ()


def test_beside_a_gateway_every_service_is_wanted() -> None:
    assert faults_of(health(*SERVICES)) == ()
    assert faults_of(health("gateway", *(name for name in AGENTS if name != "qa"))) == ("qa",)
    assert absent({"gateway": ("x",)}) == AGENTS


def test_a_failed_component_is_a_fault_whatever_runs_and_a_degraded_one_is_none() -> None:
    assert faults_of(health(nats=State.FAILED, disk=State.DEGRADED)) == ("nats",)
