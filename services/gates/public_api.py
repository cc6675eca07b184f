"""The gate on the public interface: what others may import stays, and can be called as before."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from schemas.improvement import GateResult
from services.gates.evaluator_files import is_test_code
from services.gates.evidence import counted, listed, verdict
from services.gates.handed_on import handed_on_lost
from services.gates.public_names import VALUE, public_names
from services.gates.signatures import takes_all_of

PUBLIC_API_UNCHANGED = "public_api_unchanged"
VERSION = "3"
NOTHING_PUBLIC = "no public module is touched"


def public_api_unchanged(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> GateResult:
    """Compare the changed modules by path; one that is None or missing in `before` is new, in `after` gone.

    Tests and modules with a leading underscore in their path are nobody's interface. What came new is
    reported, not refused.
    """
    offences: list[str] = []
    added: list[str] = []
    paths = [path for path in sorted({*before, *after}) if _is_interface(path)]
    for path in paths:
        lost, new = _compared(path, before.get(path), after.get(path))
        offences += [f"{path}: {offence}" for offence in lost]
        added += [f"{path}: {name}" for name in new]
    otherwise = f"unchanged in {counted(len(paths), 'module')}" if paths else NOTHING_PUBLIC
    if added:
        otherwise += f"; new: {listed(added)}"
    return verdict(PUBLIC_API_UNCHANGED, VERSION, offences, otherwise)


def _is_interface(path: str) -> bool:
    pure = PurePosixPath(path)
    names = (*pure.parts[:-1], pure.stem)
    private = any(name.startswith("_") and name not in ("__init__", "__main__") for name in names)
    return pure.suffix in (".py", ".pyi") and not private and not is_test_code(path)


def _compared(path: str, before: str | None, after: str | None) -> tuple[list[str], list[str]]:
    """Say what one module lost or changed, and what it gained."""
    if before == after:
        return [], []
    if after is None:
        return ["the module is gone"], []
    package = PurePosixPath(path).stem == "__init__"
    try:
        was = public_names(before or "", package=package)
        now = public_names(after, package=package)
        lost = handed_on_lost(path, before or "", after)
    except (SyntaxError, ValueError):
        return ["it does not parse, so its change cannot be judged"], []
    gone = [f"{name} is gone" for name in was if name not in now]
    gone += [f"the import of {name} is gone" for name in lost]
    changed = [
        f"{name} was {was[name]}, is {now[name]}"
        for name in was
        # a value may become a function or a class of the same name: nothing says it was less
        if name in now and was[name] != VALUE and not takes_all_of(now[name], was[name])
    ]
    return gone + changed, [name for name in now if name not in was]
