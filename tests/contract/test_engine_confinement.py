"""What an engine's program, and whatever it starts, reaches from inside any sandbox: its API, unsigned."""

import json
from pathlib import Path

import pytest

from services.engines.port import Answered
from tests.claude_asking import KEY, claude, question, quiet, worktree_in
from tests.contract.test_sandbox import sandbox_of
from tests.messages_api import MessagesApi, Use, answers

LEVELS = ("bubblewrap", "namespaces+landlock", "namespaces", "none")
CLOSED = LEVELS[:-1]
PRIVATE = "/tmp"  # noqa: S108 -- inside the sandbox
LOOK = """
import json, os, pathlib, socket, urllib.request, urllib.error
seen = {}
texts = []
for path in [*pathlib.Path("/proc").glob("PIDS/environ"), *pathlib.Path("/proc").glob("PIDS/cmdline"),
             *pathlib.Path("FILES").rglob("*")]:
    try: texts.append(path.name + path.read_bytes().decode(errors="replace"))
    except OSError: pass
seen["key"] = any("KEY" in text for text in texts)
def status(path, method="POST"):
    request = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + path, b"{}", method=method)
    try: return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error: return error.code
seen["other calls"] = [status("/v1/files"), status("/v1/messages/../files"), status("/v1/messages", "GET")]
try: socket.create_connection(("127.0.0.1", PORT), 3); seen["host"] = True
except OSError: seen["host"] = False
seen["outside"] = pathlib.Path("OUTSIDE").exists()
try: pathlib.Path(".git/config").write_text("[core] fsmonitor = evil"); seen["git"] = True
except OSError: seen["git"] = False
pathlib.Path("seen.json").write_text(json.dumps(seen))
"""


async def seen_from_inside(level: str, tmp_path: Path) -> dict[str, object]:
    worktree, outside = worktree_in(tmp_path), tmp_path / "outside.txt"
    outside.write_text("precious")
    (worktree / ".git").mkdir()
    (worktree / ".git" / "config").write_text("[core]\n")
    runs = Use("Bash", {"command": "python3 look.py"})
    async with MessagesApi({"it": [runs, answers(verdict="fine", count=1)]}).serving() as api:
        port = api.url("").split(":")[2].strip("/")
        # In two parts, or the look would find itself.
        words = {
            '"KEY"': f"{KEY[:9]!r} + {KEY[9:]!r}",
            "PORT": port,
            "OUTSIDE": str(outside),
            "PIDS": "[0-9]*" if level in CLOSED else "self",
            "FILES": PRIVATE if level in CLOSED else str(tmp_path),
        }
        script = LOOK
        for word, text in words.items():
            script = script.replace(word, text)
        (worktree / "look.py").write_text(script)
        engine = claude(tmp_path, api.url("it"), sandbox_of(level))
        outcome = await engine.ask(question(worktree, may_write=True), quiet)
        signed = [heard.headers["x-api-key"] for heard in api.heard]
    assert isinstance(outcome, Answered), outcome
    assert signed == [KEY, KEY]
    found: dict[str, object] = json.loads((worktree / "seen.json").read_text())
    return found


@pytest.mark.parametrize("level", CLOSED)
async def test_a_confined_engine_reaches_its_api_alone_and_never_the_key(level: str, tmp_path: Path) -> None:
    assert await seen_from_inside(level, tmp_path) == {
        "key": False,
        "other calls": [404, 404, 404],
        "host": False,
        "outside": False,
        "git": False,
    }


async def test_without_a_sandbox_the_key_is_still_not_handed_over(tmp_path: Path) -> None:
    """The price of running unconfined: files and network are open, the key is still with the proxy."""
    seen = await seen_from_inside("none", tmp_path)
    assert (seen["key"], seen["other calls"]) == (False, [404, 404, 404])
