"""What a person should know about a target before fixes are written for it."""

from collections.abc import Mapping

from services.workspace.environments.declared_python import DeclaredPython


def python_remarks(
    declared: DeclaredPython, written_for: str, withheld: Mapping[str, int]
) -> tuple[str, ...]:
    """Say for which Python fixes are written (such as `3.9`), and what that leaves undone.

    `withheld` counts by rule the findings whose fix would need a newer one.
    """
    remarks = []
    if withheld:
        stay = ", ".join(f"{rule}: {count}" for rule, count in sorted(withheld.items()))
        remarks.append(
            f"the project declares Python {declared.stated}, so fixes are written for {written_for}; "
            f"what only a newer Python can read stays ({stay})"
        )
    if declared.oldest is not None and declared.oldest < int(written_for.partition(".")[2]):
        remarks.append(
            f"the project declares Python {declared.stated}; fixes are written for {written_for} and later"
        )
    if declared.two:
        remarks.append("the project declares Python 2 as well; fixes are written for Python 3 only")
    return tuple(remarks)
