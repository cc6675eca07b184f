"""What of a data folder and its settings a backup keeps, and how it is given back.

Rules
1. Settings that decide what the swarm does are kept; addresses, ports and secrets are not.
2. Keys are kept only where they were asked for, and given back for their owner alone.
3. Nothing that stands there is overwritten.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from events.evidence.archive import KeyFile, Setting
from events.evidence.heads import PublicKey, SigningKey
from services.cli.session import say
from services.cycle.words import counted
from services.runtime.data_folder import DataFolder, make_folder, write_durably
from services.runtime.head_keys import FILE, trust
from services.runtime.secret import FILE as SECRET_FILE
from services.runtime.secret import former_file
from services.runtime.settings import Settings

KEPT = (
    "autonomy",
    "suite_timeout_seconds",
    "suite_memory_mib",
    "allow_unsandboxed",
    "lease_seconds",
    "health_command",
    "health_timeout_seconds",
    "head_events",
    "head_seconds",
    "trusted_keys",
)


def settings_kept(settings: Settings) -> Iterator[Setting]:
    """Yield the settings to keep that are not at their default."""
    for name in KEPT:
        field = type(settings).model_fields[name]
        value = getattr(settings, name)
        if value != field.get_default():
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            yield Setting(str(field.validation_alias), shown)


def key_files(home: Path) -> Iterator[KeyFile]:
    """Yield the files of the folder of keys."""
    folder = DataFolder(home).keys
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.is_file():
            yield KeyFile(file.name, file.read_bytes())


def give_back_keys(home: Path, found: Iterable[KeyFile]) -> None:
    """Write the key files that are missing; where a place is taken, let both keys count."""
    folder = DataFolder(home).keys
    make_folder(folder, 0o700)
    for one in found:
        file = folder / Path(one.name).name
        text = one.content.decode("utf-8")
        if not file.exists():
            write_durably(file, text)
        elif file.read_bytes() != one.content:
            _give_back_beside(home, one.name, text)


def _give_back_beside(home: Path, name: str, text: str) -> None:
    """Let a key count whose place is taken by another."""
    if name == FILE:
        trust(home, SigningKey(bytes.fromhex(text.strip())).public)
    elif name == SECRET_FILE and not former_file(home).exists():
        write_durably(former_file(home), text)
        say("what was sealed opens with the backup's secret; to put it under that of now: aps keys rotate")


def trust_signer(home: Path, key: PublicKey, own: PublicKey | None) -> None:
    """Let the heads of a restored log count."""
    if key != own:
        trust(home, key)
        say(f"heads signed with key {key.id} count here from now on")


def give_back_settings(home: Path, found: Iterable[Setting]) -> None:
    """Write the settings into the data folder's file where there is none; else say what they were."""
    lines = [f"{one.name}={_quoted(one.value)}\n" for one in found]
    file = home / ".env"
    if not lines:
        return
    if file.exists():
        say(f"{file} stays as it is; the settings then were:")
        for line in lines:
            say(f"  {line.rstrip()}")
    else:
        write_durably(file, "".join(lines))
        say(f"{counted(len(lines), 'setting')} written to {file}")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'" if set(value) - set("abcdefghijklmnopqrstuvwxyz0123456789,") else value
