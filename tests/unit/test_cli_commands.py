"""What holds for every command of `aps`, whatever its topic."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.session import Exit, fail

HEAVY = ("nats", "asyncpg", "aiohttp", "pydantic", "structlog", "libcst", "grimp", "events", "projections")


def commands(group: typer.Typer, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for command in group.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        yield (*words, name), inspect.getdoc(command.callback) or ""
    for topic in group.registered_groups:
        assert topic.typer_instance is not None
        yield from commands(topic.typer_instance, (*words, topic.name or ""))


EVERY = dict(commands(app))


def named(words: tuple[str, ...]) -> str:
    return " ".join(words)


@pytest.mark.parametrize("words", EVERY, ids=named)
def test_its_help_shows_an_example_that_calls_it(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert re.search(rf"Example: aps {named(words)}\b", shown.output), shown.output


@pytest.mark.parametrize("words", EVERY, ids=named)
def test_every_example_stands_on_a_line_of_its_own(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).output
    examples = [line.strip() for line in EVERY[words].splitlines() if line.strip().startswith("Example:")]
    assert [line.strip() for line in shown.splitlines() if "Example:" in line] == examples


TOPICS = sorted({words[:-1] for words in EVERY if len(words) > 1})


@pytest.mark.parametrize("words", TOPICS, ids=named)
def test_the_help_of_a_topic_shows_examples_that_are_commands_of_it(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).output
    examples = re.findall(r"^ *Example: aps (.*)$", shown, re.MULTILINE)
    assert examples
    assert {tuple(example.split()[: len(words) + 1]) for example in examples} <= set(EVERY)


@pytest.mark.parametrize("words", EVERY, ids=named)
def test_it_can_answer_in_json(words: tuple[str, ...]) -> None:
    assert "--json" in CliRunner().invoke(app, [*words, "--help"]).output


@pytest.mark.parametrize("words", EVERY, ids=named)
def test_every_option_says_what_it_is_for(words: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    assert [parameter.name for parameter in command.params if not parameter.help] == []


def test_what_is_promised_is_there() -> None:
    promised = """
        improve discover up run status doctor logs setup reset replay pause resume
        improvements/list improvements/show improvements/approve improvements/decline improvements/rollback
        improvements/retry improvements/priority claims/list claims/release runs/list runs/show dead/list
        runs/cancel runs/costs budgets/list dead/replay dead/discard events/list events/show events/tail
        events/verify events/export events/describe events/rules improvements/explain describe
        views/list views/rebuild process/export process/validate config/show
    """
    assert {tuple(name.split("/")) for name in promised.split()} - set(EVERY) == set()


def test_help_loads_nothing_heavy() -> None:
    ask = "import sys, services.cli.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert sorted({name.partition(".")[0] for name in loaded.split()} & set(HEAVY)) == []


def test_a_command_that_does_not_exist_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["improvments"]).exit_code == Exit.USAGE


def test_a_failure_speaks_on_stderr_and_ends_with_its_code(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        fail(Exit.NOT_FOUND, "there is no improvement 'x[1]'")
    said = capfd.readouterr()
    assert (ended.value.exit_code, said.out, said.err) == (3, "", "there is no improvement 'x[1]'\n")


def test_what_nobody_expected_before_there_is_a_log_is_told_whole_on_stderr() -> None:
    ask = (
        "import services.cli.__main__ as cli\n"
        "def fails(**_): raise ZeroDivisionError('early')\n"
        "cli.app = fails\ncli.main()"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (Exit.FAILED, "")
    assert done.stderr.startswith("Traceback")
    assert done.stderr.splitlines()[-1] == "unexpected: ZeroDivisionError: early"
