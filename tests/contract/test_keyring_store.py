"""What every store of wrapped keys does: one set of sentences, over memory and over JetStream."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from events.subjects import deleted_key, key_root, wrapped_key
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import KeyDeleted, KeyMissing, Keyring, WrongSecret, rotate
from services.vault.keys import Deletion, Entry, KeyStore, WrappedKey
from services.vault.memory import InMemoryKeyStore
from services.vault.putting_back import put_back
from services.vault.sealing import Unopened, root_of
from tests.log_server import LogServer, started

DAY = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
RUN = "run/r1"
TEXT = "text/plain"
BEFORE, AFTER, OTHER = (root_of(letter * 32) for letter in "abc")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("keys"))
    yield log_server
    log_server.kill()


@pytest.fixture(params=["memory", "jetstream"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[KeyStore]:
    if request.param == "memory":
        yield InMemoryKeyStore()
        return
    log_server: LogServer = request.getfixturevalue("server")
    await log_server.wipe()
    async with log_server.connection("admin") as connection:
        yield JetStreamKeyStore(connection)


def key(subject: str = RUN, id: str = "1" * 32, root: str = "a" * 32) -> WrappedKey:
    return WrappedKey(subject=subject, id=id, root=root, made_at=DAY, wrapped="00" * 60)


def deletion(subject: str = RUN, reason: str = "asked for") -> Deletion:
    return Deletion(subject=subject, at=DAY, by="ann", reason=reason)


def ring(store: KeyStore, current: str = "a", former: str | None = None) -> Keyring:
    old = root_of(former * 32) if former else None
    return Keyring(store, root_of(current * 32), old, lambda: DAY)


async def test_nothing_is_kept_at_first(store: KeyStore) -> None:
    assert (await store.roots(), await store.entries()) == ((), [])
    assert await store.find(RUN) == Entry(subject=RUN)


async def test_the_first_root_is_taken_once(store: KeyStore) -> None:
    taken = [await store.add_first_root(root) for root in ("a", "b", "a")]
    assert (taken, await store.roots()) == ([True, False, True], ("a",))


async def test_of_many_first_roots_one_is_taken(store: KeyStore) -> None:
    taken = await asyncio.gather(*(store.add_first_root(root) for root in "abcdef"))
    assert (sum(taken), len(await store.roots())) == (1, 1)


async def test_a_subject_gets_one_key_ever(store: KeyStore) -> None:
    keys = [key(id=f"{n:032x}") for n in range(8)]
    taken = await asyncio.gather(*(store.add(one) for one in keys))
    assert sum(taken) == 1
    assert (await store.find(RUN)).keys == (keys[taken.index(True)],)


async def test_a_key_stands_under_each_root_once(store: KeyStore) -> None:
    await store.add(key())
    for id in ("2", "3"):
        await store.add_under(key(id=id * 32, root="b" * 32))
    entry = await store.find(RUN)
    assert {one.root[0]: one.id[0] for one in entry.keys} == {"a": "1", "b": "2"}


async def test_a_deleted_key_is_gone_and_its_record_stays(store: KeyStore) -> None:
    await store.add(key())
    await store.add_under(key(root="b" * 32))
    await store.delete(deletion())
    await store.delete(deletion(reason="again"))
    assert await store.find(RUN) == Entry(subject=RUN, deleted=deletion())
    assert await store.entries() == [Entry(subject=RUN, deleted=deletion())]


async def test_a_deleted_subject_gets_no_key_again(store: KeyStore) -> None:
    await store.delete(deletion())
    assert not await store.add(key())
    await store.add_under(key())
    assert (await store.find(RUN)).keys == ()


async def test_forgetting_a_root_takes_the_keys_under_it_along(store: KeyStore) -> None:
    for root in ("a" * 32, "b" * 32):
        await store.add_root(root)
    await store.add(key())
    await store.add(key("run/r2", root="b" * 32))
    await store.erase_root("a" * 32)
    assert await store.roots() == ("b" * 32,)
    assert [(entry.subject, len(entry.keys)) for entry in await store.entries() if entry.keys] == [
        ("run/r2", 1)
    ]


async def test_subjects_are_told_apart_by_kind_and_id(store: KeyStore) -> None:
    for subject in ("run/x", "delivery/x", "run/x-y"):
        await store.add(key(subject, id=f"{len(subject):032x}"))
    assert [entry.subject for entry in await store.entries()] == ["delivery/x", "run/x", "run/x-y"]


async def test_what_is_sealed_opens_again(store: KeyStore) -> None:
    await store.add_first_root(BEFORE.id)
    sealed = await ring(store).seal(RUN, TEXT, b"a prompt")
    assert b"prompt" not in sealed
    assert await ring(store).unseal(RUN, TEXT, sealed) == b"a prompt"


async def test_many_seal_at_once_under_one_key(store: KeyStore) -> None:
    await store.add_first_root(BEFORE.id)
    sealed = await asyncio.gather(*(ring(store).seal(RUN, TEXT, b"the same") for _ in range(8)))
    assert len(set(sealed)) == 8
    assert {await ring(store).unseal(RUN, TEXT, one) for one in sealed} == {b"the same"}


async def test_sealed_content_opens_only_as_what_it_is(store: KeyStore) -> None:
    await store.add_first_root(BEFORE.id)
    sealed = await ring(store).seal(RUN, TEXT, b"a prompt")
    await ring(store).seal("run/r2", TEXT, b"another")
    for subject, media_type, body in (
        ("run/r2", TEXT, sealed),
        (RUN, "application/json", sealed),
        (RUN, TEXT, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (RUN, TEXT, sealed[:10]),
        (RUN, TEXT, b"plain"),
    ):
        with pytest.raises(Unopened):
            await ring(store).unseal(subject, media_type, body)


async def test_after_deletion_nothing_opens_and_nothing_is_sealed(store: KeyStore) -> None:
    await store.add_first_root(BEFORE.id)
    sealed = await ring(store).seal(RUN, TEXT, b"a prompt")
    others = await ring(store).seal("run/r2", TEXT, b"another")
    await store.delete(deletion())
    told = "the key of run/r1 was deleted on 2026-11-23 14:05 UTC by ann"
    with pytest.raises(KeyDeleted, match=told):
        await ring(store).unseal(RUN, TEXT, sealed)
    with pytest.raises(KeyDeleted, match=told):
        await ring(store).seal(RUN, TEXT, b"more")
    assert await ring(store).unseal("run/r2", TEXT, others) == b"another"


async def test_a_key_that_was_never_there_is_missing_not_deleted(store: KeyStore) -> None:
    with pytest.raises(KeyMissing, match=RUN):
        await ring(store).unseal(RUN, TEXT, b"x")


async def test_another_secret_opens_nothing_and_makes_nothing(store: KeyStore) -> None:
    await store.add_first_root(BEFORE.id)
    sealed = await ring(store).seal(RUN, TEXT, b"a prompt")
    kept = await store.entries()
    with pytest.raises(WrongSecret):
        await ring(store, "c").unseal(RUN, TEXT, sealed)
    with pytest.raises(WrongSecret):
        await ring(store, "c").seal("run/new", TEXT, b"x")
    with pytest.raises(WrongSecret, match="SECRET_KEY_BASE_OLD"):
        await rotate(store, OTHER, None)
    assert (await store.entries(), await store.roots()) == (kept, (BEFORE.id,))


async def test_a_rotation_brings_every_key_under_the_secret_after(store: KeyStore) -> None:
    await store.add_first_root(BEFORE.id)
    sealed = {run: await ring(store).seal(run, TEXT, run.encode()) for run in (RUN, "run/r2", "run/r3")}
    await store.delete(deletion("run/r3"))
    during = ring(store, "b", "a")
    assert await during.unseal(RUN, TEXT, sealed[RUN]) == RUN.encode()
    sealed["run/r4"] = await during.seal("run/r4", TEXT, b"run/r4")
    assert (await rotate(store, AFTER, BEFORE)).rewrapped == 3
    assert await store.roots() == (AFTER.id,)
    for run in (RUN, "run/r2", "run/r4"):
        assert await ring(store, "b").unseal(run, TEXT, sealed[run]) == run.encode()
        with pytest.raises(WrongSecret):
            await ring(store, "a").unseal(run, TEXT, sealed[run])
    with pytest.raises(KeyDeleted):
        await ring(store, "b").unseal("run/r3", TEXT, sealed["run/r3"])
    assert (await rotate(store, AFTER, BEFORE)).rewrapped == 0


async def test_an_interrupted_rotation_goes_on(store: KeyStore) -> None:
    await store.add_first_root(BEFORE.id)
    sealed = await ring(store).seal(RUN, TEXT, b"first")
    await store.add_root(AFTER.id)
    late = await ring(store, "b", "a").seal("run/r2", TEXT, b"second")
    done = await rotate(store, AFTER, BEFORE)
    assert (done.rewrapped, done.stood) == (1, 1)
    after = ring(store, "b")
    assert [await after.unseal(RUN, TEXT, sealed), await after.unseal("run/r2", TEXT, late)] == [
        b"first",
        b"second",
    ]


async def test_a_backup_of_keys_goes_back_beside_another_secret(store: KeyStore) -> None:
    source = InMemoryKeyStore()
    await source.add_first_root(BEFORE.id)
    sealed = await ring(source).seal(RUN, TEXT, b"a prompt")
    lost = await ring(source).seal("run/r2", TEXT, b"another")
    await store.add_first_root(AFTER.id)
    await store.delete(deletion("run/r2"))
    messages = [(key_root(BEFORE.id), b"{}")]
    messages += [
        (wrapped_key(one.subject, one.root), one.model_dump_json().encode())
        for entry in await source.entries()
        for one in entry.keys
    ]
    messages.append((deleted_key("run/r3"), deletion("run/r3").model_dump_json().encode()))
    for subject, body in (*messages, *messages):
        await put_back(store, subject, body)
    both = ring(store, "b", "a")
    assert await both.unseal(RUN, TEXT, sealed) == b"a prompt"
    for subject in ("run/r2", "run/r3"):
        with pytest.raises(KeyDeleted):
            await both.unseal(subject, TEXT, lost)
    assert (await rotate(store, AFTER, BEFORE)).rewrapped == 1
    assert await ring(store, "b").unseal(RUN, TEXT, sealed) == b"a prompt"


async def test_a_backup_brings_no_second_key_of_a_subject(store: KeyStore) -> None:
    await store.add(key(id="1" * 32))
    other = key(id="2" * 32, root="b" * 32)
    await put_back(store, wrapped_key(RUN, other.root), other.model_dump_json().encode())
    assert [one.id for one in (await store.find(RUN)).keys] == ["1" * 32]
