"""The virtual environment: made when missing, filled from a lock file when that lock changed.

    python3 requirements/install.py runtime|test

Rules:
1. Only the standard library, and nothing newer than Python 3.6 in syntax: an old Python must get as
   far as being told that it is too old.
2. Every package is pinned and checked by hash, and comes as a wheel: nothing is built on this machine.
3. `test` holds all of `runtime` at the same versions, so installing it settles both.
"""

import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
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
    if not _stands(wanted):
        if not _install(ROOT / "requirements" / (wanted + ".txt"), started):
            return 1
        for settled in ("runtime", wanted):
            _stamp(settled).write_bytes(_lock(settled))
        _say(f"the {wanted} packages are installed", started)
    _link()
    return 0


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
