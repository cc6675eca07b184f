"""Which parts of a tree count as its import packages."""

import pytest

from services.workspace.layout import Layout, layout_of

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
