"""Which versions of git will do."""

import pytest

from services.workspace.git.version import is_usable


@pytest.mark.parametrize("version", ["2.38.0", "2.39.5", "2.50.1.windows.1", "3.0"])
def test_a_git_that_can_merge_trees_will_do(version):
    assert is_usable(version)


@pytest.mark.parametrize("version", ["2.34.1", "2.9", "1.99", "?", ""])
def test_an_older_one_and_one_that_does_not_say_will_not(version):
    assert not is_usable(version)
