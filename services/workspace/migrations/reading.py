"""Reads from a commit how its database is migrated, and tells it to who writes the next migration."""

from services.workspace.git.repository import Repository
from services.workspace.migrations.tool import Migrating, declares_migrations, heads, migrating, revisions

NONE = "The project has no migration tool."


async def tools_at(repository: Repository, commit: str) -> tuple[Migrating, ...]:
    """Return the migration tools of a commit."""
    entries = await repository.entries(commit)
    regular = {path: entry.sha for path, entry in entries.items() if entry.mode.startswith("100")}
    declaring = {path: sha for path, sha in regular.items() if declares_migrations(path)}
    return migrating(regular, await _texts(repository, declaring))


async def migrations_at(repository: Repository, commit: str, how: Migrating) -> dict[str, str]:
    """Return the texts of what lies in the folders of migrations at a commit, by path."""
    entries = await repository.entries(commit)
    held = {p: one.sha for p, one in entries.items() if one.mode.startswith("100") and how.holds(p)}
    return await _texts(repository, held)


async def _texts(repository: Repository, blobs: dict[str, str]) -> dict[str, str]:
    contents = await repository.read_blobs(blobs.values())
    return {path: contents[sha].decode("utf-8", "replace") for path, sha in blobs.items()}


async def migrations_told(repository: Repository, commit: str) -> str:
    """Say how the database of a commit is migrated: its tools, their folders, and what stands last there."""
    lines = []
    for how in await tools_at(repository, commit):
        known = revisions(how, await migrations_at(repository, commit, how))
        called = f"called with {how.settings}" if how.settings else "called by whoever uses it"
        lines.append(f"{how.tool.value}, {called}; migrations lie in {', '.join(how.folders)}")
        for names in heads(known.values()).values():
            newest = [path for path, one in known.items() if one.name in names]
            lines += [f"newest: {known[path].name} ({path})" for path in sorted(newest)]
    return "\n".join(lines) or NONE
