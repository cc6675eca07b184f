"""A small project, and what the gates that judge a change by itself say against a change of it."""

from services.qa.standalone import judged_alone

TEST = """import pytest
from pkg import double


@pytest.mark.parametrize("n", [1, 2, 3])
def test_double(n):
    assert double(n) == 2 * n


def test_errors():
    with pytest.raises(TypeError, match="number"):
        double(None)


class TestMore:
    def test_text(self):
        self.assertEqual(double("a"), "aa")
        assert double("") == ""
"""
SOURCE = """import logging

log = logging.getLogger(__name__)


def double(n):
    if n is None:
        log.warning("no number: %r", n)
        raise TypeError("a number is needed")
    assert n != 7
    return n * 2


def half(n):
    log.info("halving")
    return n / 2
"""
CONFTEST = """import pytest


@pytest.fixture
def name():
    return "x"
"""
SETUP_CFG = "[metadata]\nname = x\n\n[tool:pytest]\naddopts = --strict\n\n[flake8]\nmax-line-length = 99\n"
PYPROJECT = '[project]\nname = "x"\n\n[tool.pytest.ini_options]\naddopts = "--strict"\n'
MAKEFILE = "test:\n\tset -e; python -m pytest -q tests\n\ndocs:\n\tsphinx docs\n"


def refused(path: str, before: str | None, after: str | None) -> str:
    """What the gates that judge a change by itself say against it."""
    verdicts = judged_alone("", {path: before}, {path: after}).gates
    return "; ".join(f"{one.gate}: {one.evidence}" for one in verdicts if not one.passed)


def edited(old: str, new: str, source: str = TEST, path: str = "tests/test_pkg.py") -> str:
    assert old in source
    return refused(path, source, source.replace(old, new, 1))
