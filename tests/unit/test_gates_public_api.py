"""What others import stays: names, re-exports, signatures, methods."""

import pytest

from services.gates.public_api import public_api_unchanged

SOURCE = """
import os
import json as json
from a import b

LIMIT, _private = 1, 2
size: int = 3

def f(a, b=1, *rest, c, d=2, **more): ...

async def g(a, /): ...

class C:
    attribute = 1

    def __init__(self, x): ...
    def method(self, y): ...
    def _hidden(self): ...
    @property
    def shown(self): ...

if sys.version_info[0] < 3:
    def old(): ...
else:
    def new(): ...
"""


def changed(old: str, new: str, source: str = SOURCE, path: str = "pkg/m.py") -> tuple[bool, str]:
    assert old in source
    result = public_api_unchanged({path: source}, {path: source.replace(old, new)})
    return result.passed, result.evidence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import os\n", ""),
        ("from a import b\n", ""),
        ("_private = 1, 2", "_other = 1, 2"),
        ("def f(a, b=1", "def f(a: int, b: int = 2"),
        ("def _hidden(self): ...", "pass"),
        ("size: int = 3", "size = 4"),
        ("class C:", "class C(object):"),
        ("    def old(): ...", "    pass"),
        ("if sys.version_info[0] < 3:\n    def old(): ...\nelse:\n    def new(): ...", "def new(): ..."),
        ("LIMIT, _private = 1, 2", "def LIMIT(): ..."),
    ],
)
def test_what_nobody_can_see_may_change(old: str, new: str) -> None:
    assert changed(old, new)[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("LIMIT, _private = 1, 2", "_private = 2", "LIMIT is gone"),
        ("import json as json\n", "", "json is gone"),
        ("size: int = 3", "", "size is gone"),
        ("def f(a, b=1", "def f(a, b", "f was def(a, b=, *rest, c, d=, **more), is"),
        ("def f(a,", "def f(z,", "f was"),
        ("def f(a,", "def f(a, z,", "f was"),
        ("c, d=2", "c, d", "f was"),
        ("async def g", "def g", "g was async def(a, /), is def(a, /)"),
        ("g(a, /)", "g(a)", "g was"),
        ("def method(self, y)", "def method(self)", "C.method was"),
        ("def method(self, y)", "def _method(self, y)", "C.method is gone"),
        ("    @property\n", "", "C.shown was @property def(self), is def(self)"),
        ("def __init__(self, x)", "def __init__(self)", "C.__init__ was"),
        ("attribute = 1", "pass", "C.attribute is gone"),
        ("def new(): ...", "pass", "new is gone"),
        ("class C:", "class C(:", "does not parse"),
    ],
)
def test_what_others_use_may_not(old: str, new: str, said: str) -> None:
    passed, evidence = changed(old, new)
    assert not passed
    assert said in evidence


def test_what_came_new_is_reported() -> None:
    passed, evidence = changed("LIMIT, ", "LIMIT, MORE, ")
    assert passed
    assert "new: pkg/m.py: MORE" in evidence


def test_a_package_offers_what_it_imports() -> None:
    source = "from pkg.m import f\nfrom pkg.n import *\nfrom __future__ import annotations\n"
    assert not changed("from pkg.m import f\n", "", source, "pkg/__init__.py")[0]
    assert not changed("from pkg.n import *\n", "", source, "pkg/__init__.py")[0]
    assert changed("from __future__ import annotations\n", "", source, "pkg/__init__.py")[0]


def test_a_literal_list_of_names_decides_alone() -> None:
    source = '__all__ = ["a"] + ["_b"]\n__all__ += ["c"]\na = _b = 1\nfrom x import c\nd = 2\n'
    assert changed("d = 2\n", "", source)[0]
    assert changed('["a"] + ["_b"]', '("_b", "a")', source)[0]
    assert changed("a = _b = 1", "a = 1", source.replace('["a"] + ["_b"]', '["a"]'))[0]
    assert not changed('__all__ += ["c"]\n', "", source)[0]


def test_a_module_that_goes_is_gone_and_a_new_one_is_welcome() -> None:
    assert not public_api_unchanged({"pkg/m.py": SOURCE}, {}).passed
    assert public_api_unchanged({}, {"pkg/m.py": SOURCE}).passed


@pytest.mark.parametrize(
    "path", ["pkg/_m.py", "pkg/_vendor/m.py", "tests/m.py", "pkg/test_m.py", "README.md"]
)
def test_tests_and_private_modules_are_nobodys_interface(path: str) -> None:
    assert public_api_unchanged({path: "a = 1"}, {path: "b = 1"}).passed


HANDING_ON = "import tr.register\nfrom tr.core import pick\nfrom .core import differ as unlike\nimport os\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import tr.register\n", "the import of tr.register is gone"),
        ("from tr.core import pick\n", "the import of tr.core.pick is gone"),
        ("from .core import differ as unlike\n", "the import of .core.differ as unlike is gone"),
    ],
)
def test_what_a_module_hands_on_from_its_own_project_stays(line: str, said: str) -> None:
    passed, evidence = changed(line, "", HANDING_ON, path="src/tr/api.py")
    assert not passed
    assert said in evidence


def test_an_import_of_the_own_project_may_go_when_its_last_use_goes() -> None:
    source = HANDING_ON + "def f():\n    return pick(1)\n"
    after = source.replace("from tr.core import pick\n", "").replace("pick(1)", "1")
    assert public_api_unchanged({"tr/api.py": source}, {"tr/api.py": after}).passed


def test_an_unused_import_of_others_may_go() -> None:
    assert changed("import os\n", "", HANDING_ON, path="src/tr/api.py")[0]


def test_a_package_for_testing_with_is_an_interface_but_a_folder_of_tests_is_not() -> None:
    assert not changed("def f(", "def h(", path="pkg/testing/api.py")[0]
    assert changed("def f(", "def h(", path="testing/api.py")[0]
    assert changed("def f(", "def h(", path="pkg/testing/test_api.py")[1] == "no public module is touched"
