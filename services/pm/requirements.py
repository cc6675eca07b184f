"""The requirements of a rule's improvement, in sentences a reviewer can hold it to."""

from events.improvement_facts import Discovered
from schemas.improvement import Requirement


def requirements(discovered: Discovered, found: int) -> tuple[Requirement, ...]:
    """Return what must hold after the change; `found` counts the rule's findings at the base."""
    left = found - discovered.expected
    texts = (
        f"{discovered.expected} findings of {discovered.rule} are gone, at most {left} of {found} are left.",
        "No finding is suppressed and no file is taken out of the checks.",
        "Every test that passed before still passes, with the tests as they were.",
        "No test is removed, skipped or weakened.",
        "The public interface is unchanged.",
        f"Only files in which {discovered.rule} fired are touched.",
    )
    return tuple(Requirement(id=f"R{n}", text=text) for n, text in enumerate(texts, start=1))
