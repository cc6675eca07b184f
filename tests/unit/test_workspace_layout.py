"""Which parts of a tree count as its import packages."""

import pytest

from services.workspace.layout import Layout, layout_of, scope_remarks

PYPROJECT = "[project]\nname = '{}'\n"


@pytest.mark.parametrize(
    ("files", "texts", "expected"),
    [
        (
            ["toolz/__init__.py", "tlz/__init__.py", "tests/__init__.py", "docs/conf.py", "setup.py"],
            {},
            Layout(".", ("tlz", "toolz")),
        ),
        (
            ["src/attr/__init__.py", "src/attrs/__init__.py", "tests/__init__.py", "bench/__init__.py"],
            {},
            Layout("src", ("src/attr", "src/attrs")),
        ),
        (["six.py", "setup.py", "test_six.py", "noxfile.py"], {}, Layout(".", ("six.py",))),
        (
            ["foo/__init__.py", "extra.py", "foo_cli.py"],
            {"setup.py": "setup(name='foo', py_modules=['foo_cli'])"},
            Layout(".", ("foo", "foo_cli.py")),
        ),
        (["lib/yaml/__init__.py", "setup.py", "tests/test_all.py"], {}, Layout("lib", ("lib/yaml",))),
        (
            ["source/deep/__init__.py", "example/__init__.py"],
            {"pyproject.toml": "[tool.setuptools.package-dir]\n'' = 'source'\n"},
            Layout("source", ("source/deep",)),
        ),
        (
            ["jaraco/functools/__init__.py", "jaraco/functools/inner/__init__.py", "docs/x/__init__.py"],
            {},
            Layout(".", ("jaraco/functools",)),
        ),
        (
            ["testing/__init__.py", "tests/__init__.py"],
            {"pyproject.toml": PYPROJECT.format("Testing")},
            Layout(".", ("testing",)),
        ),
        (["not-a-name/__init__.py", "README.md"], {}, Layout(".", ())),
        (
            ["broken/__init__.py"],
            {"pyproject.toml": "[[[", "setup.cfg": "nonsense"},
            Layout(".", ("broken",)),
        ),
    ],
)
def test_a_layout_is_found(files, texts, expected):
    assert layout_of(files, texts) == expected


HATCH = "[tool.hatch.build.targets.wheel]\npackages = ['backend/hpk']\n"
POETRY = "[tool.poetry]\npackages = [{include = 'acme/tools', from = 'source'}, {include = 'tests'}]\n"
FIND = "[tool.setuptools.packages.find]\ninclude = ['acme*']\n"
SCRIPT = """
import setuptools

names = ["tools", "tools.inner", "tests"]  # what is shipped
setuptools.setup(name="x", packages=names)
"""


@pytest.mark.parametrize(
    ("files", "texts", "expected"),
    [
        (
            ["tasks/__init__.py", "other/__init__.py", "tests/__init__.py"],
            {"pyproject.toml": "[tool.setuptools]\npackages = ['tasks']\n"},
            Layout(".", ("tasks",)),
        ),
        (
            ["tools/__init__.py", "tools/inner/__init__.py", "tests/__init__.py", "noxfile.py"],
            {"setup.py": SCRIPT},
            Layout(".", ("tools",)),
        ),
        (
            ["scripts/a.py", "lib/scripts/__init__.py"],
            {"setup.cfg": "[options]\npackages =\n  scripts\npackage_dir =\n  = lib\n"},
            Layout("lib", ("lib/scripts",)),
        ),
        (
            ["acme/tools/core.py", "acme/web/core.py", "helper/core.py", "tests/test_a.py"],
            {"pyproject.toml": FIND},
            Layout(".", ("acme/tools", "acme/web")),
        ),
        (
            ["backend/hpk/__init__.py", "hpk/__init__.py"],
            {"pyproject.toml": HATCH},
            Layout("backend", ("backend/hpk",)),
        ),
        (
            ["source/acme/tools/a.py", "tests/a.py"],
            {"pyproject.toml": POETRY},
            Layout("source", ("source/acme/tools",)),
        ),
        (
            ["tools.py", "pkg/__init__.py"],
            {"pyproject.toml": "[tool.flit.module]\nname = 'tools'\n"},
            Layout(".", ("tools.py",)),
        ),
        (
            ["contrib/site/__init__.py", "b/__init__.py"],
            {"pyproject.toml": "[tool.pdm.build]\nincludes = ['contrib/site']\n"},
            Layout("contrib", ("contrib/site",)),
        ),
        (
            ["src/release/__init__.py", "src/more/__init__.py"],
            {"pyproject.toml": "[tool.uv.build-backend]\nmodule-name = 'release'\n"},
            Layout("src", ("src/release",)),
        ),
    ],
)
def test_what_the_build_files_name_wins_whatever_it_is_called(files, texts, expected):
    assert layout_of(files, texts) == expected


@pytest.mark.parametrize(
    "texts",
    [
        {"pyproject.toml": "[tool.setuptools.packages.find]\ninclude = ['*']\nexclude = ['tests*']\n"},
        {"pyproject.toml": "[tool.setuptools]\npackages = ['gone']\n"},
        {"setup.py": "setup(packages=['foo'] + find_packages())"},
        {"setup.py": "print 'for Python 2'\nsetup(packages=['foo'])"},
    ],
)
def test_what_names_nothing_that_is_there_leaves_the_choice_to_the_layout(texts):
    files = ["foo/__init__.py", "bar/__init__.py", "tests/__init__.py"]
    assert layout_of(files, texts) == Layout(".", ("bar", "foo"))


@pytest.mark.parametrize(
    ("files", "name", "expected"),
    [
        (["acme/tools/core.py", "tests/test_core.py", "setup.py"], "other", ("acme/tools",)),
        (
            ["acme/tools/core.py", "acme/web/a.py", "data/gen.py", "x.py"],
            "acme-tools",
            ("acme/tools", "acme/web"),
        ),
        (["single.py", "data/gen.py"], "other", ("single.py",)),
        (["one/a.py", "two/b.py"], "other", ()),
        (["src/one/a.py", "src/two/b.py"], "other", ("src/one", "src/two")),
    ],
)
def test_a_namespace_without_any_init_file_is_found_where_nothing_else_could_be_meant(files, name, expected):
    assert layout_of(files, {"pyproject.toml": PYPROJECT.format(name)}).packages == expected


def test_an_empty_scope_is_said_with_how_to_name_it():
    assert scope_remarks(("pkg",)) == ()
    assert "[tool.setuptools] packages" in scope_remarks(())[0]
