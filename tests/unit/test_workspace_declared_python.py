"""Which Pythons a project declares."""

from pathlib import Path

import pytest

from services.workspace.environments.declared_python import DeclaredPython, declared_python, python_at

NAMED = "WANTED = '>=3.8'\nsetup(name='x', python_requires=WANTED)\n"
CLASSIFIED = '[project]\nclassifiers = ["Programming Language :: Python :: {}", "{} :: 3.11"]\n'


@pytest.mark.parametrize(
    ("file", "text", "oldest", "two"),
    [
        ("pyproject.toml", '[project]\nrequires-python = ">=3.9"\n', 9, False),
        ("pyproject.toml", '[project]\nrequires-python = ">3.8.0,<4"\n', 8, False),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.6.1"\n', 6, False),
        ("pyproject.toml", '[project]\nrequires-python = "~=3.8"\n', 8, False),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.8"\n', 8, False),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = ">=3.9,<4.0"\n', 9, False),
        ("setup.cfg", "[options]\npython_requires = >=3.7\n", 7, False),
        ("setup.py", "setup(python_requires='>=3.8')\n", 8, False),
        ("setup.py", NAMED, 8, False),
        ("PKG-INFO", "Metadata-Version: 2.1\nRequires-Python: >=2.7, !=3.0.*, !=3.1.*, !=3.2.*\n", 3, True),
        ("pyproject.toml", CLASSIFIED.format("3.9", "Programming Language :: Python"), 9, False),
        ("setup.py", "Programming Language :: Python :: 2.7\nProgramming Language :: Python :: 3.8", 8, True),
    ],
)  # fmt: skip
def test_the_oldest_declared_python_is_read(file: str, text: str, oldest: int, two: bool) -> None:
    found = declared_python({file: text})
    assert (found.oldest, found.two) == (oldest, two)


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        '[project]\nrequires-python = "whatever"\n',
        '[project]\nrequires-python = "<4"\n',
        '[project]\nrequires-python = ">=2.6,<3"\n',
        "",
    ],
)
def test_what_says_nothing_declares_nothing(text: str) -> None:
    assert declared_python({"pyproject.toml": text}) == DeclaredPython()


def test_a_bound_wins_over_classifiers_and_the_next_file_is_asked_where_one_has_none() -> None:
    classified = "Classifier: Programming Language :: Python :: 3.7\n"
    assert declared_python({"setup.py": NAMED, "PKG-INFO": classified}).oldest == 8
    bounded = {"pyproject.toml": '[project]\nrequires-python = "<4"\n', "PKG-INFO": classified}
    assert declared_python(bounded).oldest == 7


def test_a_tree_is_read_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("[options]\npython_requires = >=3.6\n")
    (tmp_path / "setup.cfg").symlink_to("elsewhere")
    (tmp_path / "setup.py").write_text(NAMED)
    assert python_at(tmp_path) == DeclaredPython(">=3.8", 8)
