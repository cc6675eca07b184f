"""Names whose problem it is when a target cannot be improved."""


class TargetProblem(Exception):  # noqa: N818 -- names whose problem it is: the target's, not ours
    """The named folder cannot be improved as it stands; the message says why and what to do."""
