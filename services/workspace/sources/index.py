"""Reads how this machine's pip reaches its package index, and says it again without credentials.

What the sandbox is told: indexes, folders of links, certificates and proxies, each URL without user and
password, and the local files these name. Nothing else of a person's pip settings goes in: a target folder
or a user scheme of theirs would break an environment.
"""

import ast
import asyncio
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PASSED_ON = frozenset({
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "proxy", "timeout",
    "default-timeout", "retries", "prefer-binary", "only-binary", "no-binary",
})  # fmt: skip
_VARIABLES = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
)  # fmt: skip
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_SETTING = re.compile(r"^(?P<section>[^.=\s]+)\.(?P<key>[^=]+)=(?P<value>.*)$")


@dataclass(frozen=True)
class IndexSettings:
    """What a pip in the sandbox needs: the text of its configuration file, variables, local paths to show."""

    config: str
    env: Mapping[str, str]
    readable: tuple[Path, ...]


def settings_from(listing: str, environ: Mapping[str, str]) -> IndexSettings:
    """Derive the settings from the output of `pip config list` and the process environment."""
    found: dict[str, str] = {}
    for section in ("global", "download", "install", ":env:"):
        found |= {key: value for at, key, value in _parsed(listing) if at == section and key in _PASSED_ON}
    lines = [f"{key} = {_indented(without_credentials(value))}" for key, value in sorted(found.items())]
    env = {key: without_credentials(environ[key]) for key in _VARIABLES if environ.get(key)}
    places = [*found.values(), *(environ[key] for key in _VARIABLES[:4] if environ.get(key))]
    return IndexSettings("\n".join(["[global]", *lines, ""]), env, local_paths(places))


def without_credentials(text: str) -> str:
    """Return `text` with user and password taken out of every URL in it."""
    return _CREDENTIALS.sub("", text)


def local_paths(values: Iterable[str]) -> tuple[Path, ...]:
    """Return the existing files and folders that setting values name.

    A local index in a folder called `simple` links to files beside it, so the folder above it counts.
    """
    found: set[Path] = set()
    for word in (word for value in values for word in value.split()):
        parts = urlsplit(word)
        path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(word)
        if path.is_absolute() and path.exists():
            found.add(path.parent if path.name == "simple" and len(path.parts) > 2 else path)
    return tuple(sorted(found))


async def index_settings(cache: Path) -> IndexSettings:
    """Ask this machine's pip for its settings."""
    python = await python_with_pip(cache)
    return settings_from(await _said(str(python), "-m", "pip", "config", "list"), os.environ)


async def python_with_pip(cache: Path) -> Path:
    """Return a Python that has pip: this one, or one in a virtual environment made once under `cache`."""
    if (Path(sys.prefix) / "bin" / "pip").exists():
        return Path(sys.executable)
    tools = cache / "pip"
    if not (tools / "bin" / "pip").exists():
        await _said(base_python(), "-m", "venv", str(tools))
    return tools / "bin" / "python"


def base_python() -> str:
    """Return the interpreter below any virtual environment this process runs in."""
    return str(getattr(sys, "_base_executable", sys.executable))


def system_python_folders() -> tuple[Path, ...]:
    """Return the folders an environment's interpreter needs beside its own."""
    return tuple(sorted({Path(sys.base_prefix), Path(sys.base_exec_prefix)}))


def _parsed(listing: str) -> list[tuple[str, str, str]]:
    matches = (_SETTING.match(line) for line in listing.splitlines())
    return [(m["section"], m["key"].lstrip("."), str(ast.literal_eval(m["value"]))) for m in matches if m]


def _indented(value: str) -> str:
    return "\n    ".join(value.split("\n"))


async def _said(*argv: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(argv)}: exit {process.returncode}: {stderr.decode('utf-8', 'replace')}"
        )
    return stdout.decode("utf-8", "replace")
