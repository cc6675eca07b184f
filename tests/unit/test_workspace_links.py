"""Which links of a tree lead out of it."""

from pathlib import Path

from services.workspace.links import link_remarks, links_astray, links_outside


def linked(folder: Path, **links: str) -> Path:
    (folder / "tree" / "own").mkdir(parents=True)
    (folder / "tree" / "own" / "a.py").write_text("")
    for name, goal in links.items():
        (folder / "tree" / name).symlink_to(goal)
    return folder / "tree"


def test_links_out_of_the_tree_or_in_a_circle_are_named(tmp_path: Path) -> None:
    tree = linked(tmp_path, above="../..", root="/", file="/etc/passwd", myself=".", lost="../gone")
    (tree / "own" / "round").symlink_to("../own")
    assert links_outside(tree) == ("above", "file", "lost", "root")
    assert links_astray(tree) == ("above", "file", "lost", "myself", "own/round", "root")


def test_links_within_the_tree_or_to_nowhere_are_not(tmp_path: Path) -> None:
    tree = linked(tmp_path, inside="own", file="own/a.py", broken="own/none", circle="circle")
    assert links_astray(tree) == ()
    assert link_remarks(tree) == ()


def test_a_remark_names_the_first_links_and_counts_the_others(tmp_path: Path) -> None:
    tree = linked(tmp_path, **{f"l{number}": ".." for number in range(7)})
    assert link_remarks(tree) == (
        "links that lead out of the target or in a circle are not followed: l0, l1, l2, l3, l4 and 2 more",
    )


def test_a_name_that_is_not_text_can_be_told(tmp_path: Path) -> None:
    tree = linked(tmp_path, **{"n\udce9": ".."})
    assert link_remarks(tree)[0].endswith("not followed: n\ufffd")
