"""A change keeps away from what runs the tests: every way to reach for it is called by its name."""

import pytest

from services.gates.runner import runner_untouched
from tests.tricks import SOURCE, TEST, refused


@pytest.mark.parametrize(
    ("path", "added", "said"),
    [
        # an early exit
        ("pkg/__init__.py", "import os\nos._exit(0)", "os._exit, which ends the run"),
        (
            "pkg/__init__.py",
            "from os import _exit as done\ndef f():\n    done(0)",
            "os._exit, which ends the run",
        ),
        ("pkg/__init__.py", "import os\ngetattr(os, '_exit')(0)", "os._exit, which ends the run"),
        (
            "pkg/__init__.py",
            "import atexit, os\natexit.register(os._exit, 0)",
            "os._exit, which ends the run",
        ),
        (
            "tests/test_a.py",
            "import os\nos.kill(os.getpid(), 9)",
            "os.kill of the process itself, which ends",
        ),
        (
            "pkg/a.py",
            "from os import getpgid as g, killpg\nkillpg(g(0), 9)",
            "os.killpg of the process itself",
        ),
        ("pkg/a.py", "import os\ndef f():\n    os.kill(0, 9)", "os.kill of the process itself"),
        ("pkg/a.py", "import signal\nsignal.raise_signal(9)", "signal.raise_signal, which ends the run"),
        ("tests/test_a.py", "import os\nos.execv('/bin/true', ['true'])", "os.execv among tests"),
        ("pkg/__init__.py", "__import__('os')._exit(0)", "os._exit, which ends the run"),
        ("pkg/__init__.py", "import sys\nsys.exit(0)", "an exit when it is imported"),
        ("pkg/__init__.py", "raise SystemExit", "an exit when it is imported"),
        ("pkg/__init__.py", "class A:\n    exit(0)", "an exit when it is imported"),
        ("tests/test_pkg.py", "import atexit\natexit.register(print)", "atexit.register among tests"),
        ("tests/test_pkg.py", "def test_x():\n    pytest.exit('done', 0)", "pytest.exit, which ends the run"),
        (
            "tests/test_pkg.py",
            "def test_x(request):\n    request.session.shouldstop = 'x'",
            "set: shouldstop",
        ),
        ("pkg/__init__.py", "exec(bytes.fromhex('6f73').decode())", "exec of text that is made as it runs"),
        # a patched runner
        (
            "tests/test_pkg.py",
            "import unittest as u\nu.TestCase.assertEqual = print",
            "a patch of unittest.TestCase",
        ),
        (
            "tests/test_pkg.py",
            "from _pytest import runner\nrunner.call_and_report = print",
            "a patch of _pytest.runner",
        ),
        ("pkg/__init__.py", "import sys\nsys.modules['pytest'] = None", "a patch of pytest"),
        ("pkg/__init__.py", "import sys\nsys.meta_path.insert(0, None)", "a change of sys.meta_path"),
        (
            "pkg/__init__.py",
            "import builtins\nbuiltins.AssertionError = OSError",
            "a change of builtins.AssertionError",
        ),
        ("pkg/__init__.py", "import aps_report", "an import of the reporter"),
        ("pkg/__init__.py", "import os\nos.environ['PYTEST_ADDOPTS'] = '-k no'", "the word PYTEST_ADDOPTS"),
        ("pkg/__init__.py", "def pytest_runtest_makereport(item): ...", "new hook pytest_runtest_makereport"),
        (
            "tests/test_pkg.py",
            "def test_x(request):\n    request.config.pluginmanager.unregister(None)",
            "pluginmanager",
        ),
        ("tests/test_pkg.py", "def f(report):\n    report.wasxfail = 'x'", "a result that is set: wasxfail"),
        ("tests/test_pkg.py", "import sys\nsys.settrace(None)", "sys.settrace among tests"),
    ],
)
def test_a_file_that_reaches_for_the_runner_is_refused_by_name(path: str, added: str, said: str) -> None:
    source = TEST if "test" in path else SOURCE
    evidence = refused(path, source, f"{source}\n\n{added}\n")
    assert f"runner_untouched: {path}: " in evidence
    assert said in evidence


@pytest.mark.parametrize(
    "path",
    [
        "sitecustomize.py", "src/usercustomize.py", "pkg/sitecustomize/__init__.py", "evil.pth", "pytest.py",
        "pytest/__init__.py", "src/_pytest/runner.py", "tests/unittest.py", "coverage/__init__.py",
        "aps_report.py", "x.egg-info/entry_points.txt", "pytest.so",
    ],
)  # fmt: skip
def test_a_file_in_place_of_the_runner_is_refused_by_name(path: str) -> None:
    assert f"runner_untouched: {path}: it would be loaded in place of" in refused(path, None, "x = 1\n")


@pytest.mark.parametrize(
    "path",
    [
        ".pytest_cache/v/cache/lastfailed", ".coverage", ".coverage.host.1", "coverage.xml",
        "test-report.json", "htmlcov/index.html", "junit.xml", "reports/test-results.xml",
        ".mypy_cache/x.json", ".ruff_cache/1", "pkg/__pycache__/a.pyc",
        ".hypothesis/examples/x", ".testmondata",
    ],
)  # fmt: skip
def test_a_result_of_an_earlier_run_is_refused_by_name_and_may_go(path: str) -> None:
    said = f"runner_untouched: {path}: a result of an earlier run came with the change"
    assert said in refused(path, None, "x")
    assert said in refused(path, "y", "x")
    assert refused(path, "x", None) == ""


def test_a_project_that_is_a_runner_may_change_its_own_modules() -> None:
    path = "src/pytest/__init__.py"
    assert runner_untouched({path: "a = 1\n"}, {path: "a = 2\n"}).passed
    assert not runner_untouched({}, {path: "a = 2\n"}).passed
    assert not runner_untouched({"sitecustomize.py": "a = 1\n"}, {"sitecustomize.py": "a = 2\n"}).passed


def test_a_source_that_does_not_parse_cannot_be_judged() -> None:
    assert "does not parse" in runner_untouched({"a.py": "x = 1"}, {"a.py": "x ="}).evidence
    assert "does not parse" in runner_untouched({"setup.cfg": ""}, {"setup.cfg": "["}).evidence
