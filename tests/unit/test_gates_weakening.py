"""The judge stays honest: what makes tests or settings less strict is refused, rewriting them is not."""

import pytest

from services.gates.weakening import evaluator_not_weakened

TEST = """
import pytest

def check(x):
    assert x

class TestThing:
    def test_one(self):
        assert 1 + 1 == 2
        assert [1] != [2]

    def test_two(self):
        with pytest.raises(ValueError):
            int("x")
        self.assertEqual(1, 1)

def test_three():
    try:
        int("x")
    except ValueError:
        raise AssertionError("never")
"""


def changed(old: str, new: str, source: str = TEST, path: str = "tests/test_m.py") -> tuple[bool, str]:
    assert old in source
    result = evaluator_not_weakened({path: source}, {path: source.replace(old, new)})
    return result.passed, result.evidence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("assert x", "assert bool(x)"),
        ("assert 1 + 1 == 2", "assert 1 + 1 == 2\n        assert 2 + 2 == 4"),
        ('int("x")', 'int("y")'),
        ("import pytest\n", "import os\n\nimport pytest\n"),
    ],
)
def test_a_test_file_may_be_rewritten(old: str, new: str) -> None:
    assert changed(old, new)[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def test_three", "def no_test_three", "test test_three is gone"),
        ("class TestThing", "class Thing", "test TestThing is gone"),
        ("        assert [1] != [2]\n", "", "TestThing.test_one had 2 assertions, now 1"),
        ("    assert x", "    return x", "check had 1 assertion, now 0"),
        ("self.assertEqual(1, 1)", "self.record(1, 1)", "TestThing.test_two had 2 assertions, now 1"),
        ('raise AssertionError("never")', "pass", "test_three had 1 assertion, now 0"),
        ("with pytest.raises(ValueError):", "if True:", "TestThing.test_two had 2 assertions, now 1"),
        ("assert x", "assert True", "1 assertion made unable to fail"),
        ("assert x", "assert x or True", "unable to fail"),
        ("assert x", "assert (x, 'text')", "unable to fail"),
        ("assert [1] != [2]", "assert [1] == [1]", "unable to fail"),
        ("pytest.raises(ValueError)", "pytest.raises(Exception)", "unable to fail"),
        ("    assert x", "    try:\n        assert x\n    except Exception:\n        pass", "unable to fail"),
        ("def test_three", "@pytest.mark.skip\ndef test_three", "new skip"),
        ("def test_three", "@pytest.mark.xfail\ndef test_three", "new xfail"),
        ("    assert x", "    pytest.skip('no')\n    assert x", "new skip"),
        ("    assert x", "    assert x  # noqa: S101", "1 new `noqa` comment"),
        ("    assert x", "    assert x  # type: ignore[attr]", "`type: ignore` comment"),
        ("    assert x", "    assert x  # pragma: no cover", "`pragma: no cover` comment"),
        ("    assert x", "    assert x  # nosec", "`nosec` comment"),
        ("    assert x", "    assert x (", "does not parse"),
    ],
)
def test_a_weaker_test_file_is_refused(old: str, new: str, said: str) -> None:
    passed, evidence = changed(old, new)
    assert not passed
    assert said in evidence


def test_a_string_that_looks_like_a_suppression_is_none() -> None:
    assert changed("    assert x", "    assert x, '# noqa'")[0]


def test_a_suppression_in_ordinary_source_is_refused_too() -> None:
    passed, evidence = changed("x = 1", "x = 1  # noqa", "x = 1\n", "pkg/m.py")
    assert (passed, evidence) == (False, "pkg/m.py: 1 new `noqa` comment")


def test_ordinary_source_may_lose_assertions() -> None:
    assert changed("assert x", "pass", "def f(x):\n    assert x\n", "pkg/m.py")[0]


def test_a_test_file_may_come_but_not_go() -> None:
    assert evaluator_not_weakened({}, {"test_n.py": TEST}).passed
    assert not evaluator_not_weakened({"test_n.py": TEST}, {"test_n.py": None}).passed
    assert not evaluator_not_weakened({"tests/data.py": "A = 1"}, {"tests/data.py": None}).passed


@pytest.mark.parametrize(
    "path",
    [
        "pytest.ini", "tox.ini", ".coveragerc", "noxfile.py", ".github/workflows/ci.yml", ".gitlab-ci.yml",
        "azure-pipelines.yml",
    ],
)  # fmt: skip
def test_settings_and_build_server_files_may_not_change_nor_come_nor_go(path: str) -> None:
    assert not evaluator_not_weakened({path: "a"}, {path: "b"}).passed
    assert not evaluator_not_weakened({path: None}, {path: "b"}).passed
    assert not evaluator_not_weakened({path: "a"}, {path: None}).passed


def test_of_pyproject_only_the_sections_of_tests_and_checks_are_held() -> None:
    source = '[project]\nname = "x"\n\n[tool.pytest.ini_options]\naddopts = "--strict"\n'
    assert changed('"x"', '"y"', source, "pyproject.toml")[0]
    passed, evidence = changed('"--strict"', '"-k nothing"', source, "pyproject.toml")
    assert (passed, evidence) == (False, "pyproject.toml: section [tool.pytest] was changed")
    assert not changed('"--strict"', '"', source, "pyproject.toml")[0]


def test_of_setup_cfg_only_the_sections_of_tests_and_checks_are_held() -> None:
    source = "[metadata]\nname = x\n\n[tool:pytest]\naddopts = --strict\n"
    assert changed("name = x", "name = y", source, "setup.cfg")[0]
    assert not changed("--strict", "--lax", source, "setup.cfg")[0]
    assert not changed("[tool:pytest]\naddopts = --strict\n", "", source, "setup.cfg")[0]


CONFTEST = """
import pytest

collect_ignore = ["old"]

def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.name)

@pytest.fixture
def name():
    return "%s" % "x"
"""


def test_a_fixture_may_be_rewritten_inside() -> None:
    assert changed('"%s" % "x"', 'f"{chr(120)}"', CONFTEST, "tests/conftest.py")[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("items.sort(key=lambda item: item.name)", "items.clear()", "hook pytest_collection_modifyitems was"),
        ("@pytest.fixture\n", "@pytest.fixture(autouse=True)\n", "declaration of fixture name"),
        ("def name()", "def other()", "function name came or went"),
        ('["old"]', '["old", "test_m.py"]', "collect_ignore was changed"),
        (
            'return "%s"',
            'return 1\n\ndef pytest_runtest_call(item):\n    return "%s"',
            "hook pytest_runtest_call",
        ),
    ],
)
def test_a_conftest_keeps_its_hooks_and_fixtures(old: str, new: str, said: str) -> None:
    passed, evidence = changed(old, new, CONFTEST, "tests/conftest.py")
    assert not passed
    assert said in evidence


def test_a_file_that_never_parsed_is_judged_by_its_text() -> None:
    assert evaluator_not_weakened({"test_m.py": "def ("}, {"test_m.py": "def ("}).passed
    assert not evaluator_not_weakened({"test_m.py": "def ("}, {"test_m.py": "def (("}).passed
