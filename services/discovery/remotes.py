"""Which targets are clones of a repository that somebody elsewhere tells about."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from services.workspace.git.repository import Repository

SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")


def named(url: str) -> str:
    """Return the repository of a remote's URL as `host/owner/name`, in lower case; empty without a host."""
    if "://" in url:
        try:
            parts = urlsplit(url)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            return ""
    elif found := SCP.fullmatch(url):
        host, path = found["host"], found["path"]
    else:
        return ""
    path = path.strip("/").removesuffix(".git")
    return f"{host}/{path}".lower() if host and path else ""


async def remotes(path: Path) -> frozenset[str]:
    """Return the repositories that a clone has as remotes. Raises `GitError`, or OSError without a clone."""
    found = await Repository(path).git("config", "-z", "--get-regexp", r"^remote\..*\.url$", accept=(0, 1))
    urls = [one.partition("\n")[2] for one in found.records]
    return frozenset(one for one in map(named, urls) if one)
