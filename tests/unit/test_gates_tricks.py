"""Every way to have tests judge less strictly is refused, and called by its name."""

import pytest

from services.gates.weakening import evaluator_not_weakened
from tests.tricks import CONFTEST, MAKEFILE, PYPROJECT, SETUP_CFG, SOURCE, TEST, edited, refused

EVALUATOR = "evaluator_not_weakened: tests/test_pkg.py: "


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # a deleted test
        (TEST, "", "test TestMore is gone"),
        ("def test_errors", "def errors", "test test_errors is gone"),
        ("    def test_text", "    def text", "test TestMore.test_text is gone"),
        ("def test_errors", "if False:\n  def test_errors", "test test_errors now stands under a condition"),
        ("class TestMore", "test_errors = None\n\n\nclass TestMore", "test test_errors is replaced"),
        ("class TestMore", "del test_errors\n\n\nclass TestMore", "test test_errors is replaced"),
        ("[1, 2, 3]", "[1]", "test_double was run with 3 cases, now 1"),
        # a weakened assertion
        ("== 2 * n", "in (2 * n, n)", "test_double compared 1 time with an exact value, now 0"),
        ("double(n) == 2 * n", "double(n)", "test_double compared 1 time with an exact value, now 0"),
        ("2 * n", "pytest.approx(2 * n, rel=9)", "test_double compared 1 time with an exact value, now 0"),
        ("assertEqual(", "assertIsInstance(", "TestMore.test_text compared 2 times"),
        (', match="number"', "", "test_errors compared 1 time with an exact value, now 0"),
        ("    assert double(n)", "    return\n    assert double(n)", "test_double had 1 assertion, now 0"),
        (
            "    assert double(n)",
            "    if n > 5:\n        assert double(n)",
            "1 assertion only under a condition now",
        ),
        ("    assert double(n)", "    while False:\n        assert double(n)", "had 1 assertion, now 0"),
        ("    assert double(n)", "    for n in []:\n        assert double(n)", "had 1 assertion, now 0"),
        ("assert double(n) == 2 * n", "assert (double(n) == 2 * n for n in [n])", "unable to fail"),
        ("assert double(n) == 2 * n", "assert lambda: double(n) == 2 * n", "unable to fail"),
        ("assert double(n) == 2 * n", "assert double(n) == double(n)", "unable to fail"),
        ("assert double(n) == 2 * n", "assert isinstance(double(n), object)", "unable to fail"),
        # a skip mark
        ("def test_errors", "@pytest.mark.skip\ndef test_errors", "new skip"),
        ("def test_errors", "@pytest.mark.skipif(True, reason='')\ndef test_errors", "new skipif"),
        ("    with pytest", "    pytest.skip('later')\n    with pytest", "new skip"),
        ("        self.assert", "        self.skipTest('later')\n        self.assert", "new skipTest"),
        ("class TestMore", "@unittest.skip('later')\nclass TestMore", "new skip"),
        ("class TestMore", "@unittest.expectedFailure\nclass TestMore", "new expectedFailure"),
        ("    with pytest", "    raise unittest.SkipTest\n    with pytest", "new SkipTest"),
        ("import pytest\n", "import pytest\npytestmark = pytest.mark.slow\n", "marks of the whole file"),
        ("import pytest\n", "import pytest\npytestmark = pytest.mark.xfail(strict=False)\n", "new xfail"),
        ("import pytest\n", "import pytest\npytest.importorskip('nothing')\n", "new importorskip"),
        (
            "from pkg import double",
            "try:\n    from pkg import double\nexcept ImportError:\n    from unittest import SkipTest as Bye",
            "new SkipTest",
        ),
        ("import pytest\n", "import pytest\n__test__ = False\n", "new __test__"),
        ("def test_errors", "@pytest.mark.flaky(reruns=9)\ndef test_errors", "new flaky"),
        # a fixture that disables
        (
            "def test_errors",
            "@pytest.fixture(autouse=True)\ndef off(monkeypatch):\n    yield\n\n\ndef test_errors",
            "a new fixture acts on every test",
        ),
        # a suppressed finding
        ("import double", "import double  # noqa: F401", "1 new `noqa` comment"),
        ("import double", "import double  # type: ignore", "1 new `type: ignore` comment"),
        ("import double", "import double  # pragma: no cover", "1 new `pragma: no cover` comment"),
        ("import pytest\n", "# ruff: disable[F401]\nimport pytest\n", "1 new `ruff: disable` comment"),
        (
            "import pytest\n",
            "# mypy: disable-error-code=attr\nimport pytest\n",
            "1 new `mypy: disable` comment",
        ),
        ("import double", "import double  # NOSONAR", "1 new `nosec` comment"),
        ("def test_errors", "@typing.no_type_check\ndef test_errors", "1 new `no_type_check` comment"),
    ],
)
def test_a_weaker_test_is_refused_by_name(old: str, new: str, said: str) -> None:
    evidence = edited(old, new)
    assert EVALUATOR in evidence
    assert said in evidence


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("def pytest_runtest_makereport(item, call): ...", "hook pytest_runtest_makereport was changed"),
        (
            "def pytest_collection_modifyitems(items):\n    items.clear()",
            "hook pytest_collection_modifyitems",
        ),
        ("pytest_ignore_collect = lambda *_: True", "pytest_ignore_collect was changed"),
        ("from tests.helpers import pytest_runtest_call", "the import of pytest_runtest_call was changed"),
        ("from tests.helpers import *", "the import of * was changed"),
        ("pytest_plugins = ['helpers']", "pytest_plugins was changed"),
        ("collect_ignore = ['test_pkg.py']", "collect_ignore was changed"),
        ("@pytest.fixture(autouse=True)\ndef off(): ...", "function off came or went"),
        ("helpers.install()", "1 new call when it is imported"),
        ("if True:\n    helpers.install()", "1 new call when it is imported"),
        ("pytest.fail = print", "new: a patch of pytest.fail"),
        ("setattr(pytest.Item, 'runtest', print)", "new: a patch of pytest.Item.runtest"),
    ],
)
def test_a_conftest_that_acts_on_the_tests_is_refused_by_name(added: str, said: str) -> None:
    assert said in refused("tests/conftest.py", CONFTEST, f"{CONFTEST}\n\n{added}\n")


@pytest.mark.parametrize(
    ("path", "before", "after", "said"),
    [
        # changed CI
        (".github/workflows/ci.yml", "run: pytest", "run: true", "a build server file was changed"),
        (".gitlab-ci.yml", "script: pytest", None, "a build server file was changed"),
        (".forgejo/workflows/ci.yml", None, "run: true", "a build server file was changed"),
        (".ci/run", "make check", "true", "a build server file was changed"),
        ("Makefile", MAKEFILE, MAKEFILE.replace("tests\n", "tests || true\n"), "which runs checks, is gone"),
        ("run_tests.sh", "set -e\npytest\n", "pytest\n", "the line `set -e`, which runs checks, is gone"),
        ("Dockerfile", "RUN tox\n", "RUN true\n", "the line `RUN tox`, which runs checks, is gone"),
        # settings that suppress
        (
            "setup.cfg",
            SETUP_CFG,
            SETUP_CFG + "per-file-ignores = a.py:F401\n",
            "section [flake8] was changed",
        ),
        (
            "setup.cfg",
            SETUP_CFG,
            SETUP_CFG + "[coverage:run]\nomit = pkg/*\n",
            "section [coverage:run] was changed",
        ),
        (
            "pyproject.toml",
            PYPROJECT,
            PYPROJECT + '[tool.ruff.lint]\nignore = ["F"]\n',
            "[tool.ruff] was changed",
        ),
        (
            "pyproject.toml",
            PYPROJECT,
            PYPROJECT + '[tool.coverage.run]\nomit = ["a"]\n',
            "[tool.coverage] was changed",
        ),
        (".pylintrc", None, "[MASTER]\ndisable=all\n", "settings of tests or checks were changed"),
        (".bandit", "x", "y", "settings of tests or checks were changed"),
        # plugins
        (
            "pyproject.toml",
            PYPROJECT,
            PYPROJECT.replace("--strict", "-p evil"),
            "section [tool.pytest] was changed",
        ),
        (
            "pyproject.toml",
            PYPROJECT,
            PYPROJECT + '[project.entry-points.pytest11]\nevil = "evil"\n',
            "the pytest plugins that it declares were changed",
        ),
        (
            "setup.cfg",
            SETUP_CFG,
            SETUP_CFG + "[options.entry_points]\npytest11 =\n    evil = evil\n",
            "the pytest plugins that it declares were changed",
        ),
        ("setup.py", "setup()", "setup(entry_points={'pytest11': ['evil = evil']})", "the word pytest11"),
        (".env", "", "PYTEST_PLUGINS=evil", "the word PYTEST_PLUGINS"),
    ],
)
def test_changed_settings_of_what_judges_are_refused_by_name(
    path: str, before: str | None, after: str | None, said: str
) -> None:
    evidence = refused(path, before, after)
    assert f"{path}: " in evidence
    assert said in evidence


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("tests/test_pkg.py", TEST, TEST + "\n\ndef test_new():\n    assert double(4) == 8\n"),
        ("tests/test_new.py", None, TEST),
        ("tests/test_pkg.py", TEST, TEST.replace("[1, 2, 3]", "[1, 2, 3, 4]")),
        ("tests/test_pkg.py", TEST, TEST.replace("double(n) == 2 * n", "2 * n == double(n)")),
        ("pkg/m.py", SOURCE, SOURCE.replace("n * 2", "2 * n")),
        ("pkg/__main__.py", "import sys\n", "import sys\nsys.exit(0)\n"),
        (
            "pkg/cli.py",
            "",
            "import sys\n\n\ndef main():\n    sys.exit(1)\n\n\nif __name__ == '__main__':\n    main()\n",
        ),
        ("pkg/cli.py", "", "try:\n    import x\nexcept SystemExit:\n    pass\n"),
        ("pkg/coverage.py", None, "covered = 1\n"),
        ("pkg/testing/pytest.py", None, "covered = 1\n"),
        ("Makefile", MAKEFILE, MAKEFILE.replace("sphinx docs", "sphinx -W docs")),
        ("pyproject.toml", PYPROJECT, PYPROJECT.replace('"x"', '"y"')),
        (
            "tests/test_pkg.py",
            TEST,
            TEST + "\n\ndef test_e(monkeypatch):\n    monkeypatch.setattr(m, 'a', 1)\n    assert 1 == m\n",
        ),
        ("docs/report.json", None, "{}"),
    ],
)
def test_an_honest_change_passes_every_gate_that_judges_it_by_itself(
    path: str, before: str | None, after: str
) -> None:
    assert refused(path, before, after) == ""


def test_what_a_test_never_demanded_it_need_not_demand() -> None:
    before = {"tests/test_a.py": "def test_a():\n    if x:\n        assert f() in y\n"}
    after = {"tests/test_a.py": "def test_a():\n    if z:\n        assert g() in y\n"}
    assert evaluator_not_weakened(before, after).passed
