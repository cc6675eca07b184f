"""What the documentation tells people to type can be typed, and its links lead somewhere."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from schemas.engine import FailureKind
from services.cli.__main__ import app

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/operations.md")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
LINKING = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMANDS = typer.main.get_command(app)


def typed(page: str) -> list[str]:
    blocks = BLOCK.findall((ROOT / page).read_text("utf-8"))
    return [line for block in blocks for line in block.splitlines() if line]


def lines_of(program: str) -> list[str]:
    return sorted({line for page in PAGES for line in typed(page) if shlex.split(line)[0] == program})


def parse(command: Any, name: str, arguments: list[str], parent: Any = None) -> None:
    """Parse as the command would, down to the last subcommand, and run nothing. Raises a usage error."""
    if not hasattr(command, "commands"):
        command.make_context(name, arguments, parent=parent)
        return
    context = command.make_context(name, arguments, parent=parent)
    called, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    parse(found, called, rest, context)


def test_pages_show_commands() -> None:
    assert lines_of("aps")
    assert lines_of("make")
    assert {shlex.split(line)[0] for page in PAGES for line in typed(page)} == {"aps", "make", "export"}


@pytest.mark.parametrize("line", lines_of("aps"))
def test_the_command_takes_what_the_page_gives_it(line: str) -> None:
    parse(COMMANDS, "aps", shlex.split(line)[1:])


@pytest.mark.parametrize("line", lines_of("make"))
def test_the_makefile_has_the_target(line: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert shlex.split(line)[1] in targets


@pytest.mark.parametrize("wrong", ["aps improove x", "aps improvements show", "aps doctor --no-such-option"])
def test_a_wrong_command_would_be_noticed(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing"):
        parse(COMMANDS, "aps", shlex.split(wrong)[1:])


@pytest.mark.parametrize("page", LINKING)
def test_every_link_leads_to_a_file(page: str) -> None:
    links = LINK.findall((ROOT / page).read_text("utf-8"))
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_every_way_a_call_can_fail_is_told_with_what_follows() -> None:
    told = (ROOT / "docs/operations.md").read_text("utf-8")
    assert [kind for kind in FailureKind if f"`{kind}`" not in told] == []
