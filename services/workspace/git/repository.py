"""Reads and writes git repositories: clones, work trees, trees, commits, reverts and the one ref pushed.

Rules:
1. A target is only read, until `push_ref` adds objects and moves one branch that nobody has checked out.
2. Our clone stores and checks out bytes as committed: no filter, no line-ending or encoding conversion.
3. The same arguments give the same commit: identity and time are always given, never taken.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from services.workspace.files import read_regular, remove
from services.workspace.git.command import GitCommand, GitError, clear_remains, copy_objects
from services.workspace.git.completeness import cuts, damaged
from services.workspace.git.nested import refuse_nested
from services.workspace.git.output import CommitInfo, Conflict, Entry, Identity, commit_info, parsed_blobs
from services.workspace.locks import locked
from services.workspace.target import TargetProblem, git_dir_of

__all__ = ["BranchCheckedOut", "CommitInfo", "Conflict", "Entry", "Identity", "RefMoved", "Repository"]

# The highest precedence git knows: it overrides whatever a target's own .gitattributes ask for.
_RAW_BYTES = "* -text !eol !ident !filter !working-tree-encoding !merge !diff\n"
_ABSENT = "0" * 40
_BLAMED = re.compile(r"[0-9a-f]{40} \d+ \d+")


class BranchCheckedOut(TargetProblem):
    """The branch to push is checked out in the target: moving it would falsify the person's tree."""


class RefMoved(Exception):  # noqa: N818 -- what happened, as in `Conflict`
    """The ref is not where the caller believed: somebody else moved it."""

    def __init__(self, ref: str, expected: str | None, found: str | None) -> None:
        self.ref, self.expected, self.found = ref, expected, found
        super().__init__(
            f"{ref} was expected at {expected or 'no commit'} and found at {found or 'no commit'}"
        )


class Repository:
    """A repository on disk: bare (ours) or with a work tree (a target)."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.git = GitCommand(git_dir_of(self.path))

    async def head(self) -> str:
        """Return the commit HEAD names."""
        return await self.resolve("HEAD")

    async def resolve(self, rev: str) -> str:
        """Return the full commit id `rev` names."""
        return (await self.git("rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}")).text

    async def tree(self, rev: str) -> str:
        """Return the id of the tree of `rev`."""
        return (await self.git("rev-parse", "--verify", "--end-of-options", f"{rev}^{{tree}}")).text

    async def ref(self, name: str) -> str | None:
        """Return the commit a full ref name points at, None when there is no such ref."""
        found = await self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", accept=(0, 1, 128))
        return found.text if found.exit_code == 0 else None

    async def set_ref(self, name: str, commit: str) -> None:
        """Point a ref of this repository at `commit`, wherever it was."""
        async with self._alone():
            await self.git("update-ref", "--no-deref", name, commit)

    async def clone_from(self, source: Path, rev: str = "HEAD") -> str:
        """Copy `rev`, its history and its tags from `source` into this bare repository; return the commit.

        Made when missing and brought up to date when present; safe to repeat after a crash. The objects
        are copies: nothing here depends on the source staying where it is. A source that lacks part of its
        history gives the rest. Raises `TargetProblem` when it lacks what `rev` needs.
        """
        origin = Repository(source)
        commit = await origin.resolve(rev)
        self.path.mkdir(parents=True, exist_ok=True)
        await self.initialise(bare=True)
        kept = set((await self._refs("refs")).values())
        mine = sorted([name for name in kept if await origin.has(name)])  # it may be made anew at its path
        try:
            cut = await cuts(origin.git, commit, mine)
            tags = await origin._refs("refs/tags", f"--{'points-at' if cut else 'merged'}={commit}")
            await self._mark_shallow(origin, cut)
            await copy_objects(origin.git, self.git, [commit, *tags.values()], mine, cut)
        except GitError as refused:
            if refused.command[0] == "index-pack":
                raise  # our own side
            raise damaged(source, refused) from refused
        for name, value in {**tags, "refs/heads/base": commit, f"refs/aps/base/{commit}": commit}.items():
            await self.set_ref(name, value)
        return commit

    async def initialise(self, *, bare: bool) -> None:
        """Make this folder an empty repository that stores bytes as they are; harmless when it is one."""
        git_dir = self.path if bare else self.path / ".git"
        git_dir.mkdir(parents=True, exist_ok=True)
        self.git = GitCommand(git_dir)
        attributes = git_dir / "info" / "attributes"
        async with self._alone():
            if read_regular(attributes) == _RAW_BYTES.encode():
                return
            await self.git("init", "--quiet", "--template=", "--initial-branch=base")
            await self.git("config", "core.bare", "true" if bare else "false")
            attributes.parent.mkdir(exist_ok=True)
            attributes.write_text(_RAW_BYTES)

    async def add_worktree(self, path: Path, commit: str) -> None:
        """Check `commit` out, detached, in the folder `path`; whatever stood there is replaced."""
        async with self._alone():
            await asyncio.to_thread(remove, path)
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            await self.git("worktree", "prune")
            await self.git("worktree", "add", "--quiet", "--detach", "--force", str(path), commit)

    async def remove_worktree(self, path: Path) -> None:
        """Remove the folder `path` and this repository's record of it; harmless when there is none."""
        async with self._alone():
            await asyncio.to_thread(remove, path)
            await self.git("worktree", "prune")

    async def has_worktree(self, path: Path) -> bool:
        """Say whether `path` is a work tree this repository knows and whose folder is there."""
        return await asyncio.to_thread(lambda: path.is_dir() and self._worktree_record(path) is not None)

    async def reset_worktree(self, path: Path, commit: str) -> None:
        """Bring an existing work tree to `commit` with no other file in it, ignored ones included."""
        git = self._worktree_git(path)
        await git("read-tree", "--reset", "-u", commit)
        await git("update-ref", "--no-deref", "HEAD", commit)
        await git("clean", "-ffdxq")

    async def write_tree(self, worktree: Path, paths: Sequence[str] | None = None) -> str:
        """Return the tree of `worktree`: its index with every tracked change, or with exactly `paths`.

        A path that is gone is removed; a path that is ignored is refused unless it is tracked. The work
        tree's index then holds that tree, so that the next one stands on it. Raises `Uncommittable` where
        all of a tree is asked for that holds another repository: git would run what that one configures.
        """
        git = self._worktree_git(worktree)
        if paths is None or "." in paths:
            await asyncio.to_thread(refuse_nested, worktree)
        if paths is None:
            await git("add", "--update", "--", ".")
        else:
            named = b"".join(os.fsencode(path) + b"\0" for path in paths)
            await git("add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=named)
        return (await git("write-tree")).text

    async def import_folder(self, folder: Path) -> str:
        """Return the tree of every file in `folder`, ignored ones included, with no commit made."""
        git = replace(self.git, work_tree=folder)
        await git("add", "--all", "--force", "--", ".")
        return (await git("write-tree")).text

    async def export(self, rev: str, folder: Path) -> None:
        """Write the files of `rev` into `folder`, which gets no `.git`."""
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        git = replace(self.git, work_tree=folder)
        with tempfile.TemporaryDirectory(prefix="aps-index-") as scratch:
            env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            await git("read-tree", rev, env=env)
            await git("checkout-index", "--all", "--force", "--quiet", env=env)

    async def commit_tree(
        self, tree: str, parents: Sequence[str], message: str, author: Identity, when: datetime
    ) -> str:
        """Return the commit of `tree` on `parents`; author and committer are the same, to the second, UTC."""
        moment = f"{int(when.timestamp())} +0000"
        said = (("NAME", author.name), ("EMAIL", author.email), ("DATE", moment))
        env = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in said}
        named = [part for parent in parents for part in ("-p", parent)]
        text = message.rstrip("\n") + "\n"
        made = await self.git("commit-tree", tree, *named, "-F", "-", stdin=text.encode(), env=env)
        return made.text

    async def revert_tree(self, tip: str, commit: str) -> str | Conflict:
        """Return the tree of `tip` without what `commit` changed, or the paths where later work overlaps."""
        return await self.merge_trees(base=commit, ours=tip, theirs=f"{commit}^")

    async def merge_trees(self, *, base: str, ours: str, theirs: str) -> str | Conflict:
        """Merge the trees of three revisions; no commit is made and no work tree is touched.

        Parentless stand-in commits give git the base to use, whatever the real history says.
        """
        nobody, epoch = Identity("aps", "aps@localhost"), datetime(2000, 1, 1, tzinfo=UTC)
        root = await self.commit_tree(await self.tree(base), (), "base", nobody, epoch)
        sides = [
            await self.commit_tree(await self.tree(side), (root,), name, nobody, epoch)
            for name, side in (("ours", ours), ("theirs", theirs))
        ]
        merged = await self.git(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", *sides, accept=(0, 1)
        )
        tree, *conflicts = merged.records
        return tree if merged.exit_code == 0 else Conflict(tuple(sorted(set(conflicts))))

    async def patch(self, old: str, new: str) -> bytes:
        """Return what `git apply` needs to go from `old` to `new`, exact to the byte."""
        made = await self.git(
            "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-color",
            "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", old, new,
        )  # fmt: skip
        return made.stdout

    async def diff(self, old: str, new: str) -> str:
        """Return the patch as text for people; bytes that are not UTF-8 are shown as replacement marks."""
        return (await self.patch(old, new)).decode("utf-8", "replace")

    async def changed_paths(self, old: str, new: str) -> tuple[str, ...]:
        """Return the paths that differ between two revisions or trees, sorted."""
        listed = await self.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
        return tuple(sorted(listed.records))

    async def entries(self, rev: str) -> Mapping[str, Entry]:
        """Return every file of `rev` by path, in git's order."""
        listed = await self.git("ls-tree", "-r", "-z", "--full-tree", rev)
        split = (record.partition("\t") for record in listed.records)
        return {path: Entry(meta.split()[0], meta.split()[2]) for meta, _, path in split}

    async def read_file(self, rev: str, path: str) -> bytes:
        """Return the bytes of one file of `rev`; a link's bytes are its target."""
        try:
            return (await self.git("cat-file", "blob", f"{rev}:{path}")).stdout
        except GitError as refused:
            raise FileNotFoundError(f"{path} is not a file of {rev} in {self.path}") from refused

    async def read_blobs(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return the contents of many blobs by id or `rev:path`, in one call of git; no others."""
        asked = tuple(dict.fromkeys(names))
        wanted = b"".join(os.fsencode(name) + b"\0" for name in asked)
        answer = (await self.git("cat-file", "--batch", "-z", stdin=wanted)).stdout
        return parsed_blobs(answer, asked)

    async def log(self, revs: str, *, limit: int | None = None) -> tuple[CommitInfo, ...]:
        """Return the commits of a revision or range, newest first, parents after their children."""
        bound = [f"--max-count={limit}"] if limit is not None else []
        listed = await self.git(
            "rev-list", "--topo-order", "--no-commit-header", *bound,
            "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%B%x00%x01", "--end-of-options", revs,
        )  # fmt: skip
        return tuple(commit_info(record) for record in listed.text.split("\0\x01") if record.strip())

    async def origins(self, tip: str, path: str, lines: Sequence[int]) -> Mapping[int, str]:
        """Return, for each of `lines` (from 1) of a file at `tip`, the commit that wrote it."""
        wanted = [part for line in lines for part in ("-L", f"{line},{line}")]
        told = await self.git("blame", "--porcelain", *wanted, tip, "--", path)
        heads = [line.split() for line in told.text.splitlines() if _BLAMED.match(line)]
        return {int(head[2]): head[0] for head in heads}

    async def nearest_tag(self, rev: str) -> str | None:
        """Return the name of the closest tag in the history of `rev`, None when it has none."""
        found = await self.git("describe", "--tags", "--abbrev=0", rev, accept=(0, 128))
        return found.text or None

    async def push_ref(self, target: Path, commit: str, ref: str, expected_old: str | None) -> None:
        """Copy `commit` to the repository at `target` and move `ref` there from `expected_old` to it.

        All or nothing, under git's own ref lock; None means the ref must not exist yet. The target's
        work tree, index, HEAD and hooks take no part. Raises `BranchCheckedOut` when a work tree of the
        target stands on `ref`, `RefMoved` when it is not at `expected_old`. Pushing again is harmless.
        """
        there = Repository(target)
        if await there.ref(ref) == commit:
            return
        await there.refuse_move(ref, expected_old)
        git = there.git.as_owner()
        known = [name for name in set((await there._refs("refs")).values()) if await self.has(name)]
        await copy_objects(self.git, git, [commit], sorted(known))
        try:
            await git("update-ref", "--no-deref", "-m", "aps: deploy", ref, commit, expected_old or _ABSENT)
        except GitError:
            await there.refuse_move(ref, expected_old)
            raise

    async def delete_ref(self, target: Path, ref: str, expected_old: str) -> None:
        """Delete `ref` in the repository at `target`, under the conditions of `push_ref`."""
        there = Repository(target)
        await there.refuse_move(ref, expected_old)
        git = there.git.as_owner()
        await git("update-ref", "--no-deref", "-d", ref, expected_old)

    async def refuse_move(self, ref: str, expected: str | None) -> None:
        """Raise `RefMoved` when `ref` is not at `expected`, `BranchCheckedOut` when a work tree is on it."""
        found = await self.ref(ref)
        if found != expected:
            raise RefMoved(ref, expected, found)
        listed = await self.git("worktree", "list", "--porcelain", "-z")
        place = ""
        for record in listed.records:
            key, _, value = record.partition(" ")
            place = value if key == "worktree" else place
            if key == "branch" and value == ref:
                name = ref.removeprefix("refs/heads/")
                raise BranchCheckedOut(
                    f"the branch {name} is checked out in {place}: switch to another branch there, then retry"
                )

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold this repository of ours against our other processes, cleared of what a killed git left.

        Git's own work tree commands trip over one another, and over a record that was never finished.
        """
        async with locked(self.git.git_dir / "aps.lock"):
            await asyncio.to_thread(clear_remains, self.git.git_dir)
            yield

    async def has(self, commit: str) -> bool:
        """Say whether `commit` is here; nothing is where no repository stands."""
        if not await asyncio.to_thread(self.git.git_dir.is_dir):
            return False
        return (await self.git("cat-file", "-e", commit, accept=(0, 1, 128))).exit_code == 0

    async def _mark_shallow(self, origin: "Repository", cut: Sequence[str]) -> None:
        """Say here where history ends: where it does in `origin`, at `cut`, and where it did before."""
        theirs = origin.git.git_dir / (await origin.git("rev-parse", "--git-path", "shallow")).text
        ours = self.git.git_dir / "shallow"
        told = b"\n".join(read_regular(marks) or b"" for marks in (theirs, ours)).decode().split()
        if told or cut:
            ours.write_text("".join(f"{commit}\n" for commit in sorted({*told, *cut})))

    async def _refs(self, *patterns: str) -> dict[str, str]:
        listed = await self.git("for-each-ref", "--format=%(refname) %(objectname)", *patterns)
        return dict(line.split(" ", 1) for line in listed.text.splitlines())

    def _worktree_git(self, path: Path) -> GitCommand:
        record = self._worktree_record(path)
        if record is None:
            raise FileNotFoundError(f"{path} is not a work tree of {self.path}")
        return replace(self.git, git_dir=record, work_tree=path.absolute())

    def _worktree_record(self, path: Path) -> Path | None:
        """Find our own record of a work tree; its `.git` file is within reach of untrusted commands."""
        wanted = str(path.absolute() / ".git")
        records = sorted((self.git.git_dir / "worktrees").glob("*/gitdir"))
        return next((one.parent for one in records if one.read_text().strip() == wanted), None)
