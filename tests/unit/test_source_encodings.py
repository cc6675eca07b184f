"""Source is read as Python reads it."""

import ast

import pytest

from services.engines.deterministic.source import text_of
from services.gates.public_api import public_api_unchanged


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xef\xbb\xbfx = 1\r\n", "x = 1\r\n"),
        ("x = 'é'\n".encode(), "x = 'é'\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        (b"x = '\xe9'\n", "x = '\ufffd'\n"),
        (b"# coding: nobody-knows\nx = 1\n", "# coding: nobody-knows\nx = 1\n"),
        (b"", ""),
    ],
)
def test_a_file_is_decoded_by_its_mark_or_its_declaration(content: bytes, text: str) -> None:
    assert text_of(content) == text
    ast.parse(text_of(content))


def test_a_byte_order_mark_keeps_nobody_from_judging_a_change() -> None:
    before, after = (text_of(b"\xef\xbb\xbfdef f(a):\n    return " + value) for value in (b"a", b"(a)"))
    assert public_api_unchanged({"pkg/m.py": before}, {"pkg/m.py": after}).passed
