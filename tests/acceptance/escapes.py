"""Ways out that target code tries, by class: what its tests do while the suite runs, and what changes carry.

An attempt is the body of a test that passes only where the escape succeeds, so that a refusal is a failure in
the suite's report, with the words of whoever refused. What stands between two @ is put in by who uses it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.suite import SuiteEnd

AWAY = ("No such file or directory", "Permission denied", "Read-only file system")
NO_NET = ("Network is unreachable",)
DEAF = ("Connection refused",)
NOBODY = ("No such process",)
FULL = ("Resource temporarily unavailable", "can't start new thread")
NO_MEMORY = ("MemoryError", "Cannot allocate memory")
BOUNDS, EVALUATOR, RUNNER = "stays_inside", "evaluator_not_weakened", "runner_untouched"


@dataclass(frozen=True)
class Attempt:
    """What a test does, words of which one refuses it, and how the run ends where it does not go on."""

    body: str
    refused: tuple[str, ...]
    ends: SuiteEnd = SuiteEnd.FINISHED


@dataclass(frozen=True)
class Carried:
    """What a change carries, made by a shell in the checkout; the `gate` that names it and what it `says`.

    `staged` is done once all files are added.
    """

    made: str
    gate: str
    says: str
    staged: str = "true"


GIT_DIR = "pathlib.Path(open('.git').read().removeprefix('gitdir:').strip())"
PTRACE = """libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(16, @VICTIM@, 0, 0) != 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))"""
PEEK = """libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(64)
class Span(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
mine, theirs = Span(ctypes.addressof(room), 64), Span(0x400000, 64)
if libc.process_vm_readv(@VICTIM@, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0) < 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))"""
SEEN = """said = b""
for file in pathlib.Path("/proc").glob("[0-9]*/environ"):
    try:
        said += file.read_bytes()
    except OSError:
        pass
assert b"@SPOKEN@" in said, "No such process has it\""""
FORKS = """children = []
try:
    while len(children) < 2000:
        child = os.fork()
        if child == 0:
            time.sleep(300)
            os._exit(0)
        children.append(child)
finally:
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)"""
THREADS = """ended = threading.Event()
begun = []
try:
    while len(begun) < 2000:
        begun.append(threading.Thread(target=ended.wait, daemon=True))
        begun[-1].start()
finally:
    ended.set()
    for one in begun:
        if one.ident:
            one.join()"""
DAEMONS = """signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2000):
    if os.fork() == 0:
        os.setsid()
        os.execv("/bin/sleep", ["sleep", "@MARK@"])"""
FILLED = """try:
    with open(@FILE@, "wb", buffering=0) as held:
        for _ in range(2000):
            assert held.write(bytes(4 << 20)) == 4 << 20, "No space left on device"
finally:
    os.unlink(@FILE@)"""
HELD = """held = []
for number in range(4000):
    held.append(bytearray(os.urandom(1)) * (4 << 20))"""
SWAPPED = """os.rename("@NAME@", "@NAME@.kept")
try:
    os.symlink("@GOAL@", "@NAME@")
    open("@WRITTEN@", "a").write("x")
finally:
    os.unlink("@NAME@")
    os.rename("@NAME@.kept", "@NAME@")"""
ELSEWHERE = """kept = open(".git").read()
try:
    open(".git", "w").write("gitdir: @TARGET@/.git")
    words = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "safe.directory=*"]
    done = subprocess.run([*words, "commit", "--allow-empty", "-m", "x"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
finally:
    open(".git", "w").write(kept)"""


def into(path: str) -> str:
    """Write a file."""
    return f'open({path}, "a").write("x")'


def connected(where: str, family: str = "INET") -> str:
    """Reach a server."""
    return f"with socket.socket(socket.AF_{family}) as one:\n    one.settimeout(5)\n    one.connect({where})"


def swapped(name: str, goal: str, written: str) -> str:
    """Put a link in the place of something and write through it."""
    return SWAPPED.replace("@NAME@", name).replace("@GOAL@", goal).replace("@WRITTEN@", written)


def filled(file: str) -> str:
    """Write into a folder that is held in memory."""
    return FILLED.replace("@FILE@", repr(file))


ATTEMPTS: Mapping[str, Mapping[str, Attempt]] = {
    "files outside": {
        "of somebody else": Attempt(into("'@OUTSIDE@/pwned'"), AWAY),
        "of the system": Attempt(into("'/usr/lib/aps-pwned'"), AWAY),
        "of the data folder": Attempt('assert os.listdir("@HOME@/keys")', AWAY),
        "that anybody may read": Attempt('open("@OUTSIDE@/secret").read()', AWAY),
        "by a door of the kernel": Attempt('open("/proc/1/root@OUTSIDE@/secret").read()', AWAY),
    },
    "network": {
        "an address outside": Attempt(connected("('192.0.2.1', 443)"), NO_NET),
        "a name": Attempt("socket.getaddrinfo('example.com', 443)", ("name resolution", "not known")),
        "a datagram": Attempt(
            "with socket.socket(type=socket.SOCK_DGRAM) as one:\n    one.sendto(b'x', ('192.0.2.1', 53))",
            NO_NET,
        ),
        "a raw socket": Attempt("socket.socket(type=socket.SOCK_RAW, proto=1)", ("Operation not permitted",)),
    },
    "loopback servers": {
        "NATS": Attempt(connected("('127.0.0.1', @NATS@)"), DEAF),
        "PostgreSQL": Attempt(connected("('127.0.0.1', @POSTGRES@)"), DEAF),
        "the gateway": Attempt(connected("('127.0.0.1', @GATEWAY@)"), DEAF),
        "the proxy of an engine": Attempt(connected("'@PROXY@'", "UNIX"), AWAY),
    },
    "other processes": {
        "killed": Attempt("os.kill(@VICTIM@, 9)", NOBODY),
        "traced": Attempt(PTRACE, (*NOBODY, "Operation not permitted")),
        "its environment": Attempt("open('/proc/@VICTIM@/environ').read()", AWAY),
        "everybody's environment": Attempt(SEEN, NOBODY),
        "its memory": Attempt(PEEK, (*NOBODY, "Operation not permitted", "Function not implemented")),
    },
    "memory": {
        "the heap": Attempt("bytearray(1 << 40)", NO_MEMORY),
        "mapped": Attempt("import mmap\nmmap.mmap(-1, 1 << 40)", NO_MEMORY),
        "a file in memory": Attempt(filled("/dev/shm/aps-full"), ("No space left on device",)),  # noqa: S108 -- the sandbox's own
        "the temporary folder": Attempt(filled("/tmp/aps-full"), ("No space left on device",)),  # noqa: S108 -- the sandbox's own
        "the heap, used": Attempt(HELD, (), SuiteEnd.OUT_OF_MEMORY),
    },
    "symlink swap": {
        "a source": Attempt(swapped("tiny/words.py", "@OUTSIDE@/secret", "tiny/words.py"), AWAY),
        "a folder": Attempt(swapped("tiny", "@OUTSIDE@", "tiny/secret"), AWAY),
        "git's own file": Attempt(swapped(".git", "@OUTSIDE@/secret", ".git"), AWAY),
        "the report": Attempt(
            'report = next(pathlib.Path("/").glob("tmp/aps-suite-*/out/report.jsonl"))\n'
            'report.unlink()\nreport.symlink_to("@OUTSIDE@/secret")',
            (),
            SuiteEnd.COLLECTION_FAILED,
        ),
    },
    "git hooks": {
        "of the clone": Attempt(into(f"{GIT_DIR}.parents[1] / 'hooks' / 'post-checkout'"), AWAY),
        "of the target": Attempt(into("'@TARGET@/.git/hooks/pre-commit'"), AWAY),
        "of every new clone": Attempt(into("'/usr/share/git-core/templates/hooks/pre-push'"), AWAY),
    },
    "git configuration": {
        "core.fsmonitor of the clone": Attempt(into(f"{GIT_DIR}.parents[1] / 'config'"), AWAY),
        "include of the target": Attempt(into("'@TARGET@/.git/config'"), AWAY),
        "core.hooksPath of everybody": Attempt(into("'/etc/gitconfig'"), AWAY),
        "attributes of the clone": Attempt(into(f"{GIT_DIR}.parents[1] / 'info' / 'attributes'"), AWAY),
    },
    "worktree paths": {
        "above": Attempt(into("'../aps-pwned'"), AWAY),
        "absolute": Attempt(into("'@TARGET@/tiny/words.py'"), AWAY),
        "a sibling": Attempt('assert len(os.listdir("..")) > 1, "No such file or directory"', AWAY),
        "a .git file that points elsewhere": Attempt(ELSEWHERE, ("not a git repository",)),
    },
    "fork bomb": {
        "forks": Attempt(FORKS, FULL),
        "threads": Attempt(THREADS, FULL),
        "daemons": Attempt(DAEMONS, FULL),
    },
}
LINK = "a link that leads out of the repository"
HEADING = "import ctypes, os, pathlib, signal, socket, subprocess, threading, time\n"


def slug(kind: str, name: str) -> str:
    """Name the test of an attempt."""
    return "test_" + "".join(char if char.isalnum() else "_" for char in f"{kind}_{name}").lower()


def attempts_file(places: Mapping[str, str], *only: tuple[str, str]) -> str:
    """Return a test file of `only` these attempts, by default of all that do not end the run."""
    wanted = only or tuple(
        (kind, name)
        for kind, attempts in ATTEMPTS.items()
        for name, one in attempts.items()
        if one.ends is SuiteEnd.FINISHED
    )
    text = HEADING
    for kind, name in wanted:
        body = ATTEMPTS[kind][name].body.replace("\n", "\n    ")
        text += f"\n\ndef {slug(kind, name)}():\n    {body}\n"
    for place, value in places.items():
        text = text.replace(f"@{place}@", value)
    return text


CARRIED: Mapping[str, Mapping[str, Carried]] = {
    "files outside": {
        "by a link among the tests": Carried(
            "ln -s /root tests/data", BOUNDS, f"tests/data: {LINK}, to /root"
        ),
        "by a link to a device": Carried("ln -s /dev/mem tiny/mem", BOUNDS, f"tiny/mem: {LINK}"),
        "by a path of the interpreter": Carried("echo /tmp > tiny/out.pth", RUNNER, "tiny/out.pth"),
    },
    "symlink swap": {
        "a source": Carried(
            "ln -sf /etc/passwd tiny/words.py", BOUNDS, f"tiny/words.py: {LINK}, to /etc/passwd"
        ),
        "a folder": Carried("rm -r tests; ln -s ../../other tests", BOUNDS, f"tests: {LINK}, to ../../other"),
        "down and up": Carried("ln -s . tiny/x; ln -s tiny/x/../../.. up", BOUNDS, f"up: {LINK}"),
    },
    "git hooks": {
        "of the repository": Carried(
            "mkdir .githooks; echo x > .githooks/pre-commit", BOUNDS, ".githooks/pre-commit: a hook"
        ),
        "of a tool": Carried("mkdir .husky; echo x > .husky/pre-push", BOUNDS, ".husky/pre-push: a hook"),
        "of a framework": Carried(
            "echo 'repos: []' > .pre-commit-config.yaml", EVALUATOR, "a build server file"
        ),
    },
    "git configuration": {
        "a filter": Carried("echo '* filter=evil' > .gitattributes", BOUNDS, "new: filter=evil"),
        "a driver": Carried("echo '*.py diff=evil merge=own' > tiny/.gitattributes", BOUNDS, "diff=evil"),
        "an include": Carried("echo '[include]' > .gitconfig", BOUNDS, ".gitconfig: settings of git"),
        "a submodule": Carried(
            "echo '[submodule \"v\"]' > .gitmodules",
            BOUNDS,
            "vendor: a submodule",
            "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),vendor",
        ),
    },
    "worktree paths": {
        "a link to git's own files": Carried(
            "ln -s .git/hooks hooks", BOUNDS, "hooks: a link that leads to git's"
        ),
        "in other case": Carried("ln -s ../.GIT/config tiny/c", BOUNDS, "tiny/c: a link that leads to git's"),
        "above": Carried("ln -s ../x tiny/x; ln -s .. over", BOUNDS, f"over: {LINK}, to .."),
    },
}
