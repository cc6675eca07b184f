"""The part of the golden story that agents from outside have."""

from events import agent, improvement_facts
from schemas.risk import RiskClass
from tests.golden_telling import Story, designed, implemented, ref

i = improvement_facts
ID = "aa11bb22cc33"
NAME = f"outside/{ID}"


def helped(told: Story) -> None:
    """Tell of an agent whose first patch did not apply, and whose second was taken over."""
    registered = agent.Registered(
        title="a helping hand", role="developer", capabilities=("python", "sql"), capacity=2
    )
    told.tell("gateway", "agent", ID, registered)
    designed(told, "asked-for", "request", 7, RiskClass.MEDIUM)
    for number in (1, 2):
        claim = told.claim(NAME, "improvement", "asked-for", "implementation")
        taken = agent.WorkTaken(improvement="asked-for", holding=("asked-for",))
        progressed = agent.Progressed(improvement="asked-for", claim=claim, percent=40, note="tests first")
        told.tell("gateway", "agent", ID, taken, progressed)
        delivered = i.ChangeDelivered(
            claim=claim,
            agent=NAME,
            patch=ref(f"asked-for-{number}.patch", "text/x-diff"),
            summary="An empty list is read as nothing.",
            proofs={"an empty list gives 0": ("tests/test_parse.py::test_empty",)},
        )
        told.tell("gateway", "improvement", "asked-for", delivered)
        if number == 1:
            refused = i.DeliveryRefused(agent=NAME, reason="the patch does not apply")
            told.tell("developer-1", "improvement", "asked-for", refused)
    implemented(told, "asked-for")
    told.tell("gateway", "agent", ID, agent.Left(reason="enough for today"))
