"""Runs a target's test suite on a tree, in the sandbox, and says what each test did.

Rules:
1. The tree's sources are what is imported: its source root stands before the environment's packages.
2. The target's own pytest configuration is used; where pytest refuses it, it is used with fewer and fewer of
   its settings, and the report's output begins by saying so.
3. Links that lead out of the tree are not followed: a search for tests would go through the whole machine.
4. Every file a run wrote is read as hostile: no links followed, sizes bounded.
"""

import asyncio
import json
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.suite import SuiteEnd, SuiteReport
from services.sandbox.port import Command, Ended, Limits, Result, Sandbox
from services.workspace.environments.environment import Environment
from services.workspace.files import read_regular
from services.workspace.links import links_astray
from services.workspace.suites.hiding import printed, without_secrets
from services.workspace.suites.pytest_options import (
    CONFIGURATION_FILES,
    Configured,
    configured,
    kept_addopts,
    without_plugins,
)  # fmt: skip
from services.workspace.suites.report import Told, covered_lines, ending, told

# Copied, never imported: it belongs to the target's pytest, and ours may not be installed.
_PLUGIN = Path(__file__).with_name("report_plugin.py")
_OUTPUT_TAIL = 16 * 1024
_REFUSED = 4
_NEVER_COLLECTED = ("build", ".aps", "docs/conf.py", "doc/conf.py", "setup.py")
_ARGUMENTS = (
    *("--continue-on-collection-errors", "--color=no", "--tb=short"),
    *("-p", "no:randomly", "-p", "no:random_order", "-p", "no:sugar"),
)


@dataclass(frozen=True)
class _Attempt:
    """One way to call pytest, and what to tell a person when it was needed."""

    options: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class _Place:
    """The folders of one run: `plugin` and `rules` are read-only to it, `out` is its own."""

    plugin: Path
    rules: Path
    out: Path


async def run_suite(
    sandbox: Sandbox,
    env: Environment,
    tree: Path,
    limits: Limits,
    *,
    coverage: bool = False,
    only: Sequence[str] | None = None,
) -> SuiteReport:
    """Run the suite of `tree`, a work tree that gets the overlay and is handed over to the sandbox.

    `only` names test ids as reports give them, or files and folders. Coverage is of the import packages.
    """
    await asyncio.to_thread(env.apply_overlay, tree)
    await asyncio.to_thread(sandbox.hand_over, tree)
    config = await asyncio.to_thread(_configuration, tree)
    kept = kept_addopts(config.addopts, env.distributions)
    plain = without_plugins(kept.words)
    attempts = [_Attempt(("-o", f"addopts={shlex.join(kept.words)}") if config.addopts else ())]
    if plain != kept.words:
        attempts.append(
            _Attempt(
                ("-o", f"addopts={shlex.join(plain)}"),
                "pytest refused the target's options with the plugins they load: run without these",
            )
        )
    attempts += [
        _Attempt(
            ("-o", "addopts=", "-o", "required_plugins="),
            "pytest refused the target's options: run without them",
        ),
        _Attempt(
            ("-c", "{rules}/pytest.ini", "--rootdir", str(tree)),
            "pytest refused the target's configuration: run without it",
        ),
    ]
    notes = [f"plugins of the target's options that are left out here: {', '.join(kept.left_out)}"]
    notes = notes if kept.left_out else []
    for attempt in attempts:
        notes += [attempt.note] if attempt.note else []
        report, refused = await _attempt(sandbox, env, tree, limits, attempt, coverage=coverage, only=only)
        if not refused:
            break
    output = "\n".join([*(f"[{note}]" for note in notes), report.output])
    return report.model_copy(update={"output": output, "notes": tuple(notes)})


async def _attempt(
    sandbox: Sandbox,
    env: Environment,
    tree: Path,
    limits: Limits,
    attempt: _Attempt,
    *,
    coverage: bool,
    only: Sequence[str] | None,
) -> tuple[SuiteReport, bool]:
    with tempfile.TemporaryDirectory(prefix="aps-suite-") as scratch:
        place = await asyncio.to_thread(_prepare, Path(scratch), env, only)
        sandbox.hand_over(place.out)
        command = _command(env, tree, place, attempt, coverage=coverage, only=only)
        result = await sandbox.run(command, limits)
        said = told(await asyncio.to_thread(_read, place.out / "report.jsonl"))
        lines = await _coverage(sandbox, command, place, env) if coverage else ({}, {})
    report = await asyncio.to_thread(_reported, result, said, lines)
    return report, _configuration_refused(result, said)


def _command(
    env: Environment,
    tree: Path,
    place: _Place,
    attempt: _Attempt,
    *,
    coverage: bool,
    only: Sequence[str] | None,
) -> Command:
    python = str(env.python)
    measured = ("-m", "coverage", "run", f"--rcfile={place.rules}/coverage.ini") if coverage else ()
    options = tuple(option.replace("{rules}", str(place.rules)) for option in attempt.options)
    rootdir = () if "--rootdir" in options else ("--rootdir", str(tree))
    ignored = tuple(f"--ignore={name}" for name in (*_NEVER_COLLECTED, *links_astray(tree)))
    argv = (
        python, *measured, "-m", "pytest", "-p", "aps_report", *options, *rootdir, "-o",
        f"cache_dir={place.out}/cache", *_ARGUMENTS, *ignored, *_paths(tree, only),
    )  # fmt: skip
    return Command(
        argv=argv,
        cwd=tree,
        writable=(tree, place.out),
        readable=(*env.readable, place.plugin, place.rules),
        env={
            "PATH": f"{env.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": str(env.python.parent.parent),
            "PYTHONPATH": f"{tree / env.layout.root}:{place.plugin}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "APS_REPORT": str(place.out / "report.jsonl"),
            "APS_ONLY": str(place.rules / "only.json") if only else "",
        },
    )


def _prepare(scratch: Path, env: Environment, only: Sequence[str] | None) -> _Place:
    place = _Place(scratch / "plugin", scratch / "rules", scratch / "out")
    for folder in (place.plugin, place.rules, place.out):
        folder.mkdir(mode=0o755)
    shutil.copyfile(_PLUGIN, place.plugin / "aps_report.py")
    (place.rules / "pytest.ini").write_text("[pytest]\n")
    (place.rules / "only.json").write_text(json.dumps(sorted(only or ())))
    (place.rules / "coverage.ini").write_text(_coverage_rules(env, place.out))
    return place


def _coverage_rules(env: Environment, out: Path) -> str:
    """Name sources relative to the run's folder: a path may hold what coverage reads as a separator."""
    modules = any(package.endswith(".py") for package in env.layout.packages)
    patterns = [one if one.endswith(".py") else f"{one}/*" for one in env.layout.packages]
    key, values = ("include", patterns) if modules else ("source", env.layout.packages)
    listed = "\n    ".join(values)
    return f"[run]\nrelative_files = true\ndata_file = {out}/coverage.db\n{key} =\n    {listed}\n"


async def _coverage(
    sandbox: Sandbox, suite: Command, place: _Place, env: Environment
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    target = place.out / "coverage.json"
    argv = (
        str(env.python), "-m", "coverage", "json", "-q", "-i", f"--rcfile={place.rules}/coverage.ini",
        "-o", str(target),
    )  # fmt: skip
    await sandbox.run(replace(suite, argv=argv), Limits(wall_seconds=120))
    return covered_lines(await asyncio.to_thread(_read, target))


def _read(path: Path) -> bytes:
    return read_regular(path) or b""


def _configuration(tree: Path) -> Configured:
    texts = {name: read_regular(tree / name) for name in CONFIGURATION_FILES}
    return configured(
        {name: text.decode("utf-8", "replace") for name, text in texts.items() if text is not None}
    )


def _paths(tree: Path, only: Sequence[str] | None) -> tuple[str, ...]:
    files = dict.fromkeys(one.split("::", 1)[0] for one in only or ())
    return tuple(file for file in files if (tree / file).exists())


def _configuration_refused(result: Result, said: Told) -> bool:
    """Say whether pytest stopped at its settings; a conftest that does not import is the tree's own fault."""
    if result.ended is not Ended.EXITED or said.tests:
        return False
    printed = result.stderr + result.stdout
    if result.exit_code != _REFUSED:
        return b"Error importing plugin" in printed and not said.started
    return b"while loading conftest" not in printed


def _reported(
    result: Result, said: Told, lines: tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]
) -> SuiteReport:
    end, shown = ending(result.ended, result.exit_code, said), without_secrets(said)
    return SuiteReport(
        end=SuiteEnd(end),
        exit_code=result.exit_code,
        tests=dict(sorted(shown.tests.items())),
        failures=dict(sorted(shown.failures.items())),
        duration_ms=int(result.seconds * 1000),
        output=printed(result.stdout + result.stderr, _OUTPUT_TAIL),
        covered=lines[0],
        missing=lines[1],
    )
