"""What a sandbox does with streams while a command runs: output told as it comes, input given."""

import asyncio
from pathlib import Path

import pytest

from services.sandbox.port import MIB, Command, Ended, Hear, Limits, Result
from tests.contract.test_sandbox import LEVELS, PATIENCE, Cell, alive, cell_in, mark
from tests.descriptors import settled_descriptors


@pytest.fixture(params=[*LEVELS, "none"])
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    return cell_in(request.param, tmp_path)


async def heard(cell: Cell, script: str, hear: Hear | None, stdin: bytes = b"", kept: int = MIB) -> Result:
    command = Command(("sh", "-c", script), cell.work, writable=(cell.work,), stdin=stdin)
    limits = Limits(wall_seconds=PATIENCE, output_bytes=kept)
    return await cell.sandbox.run(command, limits, hear)


async def test_output_is_heard_while_the_command_still_runs(cell: Cell) -> None:
    pieces: list[bytes] = []

    def hear(piece: bytes) -> None:
        pieces.append(piece)
        (cell.work / "go on").touch()

    waits = 'echo first; until [ -e "go on" ]; do :; done; echo second'
    result = await heard(cell, waits, hear)
    assert pieces[0] == b"first\n"
    assert b"".join(pieces) == result.stdout == b"first\nsecond\n"


async def test_all_output_is_heard_also_what_the_result_leaves_out(cell: Cell) -> None:
    pieces: list[bytes] = []
    result = await heard(cell, "head -c 5000000 /dev/zero; echo; echo last", pieces.append, kept=1000)
    assert sum(map(len, pieces)) == 5_000_006
    assert len(result.stdout) < 1100


async def test_errors_are_kept_and_not_heard(cell: Cell) -> None:
    pieces: list[bytes] = []
    result = await heard(cell, "echo out; echo err >&2", pieces.append)
    assert (b"".join(pieces), result.stderr) == (b"out\n", b"err\n")


async def test_a_listener_that_breaks_ends_the_run_and_is_told_of(cell: Cell) -> None:
    sleep = mark()

    def breaks(piece: bytes) -> None:
        raise ValueError(f"cannot take {len(piece)} bytes")

    with pytest.raises(ValueError, match="cannot take 6 bytes"):
        await asyncio.wait_for(heard(cell, f"echo heard; sleep {sleep}", breaks), PATIENCE)
    assert alive(sleep) == []


async def test_cancelling_while_it_is_heard_ends_the_command(cell: Cell) -> None:
    sleep, began = mark(), asyncio.Event()
    run = asyncio.create_task(heard(cell, f"echo x; sleep {sleep}", lambda _: began.set()))
    await asyncio.wait_for(began.wait(), PATIENCE)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert alive(sleep) == []


@pytest.mark.parametrize("size", [1, 65_536, 3_000_000])
async def test_input_is_read_to_its_end(cell: Cell, size: int) -> None:
    result = await heard(cell, "cat | wc -c", None, stdin=b"x" * size)
    assert (result.ended, result.stdout.strip()) == (Ended.EXITED, str(size).encode())


async def test_input_that_nobody_reads_holds_nothing_up(cell: Cell) -> None:
    assert (await heard(cell, "exit 3", None, stdin=b"x" * 3_000_000)).exit_code == 3


async def test_streams_give_back_their_descriptors(cell: Cell) -> None:
    await heard(cell, "cat", lambda _: None, stdin=b"x")
    before = await settled_descriptors()
    await heard(cell, "cat", lambda _: None, stdin=b"x")
    assert await settled_descriptors() == before
