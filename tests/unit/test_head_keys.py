"""The key of the signed heads is made by who signs the first or by a person, and by nobody who only looks."""

from functools import partial
from pathlib import Path

import orjson
import pytest

from events.evidence.head_proof import DATABASE, prove_heads
from events.evidence.heads import sign
from services.cli.ending import Exit, Stop
from services.cli.history.exporting import require_key
from services.cli.history.keys import show
from services.cli.history.proving import unchecked
from services.runtime.head_keys import key_file, lost, own_key, signing_key, trust, trusted_keys
from services.runtime.settings import Settings, load
from tests.exported_log import OURS, THEIRS
from tests.projection_facts import START

HEADS = [sign(seq, seq - 1, "0" * 64, START, OURS) for seq in (1, 2, 3)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"APS_HOME": str(tmp_path)})


async def test_whoever_looks_makes_no_key(settings: Settings) -> None:
    assert own_key(settings) is None
    assert trusted_keys(settings) == ()
    with pytest.raises(Stop, match="there is no key") as none:
        await show(settings, as_json=False)
    assert none.value.code is Exit.NOT_FOUND
    assert not key_file(settings.home).exists()


def test_who_signs_makes_it_once_and_all_find_it(settings: Settings) -> None:
    made = signing_key(settings).public
    assert signing_key(settings).public == made
    assert trusted_keys(settings) == (made,)


def test_with_a_secret_the_key_is_always_there(tmp_path: Path) -> None:
    settings = load({"APS_HOME": str(tmp_path), "SECRET_KEY_BASE": "k" * 40})
    assert own_key(settings) is not None
    assert not key_file(tmp_path).exists()


def test_heads_whose_key_is_gone_are_told_with_the_key_and_the_file_to_put_back(settings: Settings) -> None:
    (fault,) = unchecked(HEADS, partial(lost, settings))
    assert f"the key {OURS.public.id}, which signed heads up to sequence 3, is not there" in fault.what
    assert str(key_file(settings.home)) in fault.what
    assert "from a backup" in fault.what
    assert "--key" in fault.what
    assert "aps events key --new --trust" in fault.what
    assert [*unchecked([], partial(lost, settings))] == []


def test_many_heads_of_a_strange_key_are_one_fault() -> None:
    proof = prove_heads(HEADS, [], [THEIRS.public])
    (fault,) = (fault for fault in proof.faults if fault.where == DATABASE)
    assert fault.seq == 1
    assert fault.what.endswith("so are 2 more, up to sequence 3")
    assert proof.sound == ()


def test_no_export_is_sealed_with_a_key_made_for_it(settings: Settings) -> None:
    with pytest.raises(Stop, match=r"no key was made: the key .* up to sequence 3") as refused:
        require_key(settings, HEADS)
    assert refused.value.code is Exit.FAILED
    trust(settings.home, OURS.public)
    with pytest.raises(Stop, match=r"no key to seal it with .*aps events key --new") as refused:
        require_key(settings, HEADS)
    assert refused.value.code is Exit.FAILED
    assert not key_file(settings.home).exists()
    made = signing_key(settings)
    assert require_key(settings, HEADS).public == made.public


async def test_a_person_makes_a_key_where_none_is_and_lets_the_lost_one_count(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await show(settings, new=True, trust=[OURS.public], as_json=True)
    own = own_key(settings)
    assert own is not None
    assert orjson.loads(capsys.readouterr().out)["key"] == own.public.text
    assert trusted_keys(settings) == (own.public, OURS.public)
    with pytest.raises(Stop, match="there is a key already") as refused:
        await show(settings, new=True, as_json=True)
    assert refused.value.code is Exit.CONFLICT
    assert trusted_keys(settings) == (own.public, OURS.public)
