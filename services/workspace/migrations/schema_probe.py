"""Prints what an SQLite database is made of, in words that do not depend on how it came about, as JSON.

Rules
1. Imports nothing of ours nor of the target, and is imported by nothing: `python -I -S schema_probe.py FILE`.
2. Neither the order of columns nor the spelling of a statement counts; names, types, defaults, keys, checks
   and indexes do.
3. The tables by which a tool keeps its own account are no part of it: they are what was `applied`.
"""

import json
import re
import sqlite3
import sys

_ACCOUNTS = {
    "alembic_version": "SELECT version_num FROM alembic_version",
    "django_migrations": "SELECT app || '.' || name FROM django_migrations",
}
_CHECK = re.compile(r"\bCHECK\s*\(", re.IGNORECASE)


def main(path: str) -> None:
    """Write `{parts: [lines], applied: [names]}` to standard output."""
    opened = sqlite3.connect(path)
    tables = dict(opened.execute("SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type = 'table'"))
    applied: list[str] = []
    schema: list[str] = []
    for table, sql in tables.items():
        if table in _ACCOUNTS:
            applied += [str(name) for (name,) in opened.execute(_ACCOUNTS[table])]
        elif not table.startswith("sqlite_"):
            schema += _table(opened, table, sql)
    for kind, name, sql in opened.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger')"
    ):
        schema.append(f"{kind} {name}: {_spelled(sql)}")
    sys.stdout.write(json.dumps({"parts": sorted(schema), "applied": sorted(applied)}))


def _table(opened: sqlite3.Connection, table: str, sql: str) -> list[str]:
    counts = " that counts up" if re.search(r"\bAUTOINCREMENT\b", sql, re.IGNORECASE) else ""
    lines = [f"table {table}{counts}"]
    for _, name, kind, required, default, key, hidden in _pragma(opened, "table_xinfo", table):
        said = [kind.lower() or "of any type"]
        said += ["not null"] if required else []
        said += [f"default {default}"] if default is not None else []
        said += [f"key {key}"] if key else []
        said += ["generated"] if hidden else []
        lines.append(f"column {table}.{name}: {', '.join(said)}")
    lines += _indexes(opened, table)
    keys: dict[int, list[tuple[str, str, str]]] = {}
    rules: dict[int, str] = {}
    for number, _, other, mine, theirs, update, delete, _ in _pragma(opened, "foreign_key_list", table):
        keys.setdefault(number, []).append((mine, other, theirs or ""))
        rules[number] = f"on update {update.lower()}, on delete {delete.lower()}"
    for number, parts in keys.items():
        mine = ", ".join(part[0] for part in parts)
        theirs = ", ".join(part[2] for part in parts)
        lines.append(f"foreign key {table}({mine}): {parts[0][1]}({theirs}), {rules[number]}")
    return lines + [f"check of {table}: {check}" for check in _checks(sql)]


def _indexes(opened: sqlite3.Connection, table: str) -> list[str]:
    lines = []
    for _, name, unique, origin, partial in _pragma(opened, "index_list", table):
        parts = [
            f"{column or '?'}{' desc' if down else ''} {order}"
            for _, _, column, down, order, key in _pragma(opened, "index_xinfo", name)
            if key
        ]
        named = (
            f"index {name} on {table}"
            if origin == "c"
            else f"{'key' if origin == 'pk' else 'unique'} {table}"
        )
        spelled = ""
        if partial or any(part.startswith("?") for part in parts):
            (sql,) = opened.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            spelled = f": {_spelled(sql)}"
        lines.append(f"{named}({', '.join(parts)}){', unique' if unique else ''}{spelled}")
    return lines


def _pragma(opened: sqlite3.Connection, pragma: str, name: str) -> list[tuple]:  # type: ignore[type-arg]  # rows differ
    quoted = name.replace('"', '""')
    return opened.execute(f'PRAGMA {pragma}("{quoted}")').fetchall()


def _checks(sql: str) -> list[str]:
    """Return the conditions of a table's statement."""
    found = []
    for start in (match.end() for match in _CHECK.finditer(sql)):
        depth, end = 1, start
        while end < len(sql) and depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        found.append(_spelled(sql[start : end - 1]))
    return found


def _spelled(sql: str) -> str:
    return " ".join(re.sub(r'["`\[\]]', "", sql).split())


if __name__ == "__main__":
    main(sys.argv[1])
