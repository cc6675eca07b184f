"""The bounds of one process that follow from the limits of a run."""

from services.sandbox.port import Limits


def address_space(limits: Limits) -> int:
    """Bytes one process may reserve. Interpreters reserve far more than they use; use is watched."""
    return 4 * limits.memory_bytes


def tmp_bytes(limits: Limits) -> int:
    """Bytes that /tmp and /dev/shm may each hold: they live in memory, so half the limit."""
    return max(limits.memory_bytes // 2, 1)


def of_process(limits: Limits) -> tuple[tuple[str, int], ...]:
    """Return (name in `resource`, bound) for each process of the run."""
    return (
        ("RLIMIT_NPROC", limits.processes),
        ("RLIMIT_AS", address_space(limits)),
        ("RLIMIT_FSIZE", limits.file_bytes),
        ("RLIMIT_NOFILE", limits.open_files),
        ("RLIMIT_CORE", 0),
    )
