"""Runs the git command line so that nothing a repository contains or configures can run a program.

Rules:
1. No configuration but the repository's own is read, and of that nothing that names a program counts:
   hooks, file monitor, filters, external diffs, text conversion, signing, alternates' commands.
2. No transport is allowed at all: objects move between local repositories by `copy_objects`.
3. Where the services run as root, a repository of another user is written as that user.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.workspace.files import read_regular, remove

_SETTINGS = (
    "safe.directory=*",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.alternateRefsCommand=:",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "diff.ignoreSubmodules=all",
    "commit.gpgSign=false",
    "log.showSignature=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
)

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_EDITOR": "false",
    "GIT_ASKPASS": "false",
    "GIT_PAGER": "cat",
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "LC_ALL": "C",
    "TZ": "UTC",
}


class GitError(Exception):
    """A git command failed: `command` as it was called, its `exit_code` and what it said."""

    def __init__(self, command: Sequence[str], exit_code: int, stderr: str) -> None:
        self.command = tuple(command)
        self.exit_code = exit_code
        self.stderr = stderr.strip()
        super().__init__(f"git {' '.join(self.command)}: exit {exit_code}: {self.stderr or 'no message'}")


@dataclass(frozen=True)
class GitOutput:
    """What a git command wrote to its standard output, and its exit code."""

    stdout: bytes
    exit_code: int

    @property
    def text(self) -> str:
        """The output without its last newline; bytes that are not UTF-8 survive as surrogates."""
        return os.fsdecode(self.stdout).removesuffix("\n")

    @property
    def records(self) -> tuple[str, ...]:
        """The NUL-separated fields of a `-z` output."""
        return tuple(os.fsdecode(part) for part in self.stdout.split(b"\0") if part)


@dataclass(frozen=True)
class GitCommand:
    """One repository's way of calling git.

    `git_dir` is always named, so that a `.git` file altered inside an untrusted work tree is never
    followed. `owner` is the (uid, gid) git runs as, when the process may choose.
    """

    git_dir: Path
    work_tree: Path | None = None
    settings: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None
    extra_env: Mapping[str, str] = field(default_factory=dict)

    async def __call__(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        accept: Sequence[int] = (0,),
    ) -> GitOutput:
        """Run `git *args`; raise `GitError` when the exit code is not in `accept`."""
        process = await self.start(*args, env=env)
        try:
            stdout, stderr = await process.communicate(stdin)
        except asyncio.CancelledError:
            await stop(process)
            raise
        code = process.returncode if process.returncode is not None else -1
        if code not in accept:
            raise GitError(args, code, os.fsdecode(stderr))
        return GitOutput(stdout, code)

    async def start(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        stdin: int = asyncio.subprocess.PIPE,
        stdout: int = asyncio.subprocess.PIPE,
    ) -> asyncio.subprocess.Process:
        """Start git without waiting; the caller waits for it or stops it."""
        user, group = self.owner or (None, None)
        return await asyncio.create_subprocess_exec(
            "git",
            *self._prefix(),
            *args,
            stdin=stdin,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.work_tree or self.git_dir,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                **_ENVIRONMENT,
                **self.extra_env,
                **(env or {}),
            },
            user=user,
            group=group,
            extra_groups=[] if self.owner else None,
        )

    def as_owner(self) -> "GitCommand":
        """Return the same repository written as its owner, so that a person keeps their files."""
        found = self.git_dir.stat()
        if os.geteuid() != 0 or found.st_uid == 0:
            return self
        return replace(self, owner=(found.st_uid, found.st_gid))

    def _prefix(self) -> list[str]:
        settings = [part for setting in (*_SETTINGS, *self.settings) for part in ("-c", setting)]
        tree = [f"--work-tree={self.work_tree}"] if self.work_tree else []
        return ["--no-pager", f"--git-dir={self.git_dir}", *tree, *settings]


async def stop(process: asyncio.subprocess.Process) -> None:
    """Kill a started git and reap it."""
    if process.returncode is None:
        process.kill()
    await process.wait()


async def copy_objects(
    source: GitCommand,
    target: GitCommand,
    wanted: Sequence[str],
    known: Sequence[str],
    cuts: Sequence[str] = (),
) -> None:
    """Copy every object reachable from `wanted` but not from `known`, byte for byte, into `target`.

    Parents of the commits in `cuts` are not looked at.

    Plumbing on both sides (`pack-objects`, `index-pack`): no transport, so neither side's upload or
    receive settings and hooks take part. Nothing refers to the objects until a ref is written.
    """
    read_end, write_end = os.pipe()
    try:
        packing = await source.start(
            "pack-objects", "--revs", "--stdout", "--delta-base-offset", "-q", stdout=write_end
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    try:
        indexing = await target.start("index-pack", "--stdin", stdin=read_end)
    except BaseException:
        await stop(packing)
        raise
    finally:
        os.close(read_end)
    lines = [*(f"--shallow {name}" for name in cuts), *wanted, *(f"^{name}" for name in known)]
    revisions = "".join(f"{line}\n" for line in lines)
    try:
        async with asyncio.TaskGroup() as group:
            packed = group.create_task(packing.communicate(revisions.encode()))
            indexed = group.create_task(indexing.communicate())
    except BaseException:
        await stop(packing)
        await stop(indexing)
        raise
    for process, name, said in ((packing, "pack-objects", packed), (indexing, "index-pack", indexed)):
        # a packer whose reader went away has nothing to say: the reader tells why
        if process.returncode not in (0, None, -signal.SIGPIPE):
            raise GitError((name,), process.returncode, os.fsdecode(said.result()[1]))


async def without_filters(git: GitCommand) -> GitCommand:
    """Return `git` with every content filter emptied that the repository's own configuration defines.

    The names travel in the environment, not as `-c name=value`: a driver may carry `=` in its name.
    """
    listed = await git(
        "config", "--includes", "-z", "--name-only", "--get-regexp", r"^filter\..*\.", accept=(0, 1)
    )
    drivers = {name.removeprefix("filter.").rpartition(".")[0] for name in listed.records}
    emptied = [
        (f"filter.{driver}.{setting}", value)
        for driver in sorted(drivers)
        for setting, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
    ]
    named = {f"GIT_CONFIG_KEY_{place}": key for place, (key, _) in enumerate(emptied)}
    valued = {f"GIT_CONFIG_VALUE_{place}": value for place, (_, value) in enumerate(emptied)}
    return replace(git, extra_env={"GIT_CONFIG_COUNT": str(len(emptied)), **named, **valued})


def clear_remains(git_dir: Path) -> None:
    """Remove the lock files and unfinished work tree records of git commands that were killed.

    For a repository that only the caller writes to: a living command's locks look just the same.
    """
    remains = [git_dir / name for name in ("config.lock", "HEAD.lock", "packed-refs.lock")]
    for left in (*remains, *(git_dir / "refs").rglob("*.lock")):
        remove(left)
    for record in (git_dir / "worktrees").glob("*"):
        needed = [record / name for name in ("commondir", "gitdir", "HEAD")]
        if (record / "locked").exists() or not all(read_regular(path) for path in needed):
            remove(record)
