"""Tells which version of this system runs."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """Return the version of this system as installed, 0.0.0 from a bare checkout."""
    try:
        return version("aps-self-sustaining")
    except PackageNotFoundError:
        return "0.0.0"
