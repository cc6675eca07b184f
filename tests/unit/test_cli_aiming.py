"""What cannot be a target is refused at once: before servers start, and before anything heavy is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.session import Exit
from tests.cli_process import environment

COMMANDS = (("improve",), ("discover",), ("up", "--port", "0", "--target"))


def ended(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_folder_without_a_repository_starts_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = ended(tmp_path / "home", *command, str(tmp_path))
    assert (refused.returncode, "is not a git repository" in refused.stderr) == (Exit.USAGE, True)
    assert not (tmp_path / "home").exists()


def named(target: Path | str) -> tuple[int, str]:
    shown = CliRunner().invoke(app, ["improve", str(target)])
    return shown.exit_code, shown.stderr


def test_each_wrong_target_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=empty, check=True)
    for target, told in (
        (tmp_path / "gone", "does not exist"),
        (file, "is a file: name the folder"),
        (empty, "has no commits"),
        ("sdist:toolz", "names no source distribution"),
    ):
        code, said = named(target)
        assert (code, told in said) == (Exit.USAGE, True), said


def test_refusing_loads_nothing_heavy(tmp_path: Path) -> None:
    ask = (
        "import sys\nfrom services.cli.aiming import refuse_unusable\n"
        f"try: refuse_unusable([{str(tmp_path)!r}])\nexcept BaseException as end: print(type(end).__name__)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert done.startswith("Exit")
    loaded = {name.partition(".")[0] for name in done.split()}
    assert not loaded & {"nats", "asyncpg", "pydantic", "events"}
