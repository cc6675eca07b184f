"""What a tree's own files say its tests need."""

from services.workspace.environments.dependencies import declared, metadata_declares, recognised


def test_a_test_extra_is_preferred_to_a_development_one():
    text = """
    [project]
    name = "thing"
    dependencies = ["attrs>=20", "tomli; python_version < '3'"]
    [project.optional-dependencies]
    test = ["pytest", "hypothesis>=6", "mypy"]
    dev = ["pre-commit", "numpy"]
    docs = ["sphinx"]
    """
    found = declared({"pyproject.toml": text})
    assert found.runtime == ("attrs>=20",)
    assert found.testing == ("pytest", "hypothesis>=6")


def test_a_development_set_counts_where_there_is_no_other():
    text = "[project]\nname = 'x'\n[dependency-groups]\ndev = ['pytest-mock', 'ruff']\n"
    assert declared({"pyproject.toml": text}).testing == ("pytest-mock",)


def test_a_reference_to_an_extra_of_itself_is_followed_once():
    text = """
    [project]
    name = "Self-Ref"
    [project.optional-dependencies]
    test = ["self_ref[more]", "a"]
    more = ["self-ref[test]", "b"]
    """
    assert declared({"pyproject.toml": text}).testing == ("a", "b")


def test_groups_that_include_groups_are_followed_without_end():
    text = """
    [dependency-groups]
    tests = [{include-group = "base"}, "a"]
    base = [{include-group = "tests"}, "b"]
    """
    assert declared({"pyproject.toml": text}).testing == ("a", "b")


def test_requirement_files_include_each_other_and_pass_over_options():
    texts = {
        "requirements-test.txt": (
            "-r requirements/base.txt\n--index-url https://example.invalid\npytest  # why\n-e .\n"
        ),
        "requirements/base.txt": "freezegun==1.5 \\\n    --hash=sha256:00\ngit+https://example.invalid/x.git\n",
    }
    assert declared(texts).testing == ("freezegun==1.5", "pytest")


def test_tox_setup_cfg_and_literal_setup_py_are_read():
    texts = {
        "tox.ini": "[testenv]\ndeps =\n    parameterized\n    py27: mock\n    -rtest-requirements.txt\n",
        "test-requirements.txt": "six\n",
        "setup.cfg": "[options.extras_require]\ntesting =\n    ddt\n",
        "setup.py": "setup(tests_require=['pretend'], install_requires=['attrs'], name=compute())",
    }
    found = declared(texts)
    assert found.runtime == ("attrs",)
    assert set(found.testing) == {"parameterized", "six", "ddt", "pretend"}


def test_poetry_and_hatch_names_are_taken():
    text = """
    [tool.poetry.group.test.dependencies]
    pytest-asyncio = "^0.23"
    [tool.hatch.envs.hatch-test]
    extra-dependencies = ["respx"]
    """
    assert set(declared({"pyproject.toml": text}).testing) == {"pytest-asyncio", "respx"}


def test_broken_files_declare_nothing():
    texts = {"pyproject.toml": "[", "setup.cfg": "x", "setup.py": "def (", "tox.ini": "\0"}
    found = declared(texts)
    assert (found.runtime, found.testing) == ((), ())


def test_built_metadata_gives_the_test_extras_that_apply_here():
    text = (
        "Name: thing\nProvides-Extra: tests\nProvides-Extra: docs\nRequires-Dist: attrs\n"
        "Requires-Dist: hypothesis>=6; extra == 'tests'\n"
        "Requires-Dist: mock; extra == 'tests' and python_version < '3'\n"
        "Requires-Dist: sphinx-thing; extra == 'docs'\n\n"
    )
    assert metadata_declares(text).testing == ("hypothesis>=6",)


def test_well_known_libraries_are_recognised_by_import_unless_declared():
    sources = ["import yaml\nfrom hypothesis import given\nimport os\n"]
    assert recognised(sources, ("hypothesis>6",)) == ("pyyaml",)
