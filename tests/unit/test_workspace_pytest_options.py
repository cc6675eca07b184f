"""Which of a target's pytest options a run here keeps."""

import pytest

from services.workspace.suites.pytest_options import Configured, configured, kept_addopts, without_plugins


@pytest.mark.parametrize(
    ("words", "installed", "kept"),
    [
        ("-ra --strict-markers -W error", (), "-ra --strict-markers -W error"),
        ("--cov pkg --cov-report=xml --no-cov-on-fail -q", ("pytest-cov",), "-q"),
        ("-n 4 --dist loadscope --doctest-modules", (), "--doctest-modules"),
        ("-n4 -x --maxfail=1 --tb short -l", (), "-l"),
        ("--benchmark-skip --timeout=30", ("pytest-timeout",), "--timeout=30"),
        ("-p no:warnings -p xdist --import-mode=importlib", (), "-p no:warnings --import-mode=importlib"),
        ("-p pp.plug -ptests.more -q", (), "-p pp.plug -p tests.more -q"),
        ("-p pytest_cov.plugin -p randomly -l", (), "-l"),
        ("-vx -qxs -xvn4 -l", (), "-v -qs -v -l"),
        ("-vn auto -lx -rx -qrA -k x", (), "-v -l -rx -q -rA -k x"),
        ("--junitxml=out.xml --color yes -m slow", (), "-m slow"),
        ("--durations=10 --ignore=a", (), "--durations=10 --ignore=a"),
    ],
)
def test_options_that_change_what_a_run_shows_are_left_out(words, installed, kept):
    assert " ".join(kept_addopts(words.split(), installed).words) == kept


def test_plugins_that_are_left_out_are_told():
    assert kept_addopts(["-p", "xdist", "-p", "own.plug", "-p", "no:xdist"], ()).left_out == ("xdist",)


def test_options_can_do_without_the_plugins_they_load():
    assert without_plugins(("-v", "-p", "own.plug", "-p", "no:cacheprovider", "-q")) == (
        "-v", "-p", "no:cacheprovider", "-q",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({}, Configured(None, (), ())),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-ra -q'\ntestpaths = ['t', 'u']\n"},
            Configured("pyproject.toml", ("-ra", "-q"), ("t", "u")),
        ),
        ({"setup.cfg": "[tool:pytest]\naddopts = -l\n"}, Configured("setup.cfg", ("-l",), ())),
        ({"tox.ini": "[pytest]\ntestpaths = a b\n"}, Configured("tox.ini", (), ("a", "b"))),
        (
            {"pytest.ini": "[pytest]\n", "pyproject.toml": "[tool.pytest.ini_options]\naddopts='-x'"},
            Configured("pytest.ini", (), ()),
        ),
        ({"pyproject.toml": "[tool.pytest]\naddopts = ['-l']\n"}, Configured("pyproject.toml", ("-l",), ())),
        ({"pyproject.toml": "[project]\nname='x'\n", "tox.ini": "[tox]\n"}, Configured(None, (), ())),
    ],
)
def test_configuration_is_read_where_pytest_reads_it(texts, expected):
    assert configured(texts) == expected
