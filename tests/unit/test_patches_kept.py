"""A patch with a secret in it is stored sealed, and shown without the secret."""

from dataclasses import replace

from events.improvement import IMPROVEMENT
from services.changes.keeping import keep_patch, refused_patch, without_secrets
from services.dossier.shelf import Shelf
from services.runtime.log import Log
from tests.asking_example import Time, book_at
from tests.projection_facts import implemented, refuted

SECRET = "sk-ant-api03-Zq8vT1bW5xY2kL9mN4pR7sD3fG6hJ0aC"
BARE = "Zq8vT1bW5xY2kL9m"
HEAD = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1,2 @@\n a = 1\n"
HARMLESS = f"{HEAD}+b = 2\n".encode()
GIVEN_AWAY = f'{HEAD}+KEY = "{SECRET}"\n'.encode()
AS_IN_SETTINGS = f"{HEAD}+PASSWORD={BARE}\n".encode()


async def stored(book: Log, sha256: str) -> bytes:
    return await book.artefacts.get(sha256)


async def test_a_patch_with_a_secret_is_sealed_and_opens_to_the_byte() -> None:
    book = await book_at(Time())
    for patch in (GIVEN_AWAY, AS_IN_SETTINGS):
        ref = await keep_patch(book, "imp-1", "imp-1.patch", patch)
        assert ref.sealed_for == "improvement/imp-1"
        assert patch.splitlines()[-1] not in await stored(book, ref.sha256)
        assert await book.fetch(ref) == patch


async def test_any_other_patch_is_stored_as_it_is_without_a_key() -> None:
    book = await book_at(Time())
    keyless = Log(book.store, book.artefacts, Time())
    for patch in (HARMLESS, HARMLESS.replace(b"b = 2", b"b = '\xff'\r")):
        ref = await keep_patch(keyless, "imp-1", "imp-1.patch", patch)
        assert (ref.sealed_for, await stored(book, ref.sha256)) == (None, patch)


async def test_what_is_sealed_is_shown_without_the_secret_alone() -> None:
    book = await book_at(Time())
    for patch, secret in ((GIVEN_AWAY, SECRET), (AS_IN_SETTINGS, BARE)):
        ref = await keep_patch(book, "imp-1", "imp-1.patch", patch)
        for shelf in (Shelf(book), Shelf(book, opens=False)):
            shown = await shelf.patch(ref)
            assert shown == patch.decode().replace(secret, "[***]")
            assert not shelf.missing


async def test_a_patch_that_nobody_can_open_is_named_as_missing() -> None:
    book = await book_at(Time())
    ref = await keep_patch(book, "imp-1", "imp-1.patch", GIVEN_AWAY)
    shelf = Shelf(Log(book.store, book.artefacts, Time()), opens=False)
    assert await shelf.patch(ref) == ""
    assert "SECRET_KEY_BASE is not set" in shelf.missing[0]


async def test_a_patch_to_look_at_keeps_every_line() -> None:
    for patch in (HARMLESS, GIVEN_AWAY, AS_IN_SETTINGS, b"", HARMLESS.replace(b"\n", b"\r\n")):
        assert (await without_secrets(patch)).count(b"\n") == patch.count(b"\n")
    assert await without_secrets(HARMLESS) == HARMLESS


async def test_a_refused_patch_that_cannot_be_opened_here_is_as_none() -> None:
    book = await book_at(Time())
    ref = await keep_patch(book, "imp-1", "imp-1.patch", GIVEN_AWAY)
    change = implemented().model_copy(update={"patch": ref})
    written = replace(IMPROVEMENT.initial, change=change)
    refused = replace(written, refusals=(refuted(),))
    assert await refused_patch(book, refused) == GIVEN_AWAY
    assert await refused_patch(Log(book.store, book.artefacts, Time()), refused) == b""
    assert await refused_patch(book, written) == b""
