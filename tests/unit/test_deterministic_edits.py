"""Edits chosen from ruff's answer: offsets, overlaps, and where text went."""

from hypothesis import given
from hypothesis import strategies as st

from services.engines.deterministic.edits import Piece, apply_pieces, pieces
from services.engines.deterministic.ruff import Diagnostic, Edit, Fix, Place
from services.engines.deterministic.source import Source, damage


def diagnostic(row: int, *edits: tuple[int, int, int, int, str]) -> Diagnostic:
    return Diagnostic(
        code="X1",
        filename="a.py",
        location=Place(row=row, column=1),
        message="",
        fix=Fix(
            applicability="unsafe",
            edits=tuple(
                Edit(content=text, location=Place(row=r, column=c), end_location=Place(row=er, column=ec))
                for r, c, er, ec, text in edits
            ),
        ),
    )


def test_findings_with_the_same_edits_are_one_piece() -> None:
    source = Source("import (\n a,\n b)\n")
    both = [diagnostic(2, (1, 1, 4, 1, "")), diagnostic(3, (1, 1, 4, 1, ""))]
    assert pieces(source, both) == (Piece(((0, 17, ""),), (2, 3)),)


def test_columns_count_characters_and_only_three_line_endings_count() -> None:
    source = Source("é😀\x0c\u2028x\r\ny\rz")
    assert [source.offset(1, 5), source.offset(2, 1), source.offset(3, 1)] == [4, 7, 9]
    assert [source.line(row) for row in (1, 2, 3, 4)] == ["é😀\x0c\u2028x", "y", "z", ""]


def test_a_piece_that_overlaps_waits() -> None:
    first, second = Piece(((0, 3, "a"),), (1,)), Piece(((2, 4, "b"),), (1,))
    done = apply_pieces("12345", [second, first])
    assert (done.text, done.applied) == ("a45", (first,))


def test_an_import_that_two_fixes_need_is_added_once() -> None:
    one = Piece(((0, 0, "import c\n"), (4, 5, "C")), (2,))
    two = Piece(((0, 0, "import c\n"), (6, 7, "C")), (3,))
    assert apply_pieces("abc\nx\ny\n", [one, two]).text == "import c\nabc\nC\nC\n"


@given(st.text(alphabet="ab\n", max_size=40), st.data())
def test_text_outside_edits_is_found_again_where_it_went(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    content = data.draw(st.text(alphabet="xy\n", max_size=5))
    done = apply_pieces(text, [Piece(((start, end, content),), (1,))])
    for offset in (*range(start), *range(end, len(text))):
        if offset != start:
            assert done.text[done.moved(offset)] == text[offset]


def test_what_would_damage_a_file_is_named() -> None:
    before = Source("x = 1\r\n")
    assert damage(before, Source("x = 2\r\n"), 10) is None
    assert damage(before, Source("x = \r\n"), 10) == "the fixed file would no longer parse"
    assert damage(before, Source("x = 2\n"), 10) == "the fix would change the line endings"
    assert damage(before, Source("x = 1  # noqa\r\n"), 10) == "the fix only suppresses the finding"
    assert damage(before, Source("x = 2\r\n", bom=True), 10) == "the fix would change the byte order mark"


def test_a_fix_must_not_need_a_newer_python_than_the_file_did() -> None:
    old, walrus, match = Source("x = 1\n"), Source("(x := 1)\n"), Source("match x:\n    case 1: pass\n")
    assert [source.fits(9) for source in (old, walrus, match, Source("x = "))] == [True, True, False, False]
    assert [source.fits(10) for source in (old, match, Source("x = "))] == [True, True, False]
    assert damage(old, walrus, 8) is None
    assert damage(old, walrus, 7) == "the fixed file would need a newer Python than 3.7"
    assert damage(match, match, 8) is None
    assert damage(walrus, match, 8) == "the fixed file would need a newer Python than 3.8"
    assert (
        damage(old, Source("try: 1\nexcept* E: 2\n"), 10)
        == "the fixed file would need a newer Python than 3.10"
    )


def test_a_scope_is_the_innermost_definition() -> None:
    source = Source(
        "class A:\n    @d\n    def f(self):\n        if x:\n            def g(): pass\n    y = 1\nz = 2\n"
    )
    assert [source.scope(row) for row in (1, 2, 3, 5, 6, 7)] == ["A", "A", "A.f", "A.f.g", "A", ""]


def test_a_file_that_does_not_parse_has_no_scopes() -> None:
    assert Source("def f(:\n").scope(1) == ""
