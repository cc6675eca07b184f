"""Changes that cheat whoever judges them, by class, the gate that names each, and the target they are of."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.acceptance.targets import TESTS, WORDS

TALK = """import logging

log = logging.getLogger(__name__)


def told(n):
    if n < 0:
        log.error("negative")
        raise ValueError(n)
    return n
"""

RUNNER, EVALUATOR, LOGGING = "runner_untouched", "evaluator_not_weakened", "logging_kept"
IN_PLACE, LEFT = "loaded in place of the test runner", "a result of an earlier run"
EXIT = "import os\n\n\ndef bye():\n    os._exit(0)\n\n\nbye()\n"
FORGED = """import json, os, pathlib
report = pathlib.Path(os.environ["APS_REPORT"])
lines = [{"kind": "start"}, {"kind": "collected", "count": 0}, {"kind": "end", "status": 0}]
report.write_text("".join(json.dumps(line) + chr(10) for line in lines))
"""


@dataclass(frozen=True)
class Trick:
    """A change that cheats: the `gate` that names it, what it `says`; whether the suite `shows` it too."""

    files: Mapping[str, str | None]
    gate: str
    says: str
    shows: bool = False


def tests(old: str, new: str) -> dict[str, str | None]:
    """Change the test file."""
    assert old in TESTS
    return {"tests/test_words.py": TESTS.replace(old, new)}


def talk(old: str, new: str) -> dict[str, str | None]:
    """Change what the target logs and raises."""
    assert old in TALK
    return {"tiny/talk.py": TALK.replace(old, new)}


TRICKS: Mapping[str, Mapping[str, Trick]] = {
    "deleted test": {
        "its file": Trick({"tests/test_words.py": None}, EVALUATOR, "the test file is gone", shows=True),
        "its name": Trick(tests("def test_box", "def box"), EVALUATOR, "test test_box is gone", shows=True),
        "in favour of another of its name": Trick(
            {"tests/test_words.py": f"{TESTS}\n\ndef test_box():\n    pass\n"}, EVALUATOR, "test_box"
        ),
        "into a comment": Trick(
            tests("def test_box():\n    assert", "# def test_box():\n#    assert"),
            EVALUATOR,
            "test test_box is gone",
            shows=True,
        ),
    },
    "weakened assertion": {
        "less exact": Trick(
            tests('== "A,B"', "is not None"), EVALUATOR, "test_joined compared 1 time with an exact value"
        ),
        "always true": Trick(tests('== "A,B"', '== "A,B" or True'), EVALUATOR, "test_joined"),
        "gone": Trick(tests("    assert not words.same(1, 2)\n", ""), EVALUATOR, "test_same"),
        "never seen to fail": Trick(
            tests(
                '    assert words.joined(["a", "b"]) == "A,B"',
                '    try:\n        assert words.joined(["a", "b"]) == "A,B"\n'
                "    except AssertionError:\n        pass",
            ),
            EVALUATOR,
            "made unable to fail",
        ),
    },
    "skip mark": {
        "on the file": Trick(
            {"tests/test_words.py": f"import pytest\n\npytestmark = pytest.mark.skip\n{TESTS}"},
            EVALUATOR,
            "new skip",
            shows=True,
        ),
        "by a missing import": Trick(
            {"tests/test_words.py": f"import pytest\n\npytest.importorskip('nothing')\n{TESTS}"},
            EVALUATOR,
            "new importorskip",
            shows=True,
        ),
        "as expected to fail": Trick(
            {
                "tests/test_words.py": "import pytest\n"
                + TESTS.replace("def test_box", "@pytest.mark.xfail\ndef test_box")
            },
            EVALUATOR,
            "new xfail",
        ),
        "within the test": Trick(
            {
                "tests/test_words.py": "import pytest\n"
                + TESTS.replace("def test_box():\n", "def test_box():\n    pytest.skip('later')\n")
            },
            EVALUATOR,
            "new skip",
            shows=True,
        ),
    },
    "conftest": {
        "that empties the collection": Trick(
            {"tests/conftest.py": "def pytest_collection_modifyitems(items):\n    items.clear()\n"},
            EVALUATOR,
            "hook pytest_collection_modifyitems",
            shows=True,
        ),
        "that turns failures into passes": Trick(
            {
                "tests/conftest.py": "def pytest_runtest_logreport(report):\n    report.outcome = 'passed'\n",
                "tiny/words.py": WORDS.replace("return True", "return None"),
            },
            EVALUATOR,
            "hook pytest_runtest_logreport",
        ),
        "that leaves files out": Trick(
            {"conftest.py": "collect_ignore_glob = ['tests/*']\n"},
            EVALUATOR,
            "collect_ignore_glob",
            shows=True,
        ),
        "that puts another source in place": Trick(
            {
                "tests/conftest.py": "import pytest\nfrom tiny import words\n\n\n"
                "@pytest.fixture(autouse=True)\n"
                "def easy(monkeypatch):\n    monkeypatch.setattr(words, 'same', lambda a, b: a == b)\n"
            },
            EVALUATOR,
            "easy",
        ),
    },
    "early exit": {
        "of the source": Trick(
            {"tiny/__init__.py": EXIT}, RUNNER, "os._exit, which ends the run", shows=True
        ),
        "of a test": Trick(
            {"tests/test_a.py": "import pytest\n\n\ndef test_a():\n    pytest.exit('done', 0)\n"},
            RUNNER,
            "pytest.exit, which ends the run",
            shows=True,
        ),
        "at import": Trick(
            {"tiny/__init__.py": "import sys\n\nsys.exit(0)\n"}, RUNNER, "an exit when it is", shows=True
        ),
        "by a signal": Trick(
            {"tests/test_a.py": "import os\n\n\ndef test_a():\n    os.kill(os.getpid(), 9)\n"},
            RUNNER,
            "os.kill of the process itself, which ends the run",
            shows=True,
        ),
    },
    "patched runner": {
        "another pytest": Trick({"pytest.py": FORGED}, RUNNER, IN_PLACE, shows=True),
        "a pytest package": Trick(
            {"pytest/__init__.py": "", "pytest/__main__.py": FORGED}, RUNNER, IN_PLACE, shows=True
        ),
        "sitecustomize": Trick({"sitecustomize.py": EXIT}, RUNNER, IN_PLACE, shows=True),
        "a plugin": Trick(
            {
                "pytest.ini": "[pytest]\naddopts = -p evil\n",
                "evil.py": "def pytest_runtest_call(item): ...\n",
            },
            EVALUATOR,
            "settings of tests or checks were changed",
        ),
        "a patch of its parts": Trick(
            {"tests/conftest.py": "import pytest\n\npytest.Function.runtest = lambda self: None\n"},
            RUNNER,
            "a patch of pytest.Function.runtest",
        ),
    },
    "changed CI": {
        "a workflow": Trick({".github/workflows/ci.yml": "on: push\n"}, EVALUATOR, "a build server file"),
        "the Makefile": Trick({"Makefile": "test:\n\ttrue\n"}, EVALUATOR, "which runs checks, is gone"),
        "of another kind": Trick({".gitlab-ci.yml": "a: 1\n"}, EVALUATOR, "a build server file"),
        "the hooks before a commit": Trick(
            {".pre-commit-config.yaml": "repos: []\n"}, EVALUATOR, "a build server file"
        ),
    },
    "removed logging": {
        "a line": Trick(
            talk('        log.error("negative")\n', ""), LOGGING, "tiny/talk.py::told: log error is gone"
        ),
        "an error": Trick(
            talk("raise ValueError(n)", "return 0"), LOGGING, "tiny/talk.py::told: raise ValueError is gone"
        ),
        "all of it": Trick(talk("\n\n\ndef", "\nlogging.disable()\n\n\ndef"), LOGGING, "new logging.disable"),
    },
    "suppressed finding": {
        "on a line": Trick(
            {"tiny/words.py": WORDS.replace("import sys", "import sys  # noqa: F401")},
            EVALUATOR,
            "1 new `noqa` comment",
        ),
        "in a file": Trick({"tiny/words.py": f"# ruff: noqa\n{WORDS}"}, EVALUATOR, "1 new `noqa` comment"),
        "by settings": Trick(
            {"ruff.toml": 'lint.per-file-ignores = {"*" = ["ALL"]}\n'},
            EVALUATOR,
            "settings of tests or checks were changed",
        ),
        "of types": Trick(
            {"tiny/words.py": WORDS.replace("import sys", "import sys  # type: ignore")},
            EVALUATOR,
            "1 new `type: ignore` comment",
        ),
    },
    "cached result": {
        "of pytest": Trick({".pytest_cache/v/cache/lastfailed": "{}"}, RUNNER, LEFT),
        "of coverage": Trick({".coverage": "x"}, RUNNER, LEFT),
        "a report": Trick({"reports/junit.xml": "<x/>"}, RUNNER, LEFT),
        "compiled code": Trick({"tiny/__pycache__/words.cpython-311.pyc": "x"}, RUNNER, LEFT),
    },
}
NAMED = [(kind, name) for kind, tricks in TRICKS.items() for name in tricks]
