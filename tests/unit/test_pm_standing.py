"""What stands on the release branch is read from the commits themselves, whoever put it there."""

from events.improvement_facts import Discovered
from services.changes.message import commit_message
from services.pm.standing import Standing, by_rule, going_on
from tests import projection_facts as f

FOUND: Discovered = f.discovered(why="Note: it says what it does.\nRule 1: be plain.")


def test_the_message_of_a_change_tells_its_rule_and_how_much_it_fixed() -> None:
    found = by_rule([("1" * 40, commit_message("f401-1", FOUND, 7))])
    assert found == {"F401": Standing("1" * 40, "7")}
    assert found["F401"].why == "already on aps/improved: commit 111111111111 fixed 7 of its findings"


def test_commits_of_others_say_nothing() -> None:
    assert by_rule([("2" * 40, "Begin\n\nThe first.\n")]) == {}


def test_a_trailer_that_is_no_number_is_not_repeated() -> None:
    assert Standing("3" * 40, "many\x1b[2J").why == "already on aps/improved: commit 333333333333 fixed it"


def test_a_person_is_told_how_to_go_on_only_where_something_stood() -> None:
    standing = {"F401": Standing("1" * 40, "7"), "UP006": Standing("2" * 40, "1")}
    assert going_on(standing, ["C408"]) == ()
    (told,) = going_on(standing, ["F401", "UP006", "C408"])
    assert told.startswith("2 improvements are already on aps/improved")
    assert "git merge aps/improved" in told
