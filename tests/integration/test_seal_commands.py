"""What is sealed on a real log, and `aps keys` as a person runs it: rotated, deleted, with a wrong secret."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from events.envelope import Cause
from events.run import RUN, Completed, Requested, Started
from schemas.artefacts import ArtefactRef
from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.head_keys import signing_key
from services.runtime.secret import former_file, secret_file
from services.runtime.settings import load
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import KeyDeleted, KeyMissing, WrongSecret
from tests.cli_process import ended
from tests.conftest import run

PROMPT = "what only this run may know: hunter2"
NEW = "n" * 40


@dataclass(frozen=True)
class Place:
    """A data folder whose servers run."""

    home: Path
    servers: EmbeddedServers

    def ground(self, **names: str) -> Ground:
        settings = load({"APS_HOME": str(self.home), **names})
        return Ground(settings, self.servers.nats_url, self.servers.database_url, self.servers)

    def stored(self, text: bytes) -> list[str]:
        """The files of the servers and logs that hold `text`."""
        places = (self.servers.place, self.home / "logs")
        files = [file for place in places for file in place.rglob("*") if file.is_file()]
        return [str(file) for file in files if text in file.read_bytes()]


@pytest.fixture
def place(home: Path, nats_configuration: Path) -> Iterator[Place]:
    servers = EmbeddedServers(home, configuration=nats_configuration)
    run(servers.join())
    made = Place(home, servers)
    run(set_up(made.ground()))
    yield made
    run(servers.leave())


async def answered(ground: Ground, id: str, text: str = PROMPT) -> ArtefactRef:
    """Record a run whose answer is sealed."""
    async with ground.log("pm") as (_, book):
        ref = await book.keep(text, "answer.txt", "text/plain", sealed_for=f"run/{id}")
        asked = Requested(improvement="i", role="pm", engine="e", model="m", task="t")
        facts = (asked, Started(), Completed(duration_ms=1, answer=ref))
        cause = Cause(actor="test", source="aps/test", correlation=str(uuid4()))
        await book.record(RUN, id, *facts, cause=cause)
    return ref


async def opened(ground: Ground, ref: ArtefactRef) -> str:
    async with ground.log("qa") as (_, book):
        return (await book.fetch(ref)).decode()


async def test_a_small_text_is_sealed_inside_a_fact(place: Place) -> None:
    async with place.ground().log("pm") as (_, book):
        sealed = await book.conceal(PROMPT, "run/r1")
        assert "hunter2" not in sealed.model_dump_json()
        assert await book.reveal(sealed) == PROMPT


def test_a_sealed_answer_is_nowhere_in_the_open_and_ends_with_its_key(place: Place) -> None:
    kept, other = run(answered(place.ground(), "r1")), run(answered(place.ground(), "r2", "another"))
    assert kept.sealed_for == "run/r1"
    assert run(opened(place.ground(), kept)) == PROMPT
    assert place.stored(b"hunter2") == []

    listed = orjson.loads(ended(place.home, "keys", "list", "--json").stdout)
    assert [(row["subject"], row["state"]) for row in listed] == [("run/r1", "held"), ("run/r2", "held")]
    wrapped = run(wrapped_form(place.ground(), "run/r1"))
    assert place.stored(wrapped)

    refused = ended(place.home, "keys", "delete", "run/r1", "--reason", "asked for")
    assert (refused.returncode, "--yes" in refused.stderr) == (Exit.USAGE, True)
    assert run(opened(place.ground(), kept)) == PROMPT
    deleted = ended(place.home, "keys", "delete", "run/r1", "--reason", "asked for", "--yes", "--json")
    assert deleted.returncode == Exit.OK, deleted.stderr
    assert orjson.loads(deleted.stdout)["state"] == "deleted"

    with pytest.raises(KeyDeleted, match=r"the key of run/r1 was deleted on \d{4}-.* \(asked for\)"):
        run(opened(place.ground(), kept))
    assert run(opened(place.ground(), other)) == "another"
    assert place.stored(wrapped) == []
    for command in (("events", "verify"), ("replay", "--check"), ("views", "rebuild")):
        done = ended(place.home, *command)
        assert done.returncode == Exit.OK, (command, done.stderr)


async def wrapped_form(ground: Ground, subject: str) -> bytes:
    connection = await ground.connect("admin")
    entry = await JetStreamKeyStore(connection).find(subject)
    await connection.close()
    return entry.keys[0].wrapped.encode()


def test_what_was_never_sealed_for_is_not_found(place: Place) -> None:
    for subject, code in (("run/none", Exit.NOT_FOUND), ("nonsense", Exit.USAGE)):
        assert ended(place.home, "keys", "delete", subject, "--reason", "x", "--yes").returncode == code


def test_the_made_secret_is_its_owners_alone_and_nothing_is_made_in_its_place(place: Place) -> None:
    file = secret_file(place.home)
    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_text()
    file.rename(file.with_name("away"))
    done = ended(place.home, "status")
    assert done.returncode == Exit.USAGE
    assert f"there is no {file}" in done.stderr
    assert not file.exists()
    assert secret not in done.stderr
    file.with_name("away").rename(file)
    assert ended(place.home, "keys", "list").returncode == Exit.OK


def test_another_secret_is_refused_before_anything_is_changed(place: Place) -> None:
    kept = run(answered(place.ground(), "r1"))
    before = run(wrapped_form(place.ground(), "run/r1"))
    for command in (("keys", "list"), ("keys", "rotate"), ("events", "verify"), ("setup",)):
        done = ended(place.home, *command, SECRET_KEY_BASE=NEW)
        assert done.returncode == Exit.USAGE, (command, done.stderr)
        assert "SECRET_KEY_BASE is not the secret that the keys were made with" in done.stderr
        assert NEW not in done.stderr + done.stdout
    with pytest.raises(WrongSecret):
        run(opened(place.ground(SECRET_KEY_BASE=NEW), kept))
    assert run(wrapped_form(place.ground(), "run/r1")) == before
    assert run(opened(place.ground(), kept)) == PROMPT


def test_a_secret_is_changed_while_everything_stays_readable(place: Place) -> None:
    kept = run(answered(place.ground(), "r1"))
    old = run(wrapped_form(place.ground(), "run/r1"))
    both = {"SECRET_KEY_BASE": NEW, "SECRET_KEY_BASE_OLD_FILE": str(secret_file(place.home))}
    assert run(opened(place.ground(**both), kept)) == PROMPT
    done = ended(place.home, "keys", "rotate", "--json", **both)
    assert (done.returncode, orjson.loads(done.stdout)["rewrapped"]) == (Exit.OK, 1), done.stderr
    assert run(opened(place.ground(SECRET_KEY_BASE=NEW), kept)) == PROMPT
    assert place.stored(old) == []
    former = ended(place.home, "keys", "list")
    assert (former.returncode, former.stdout) == (Exit.USAGE, "")


def test_no_secret_shows_in_settings_logs_or_the_words_of_a_command(place: Place) -> None:
    secret = secret_file(place.home).read_text()
    given = {"SECRET_KEY_BASE": secret, "SECRET_KEY_BASE_OLD": "o" * 40, "APS_LOG_LEVEL": "debug"}
    run(answered(place.ground(), "r1"))
    shown = ended(place.home, "config", "show", **given)
    assert re.search(r"SECRET_KEY_BASE_OLD\s+\*{6}", shown.stdout)
    ran = [shown, *(ended(place.home, *words, **given) for words in (("keys", "list"), ("doctor",)))]
    for text in (secret, "o" * 40):
        assert not any(text in done.stdout + done.stderr for done in ran)
        assert place.stored(text.encode()) == []


def test_no_secret_stands_on_a_command_line(place: Place) -> None:
    files = [secret_file(place.home), *(place.home / "credentials").iterdir()]
    secrets = [file.read_bytes().strip() for file in files if file.is_file()]
    lines = [commandline(process) for process in Path("/proc").iterdir() if process.name.isdigit()]
    assert sum(str(place.servers.place).encode() in line for line in lines) >= 2
    assert len(secrets) > 10
    assert not any(secret in line for secret in secrets for line in lines)


def commandline(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def test_a_store_of_keys_belongs_to_one_secret_from_the_first_start(home: Path) -> None:
    first = ended(home, "keys", "list", SECRET_KEY_BASE="f" * 40)
    assert first.returncode == Exit.OK, first.stderr
    assert not secret_file(home).exists()
    again = ended(home, "keys", "list")
    assert again.returncode == Exit.USAGE
    assert not secret_file(home).exists()
    shutil.rmtree(home)


def test_a_backup_with_keys_opens_elsewhere_and_without_them_nothing_does(
    place: Place, open_home: Path, nats_configuration: Path
) -> None:
    kept = run(answered(place.ground(), "r1"))
    signing_key(place.ground().settings)
    folder = open_home / f"backups {uuid4().hex[:6]}"
    folder.mkdir()
    for name, more in (("with", ("--with-keys",)), ("without", ())):
        done = ended(place.home, "backup", *more, str(folder / name))
        assert done.returncode == Exit.OK, done.stderr
    for name in ("without", "with"):
        servers = EmbeddedServers(folder / f"{name} home", configuration=nats_configuration)
        run(servers.join())
        try:
            other = Place(folder / f"{name} home", servers)
            done = ended(other.home, "restore", str(folder / name))
            assert done.returncode == Exit.OK, done.stderr
            if name == "without":
                with pytest.raises(KeyMissing):
                    run(opened(other.ground(), kept))
                continue
            assert run(opened(other.ground(), kept)) == PROMPT
            assert ended(other.home, "keys", "rotate").returncode == Exit.OK
            assert not former_file(other.home).exists()
            assert run(opened(other.ground(), kept)) == PROMPT
        finally:
            run(servers.leave())
    shutil.rmtree(folder)
