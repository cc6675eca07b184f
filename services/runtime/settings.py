"""The settings: every name that may be set, what it allows, and how wrong ones are told.

1. Values come from the environment, then from one file: the one `APS_ENV_FILE` names, else
   `APS_HOME`/.env. A `.env` in the current folder is not read: it belongs to whatever project the
   command was called in.
2. An empty value counts as unset. `NAME_FILE` names a secret's file instead of giving the secret.
3. Everything wrong is named at once, with what was given (secrets masked) and what is allowed.
4. In a fork, what leads outside is set aside, whoever gave it (`services/runtime/outside.py`).
"""

import difflib
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from services.engines.choosing import WrongPolicy
from services.runtime.encryption_settings import EncryptionSettings, contradictions
from services.runtime.engine_settings import EngineSettings
from services.runtime.listening_settings import ListeningSettings, unfit_address
from services.runtime.outside import set_aside
from services.runtime.setting_field import named as _named
from services.runtime.settings_file import ENV_FILE as _ENV_FILE
from services.runtime.settings_file import default_home, with_file
from services.runtime.webhook_settings import WebhookSettings
from services.workspace.fork import fork_of

_MASK = "******"
_NATS_PASSWORD = re.compile(r"APS_NATS_([A-Z]+)_PASSWORD")


class WrongSettings(Exception):  # noqa: N818 -- says what is wrong, as the glossary has it
    """Settings cannot be used; the message has one line for each wrong name."""


class Profile(StrEnum):
    """What the process is for: `production` must be given what it must not make up."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """The least important lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Autonomy(StrEnum):
    """The highest risk class that lands without a person; `full` is every class."""

    LOW = "low"
    MEDIUM = "medium"
    FULL = "full"


def _urls(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        for url in value.get_secret_value().split(","):
            scheme, _, rest = url.strip().partition("://")
            if scheme not in schemes or not rest:
                raise ValueError
        return value

    return AfterValidator(check)


def _program(path: Path) -> Path:
    if not (path.is_absolute() and path.is_file() and os.access(path, os.X_OK)):
        raise ValueError
    return path


class Settings(ListeningSettings, WebhookSettings, EncryptionSettings, EngineSettings):
    """All settings of a process. Make it with `load`."""

    model_config = ConfigDict(validate_by_name=True, hide_input_in_errors=True)

    home: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] = _named(
        "APS_HOME", "Data folder: servers' data, clones, reports, logs, keys", "a folder"
    )
    profile: Profile = _named(
        "APS_PROFILE",
        "What the process is for; production needs NATS_URL, DATABASE_URL and SECRET_KEY_BASE",
        "development, test or production",
        default=Profile.DEVELOPMENT,
    )
    nats_url: Annotated[SecretStr, _urls("nats", "tls", "ws", "wss")] | None = _named(
        "NATS_URL",
        "NATS to use instead of the embedded one",
        "nats:// or tls:// URLs, by comma",
        default=None,
    )
    nats_replicas: int = _named(
        "NATS_REPLICAS", "Copies of each stream in the cluster of NATS_URL", "1 to 5", default=1, ge=1, le=5
    )
    database_url: Annotated[SecretStr, _urls("postgresql", "postgres")] | None = _named(
        "DATABASE_URL", "PostgreSQL to use instead of the embedded one", "a postgresql:// URL", default=None
    )
    secret_key_base: Annotated[SecretStr, Field(min_length=32)] | None = _named(
        "SECRET_KEY_BASE", "Root of every signature and token", "at least 32 characters", default=None
    )
    log_level: LogLevel = _named(
        "APS_LOG_LEVEL",
        "Least important lines logged",
        "debug, info, warning or error",
        default=LogLevel.INFO,
    )
    autonomy: Autonomy = _named(
        "APS_AUTONOMY",
        "Highest risk class that lands without a person",
        "low, medium or full",
        default=Autonomy.MEDIUM,
    )
    suite_timeout_seconds: int = _named(
        "APS_SUITE_TIMEOUT_SECONDS",
        "Longest run of a target's test suite",
        "1 to 86400 seconds",
        default=600,
        ge=1,
        le=86400,
    )
    suite_memory_mib: int = _named(
        "APS_SUITE_MEMORY_MIB",
        "Most memory of a target's test suite",
        "64 MiB or more",
        default=4096,
        ge=64,
    )
    allow_unsandboxed: bool = _named(
        "APS_ALLOW_UNSANDBOXED",
        "Run targets' code even where no sandbox works",
        "true or false",
        default=False,
    )
    lease_seconds: int = _named(
        "APS_LEASE_SECONDS",
        "How long claimed work stays claimed without a sign of life",
        "5 to 3600 seconds",
        default=15,
        ge=5,
        le=3600,
    )
    escalate_hours: int = _named(
        "APS_ESCALATE_HOURS",
        "How long work may wait for a person, a budget, a claim or a pause before it is escalated",
        "1 to 8760 hours",
        default=24,
        ge=1,
        le=8760,
    )
    head_events: int = _named(
        "APS_HEAD_EVENTS",
        "Events after which the log's head is signed",
        "1 to 1000000",
        default=1000,
        ge=1,
        le=1_000_000,
    )
    head_seconds: int = _named(
        "APS_HEAD_SECONDS",
        "Seconds after which it is signed where there are fewer new events",
        "1 to 86400 seconds",
        default=60,
        ge=1,
        le=86400,
    )
    trusted_keys: Annotated[str, Field(pattern=r"^([0-9a-f]{64}(,[0-9a-f]{64})*)?$")] = _named(
        "APS_TRUSTED_KEYS",
        "Public keys of earlier signers, whose signed heads count besides this system's own",
        "what `aps events key` printed, by comma",
        default="",
    )
    health_command: str | None = _named(
        "APS_HEALTH_COMMAND",
        "Run in the target after a deployment; when it fails, the deployment is rolled back",
        "a command line",
        default=None,
    )
    health_timeout_seconds: int = _named(
        "APS_HEALTH_TIMEOUT_SECONDS",
        "Longest run of that command; what takes longer has failed",
        "1 to 3600 seconds",
        default=60,
        ge=1,
        le=3600,
    )
    claude_code_path: Annotated[Path, AfterValidator(_program)] | None = _named(
        "CLAUDE_CODE_PATH", "The Claude Code program", "the absolute path of a program", default=None
    )
    n8n_url: Annotated[str, Field(pattern=r"^https?://.+")] | None = _named(
        "N8N_URL", "The n8n that runs workflows", "an http:// or https:// URL", default=None
    )
    n8n_api_key: SecretStr | None = _named("N8N_API_KEY", "Key of that n8n's API", "any text", default=None)
    mcp_proxy_port: int = _named(
        "MCP_PROXY_PORT", "Port of the MCP proxy", "1 to 65535", default=4001, ge=1, le=65535
    )
    nats_passwords: dict[str, SecretStr] = {}

    @property
    def fork(self) -> str:
        """The name of the fork that the data folder is; empty for any other."""
        found = fork_of(self.home)
        return found.name if found else ""

    def secrets(self) -> tuple[str, ...]:
        """Return the value of every secret, for masking what is printed."""
        values = [*(getattr(self, field) for field in type(self).model_fields), *self.nats_passwords.values()]
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))


def load(environ: Mapping[str, str], profile: Profile | None = None) -> Settings:
    """Return the settings that `environ` and its settings file give; `profile` overrides APS_PROFILE.

    Raises WrongSettings naming everything that is wrong.
    """
    wrong: list[str] = []
    given = with_file({name: value for name, value in environ.items() if value}, wrong)
    given = _with_secret_files(given, wrong)
    if profile is not None:
        given["APS_PROFILE"] = profile
    given.setdefault("APS_HOME", str(default_home(environ)))
    wrong += [_unknown(name) for name in given if name.startswith("APS_") and not _is_known(name)]
    in_fork = set_aside(given, wrong)
    if given.get("APS_PROFILE") == Profile.PRODUCTION and not in_fork:
        required = ("NATS_URL", "DATABASE_URL", "SECRET_KEY_BASE")
        wrong += [
            f"{name} is not set: the production profile needs it" for name in required if name not in given
        ]
    wrong += [*contradictions(given), *unfit_address(given), *_copies_of_nothing(given)]
    settings = _validated(given, wrong)
    if wrong or settings is None:
        raise WrongSettings("\n".join(["wrong settings:", *(f"  {line}" for line in wrong)]))
    return settings


def _copies_of_nothing(given: Mapping[str, str]) -> list[str]:
    if "NATS_URL" in given or given.get("NATS_REPLICAS", "1") == "1":
        return []
    return ["NATS_REPLICAS is set without NATS_URL: the embedded NATS is one server"]


def _with_secret_files(given: dict[str, str], wrong: list[str]) -> dict[str, str]:
    """Replace each NAME_FILE of a secret by NAME with the content of the file."""
    settled = dict(given)
    for file_name in [name for name in given if name.endswith("_FILE") and _is_secret(name[: -len("_FILE")])]:
        name = file_name.removesuffix("_FILE")
        path = settled.pop(file_name)
        try:
            content = Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            wrong.append(f"{file_name}={path!r} cannot be read: {error}")
            continue
        if name in given:
            wrong.append(f"{name} and {file_name} are both set: give one of them")
        elif not content:
            wrong.append(f"{file_name}={path!r}: the file is empty")
        else:
            settled[name] = content
    return settled


def _validated(given: Mapping[str, str], wrong: list[str]) -> Settings | None:
    values = {name: value for name, value in given.items() if name in _fields()}
    passwords = {
        match[1].lower(): value for name, value in given.items() if (match := _NATS_PASSWORD.fullmatch(name))
    }
    try:
        return Settings.model_validate({**values, "nats_passwords": passwords})
    except ValidationError as error:
        # A value of a union is reported once for each member.
        for name, detail in {str(detail["loc"][0]): detail for detail in error.errors()}.items():
            shown = _MASK if _is_secret(name) else repr(values[name])
            wrong.append(f"{name}={shown}: {_because(detail)}give {_allowed(name)}")
        return None


def _because(detail: ErrorDetails) -> str:
    """Return which part of a policy is wrong; of other values what is allowed says enough."""
    error = detail.get("ctx", {}).get("error")
    return f"{error}; " if isinstance(error, WrongPolicy) else ""


def _unknown(name: str) -> str:
    if name.removesuffix("_FILE") in _fields():
        return f"{name} is not a setting: only secrets are read from files"
    near = difflib.get_close_matches(name, [*_fields(), _ENV_FILE], n=1, cutoff=0.8)
    return f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _is_known(name: str) -> bool:
    return name in _fields() or name == _ENV_FILE or _NATS_PASSWORD.fullmatch(name) is not None


def _is_secret(name: str) -> bool:
    if _NATS_PASSWORD.fullmatch(name):
        return True
    field = _fields().get(name)
    return field is not None and "SecretStr" in str(Settings.model_fields[field].annotation)


def _allowed(name: str) -> str:
    examples = Settings.model_fields[_fields()[name]].examples
    return str((examples or [""])[0])


def _fields() -> dict[str, str]:
    """Return the fields of Settings by their names outside, its own before those of encryption."""
    infos = sorted(Settings.model_fields.items(), key=lambda one: one[0] in EncryptionSettings.model_fields)
    return {str(info.validation_alias): field for field, info in infos if info.validation_alias}


def env_example() -> str:
    """Return the text of `.env.example`: every setting, commented out, at its default."""
    lines = [
        "# Settings of APS: from the environment, or from the file APS_ENV_FILE names (else APS_HOME/.env).",
        "# A secret may be given as NAME_FILE instead: the path of a file that holds it.",
        "# What is shown with a value has that by default. An empty value counts as unset.",
    ]
    for name, field in _fields().items():
        info = Settings.model_fields[field]
        secret = " Secret." if _is_secret(name) else ""
        lines += [
            "",
            f"# {info.description}. Give {_allowed(name)}.{secret}",
            f"# {name}={_shown(info.get_default())}",
        ]
    last = "# Password of a NATS user, with a NATS_URL of your own; likewise PM, DEVELOPER and so on. Secret."
    return "\n".join([*lines, "", last, "# APS_NATS_ADMIN_PASSWORD=", ""])


def _shown(default: object) -> str:
    match default:
        case bool():
            return str(default).lower()
        case int() | str() | Decimal():
            return str(default)
        case _:
            return ""
