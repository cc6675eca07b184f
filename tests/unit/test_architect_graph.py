"""How a source path becomes the module the import graph knows."""

import pytest

from services.architect.graph import ImportGraph, c4_view, components, module_name


@pytest.mark.parametrize(
    ("path", "packages", "module"),
    [
        ("toolz/itertoolz.py", ("toolz",), "toolz.itertoolz"),
        ("toolz/__init__.py", ("toolz",), "toolz"),
        ("src/foo/bar.py", ("src/foo",), "foo.bar"),
        ("mod.py", ("mod.py",), "mod"),
        ("src/mod.py", ("src/mod.py",), "mod"),
        ("tests/test_x.py", ("toolz",), "tests/test_x.py"),
    ],
)
def test_a_path_is_named_by_the_package_or_module_it_lies_in(
    path: str, packages: tuple[str, ...], module: str
) -> None:
    assert module_name(path, packages) == module


def test_the_view_shows_what_is_touched_and_who_imports_it() -> None:
    graph = ImportGraph({"p": ("p.a",), "p.a": (), "p.b": ("p.a",)})
    parts = components(graph, ("p/a.py",), ("p",))
    assert [(part.module, part.touched, part.fan_in) for part in parts] == [
        ("p.a", True, 2),
        ("p", False, 0),
        ("p.b", False, 0),
    ]
    view = c4_view('a "title"', "p", parts)
    assert 'Rel(c1, c0, "imports")' in view
    assert "title a 'title'" in view
