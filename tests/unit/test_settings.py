"""Settings are read from names people set, and everything wrong is told at once."""

from pathlib import Path

import pytest

from services.runtime.settings import Autonomy, LogLevel, Profile, Settings, WrongSettings, env_example, load

KEY = "k" * 32
ROOT = Path(__file__).parents[2]


def given(tmp_path: Path, **names: str) -> dict[str, str]:
    return {"APS_HOME": str(tmp_path), **names}


def refusal(environ: dict[str, str], profile: Profile | None = None) -> list[str]:
    with pytest.raises(WrongSettings) as refused:
        load(environ, profile)
    return str(refused.value).splitlines()[1:]


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    settings = load({"XDG_DATA_HOME": str(tmp_path)})
    assert settings.home == tmp_path / "aps"
    assert (settings.profile, settings.port, settings.autonomy) == (
        Profile.DEVELOPMENT,
        4000,
        Autonomy.MEDIUM,
    )
    assert (settings.log_level, settings.nats_url, settings.allow_unsandboxed) == (LogLevel.INFO, None, False)


def test_every_name_is_read(tmp_path: Path) -> None:
    program = tmp_path / "claude"
    program.touch(mode=0o755)
    settings = load(
        given(
            tmp_path,
            DATABASE_URL="postgresql://u:p@db/aps",
            NATS_URL="nats://a:4222,tls://b:4222",
            NATS_REPLICAS="3",
            SECRET_KEY_BASE=KEY,
            N8N_API_KEY="n8n-key",
            N8N_URL="https://n8n.example",
            CLAUDE_CODE_PATH=str(program),
            MCP_PROXY_PORT="4444",
            GITHUB_WEBHOOK_SECRET="hook",
            APS_PROFILE="test",
            APS_PORT="0",
            APS_LOG_LEVEL="debug",
            APS_AUTONOMY="full",
            APS_SUITE_TIMEOUT_SECONDS="5",
            APS_SUITE_MEMORY_MIB="512",
            APS_ALLOW_UNSANDBOXED="true",
            APS_LEASE_SECONDS="30",
            APS_HEALTH_COMMAND="make health",
            APS_NATS_PM_PASSWORD="pm-password",
        )
    )
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://u:p@db/aps"
    assert (settings.claude_code_path, settings.mcp_proxy_port) == (program, 4444)
    assert (settings.suite_timeout_seconds, settings.suite_memory_mib, settings.lease_seconds) == (5, 512, 30)
    assert settings.nats_replicas == 3
    assert settings.nats_passwords["pm"].get_secret_value() == "pm-password"
    assert set(settings.secrets()) == {
        "postgresql://u:p@db/aps", "nats://a:4222,tls://b:4222", KEY, "n8n-key", "hook", "pm-password",
    }  # fmt: skip


def test_an_empty_value_counts_as_unset(tmp_path: Path) -> None:
    assert load(given(tmp_path, NATS_URL="", APS_PORT="")).port == 4000


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(given(tmp_path)).port = 1  # type: ignore[misc]  # assigning is what is refused


def test_no_secret_is_printed(tmp_path: Path) -> None:
    settings = load(given(tmp_path, SECRET_KEY_BASE=KEY, DATABASE_URL="postgresql://u:hidden@db/aps"))
    assert KEY not in repr(settings)
    assert "hidden" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("APS_PORT", "no", "APS_PORT='no': give 0 (any) to 65535"),
        ("APS_PORT", "65536", "APS_PORT='65536': give 0 (any) to 65535"),
        ("APS_PROFILE", "live", "APS_PROFILE='live': give development, test or production"),
        ("APS_LOG_LEVEL", "loud", "APS_LOG_LEVEL='loud': give debug, info, warning or error"),
        ("APS_AUTONOMY", "high", "APS_AUTONOMY='high': give low, medium or full"),
        ("APS_ALLOW_UNSANDBOXED", "maybe", "APS_ALLOW_UNSANDBOXED='maybe': give true or false"),
        ("APS_LEASE_SECONDS", "1", "APS_LEASE_SECONDS='1': give 5 to 3600 seconds"),
        (
            "APS_ENGINES",
            "openai",
            "APS_ENGINES='openai': there is no engine 'openai'; there are: claude_code, openai_compatible;"
            " give such as claude_code,openai_compatible,developer=claude_code:opus",
        ),
        ("N8N_URL", "n8n.example", "N8N_URL='n8n.example': give an http:// or https:// URL"),
        ("CLAUDE_CODE_PATH", "/none", "CLAUDE_CODE_PATH='/none': give the absolute path of a program"),
        ("DATABASE_URL", "mysql://u:secret@db", "DATABASE_URL=******: give a postgresql:// URL"),
        ("NATS_URL", "http://nats", "NATS_URL=******: give nats:// or tls:// URLs, by comma"),
        ("SECRET_KEY_BASE", "short", "SECRET_KEY_BASE=******: give at least 32 characters"),
        ("NATS_REPLICAS", "3", "NATS_REPLICAS is set without NATS_URL: the embedded NATS is one server"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    tmp_path: Path, name: str, value: str, line: str
) -> None:
    assert refusal(given(tmp_path, **{name: value})) == [f"  {line}"]


def test_all_wrong_values_are_named_at_once(tmp_path: Path) -> None:
    lines = refusal(given(tmp_path, APS_PORT="x", APS_LEASE_SECONDS="y", APS_COLOUR="z", SECRET_KEY_BASE="s"))
    assert [line.split("=")[0].split()[0] for line in lines] == [
        "APS_COLOUR", "APS_PORT", "SECRET_KEY_BASE", "APS_LEASE_SECONDS",
    ]  # fmt: skip


def test_an_unknown_name_of_ours_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    assert refusal(given(tmp_path, APS_LEASE_SECOND="9")) == [
        "  APS_LEASE_SECOND is not a setting; did you mean APS_LEASE_SECONDS?"
    ]


def test_a_name_of_somebody_else_is_no_concern_of_ours(tmp_path: Path) -> None:
    assert load(given(tmp_path, PATH="/usr/bin", LEASE="x")).port == 4000


def test_production_must_be_given_its_servers_and_its_key(tmp_path: Path) -> None:
    assert refusal(given(tmp_path), Profile.PRODUCTION) == [
        f"  {name} is not set: the production profile needs it"
        for name in ("NATS_URL", "DATABASE_URL", "SECRET_KEY_BASE")
    ]
    servers = {"NATS_URL": "nats://n:4222", "DATABASE_URL": "postgresql://d/aps", "SECRET_KEY_BASE": KEY}
    assert load(given(tmp_path, **servers), Profile.PRODUCTION).profile is Profile.PRODUCTION


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "pm").write_text("from-file")
    settings = load(
        given(
            tmp_path,
            SECRET_KEY_BASE_FILE=str(tmp_path / "key"),
            APS_NATS_PM_PASSWORD_FILE=str(tmp_path / "pm"),
        )
    )
    assert set(settings.secrets()) == {KEY, "from-file"}


def test_a_secret_given_twice_or_by_an_unusable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "empty").write_text("\n")
    lines = refusal(
        given(
            tmp_path,
            SECRET_KEY_BASE=KEY,
            SECRET_KEY_BASE_FILE=str(tmp_path / "key"),
            N8N_API_KEY_FILE=str(tmp_path / "none"),
            GITHUB_WEBHOOK_SECRET_FILE=str(tmp_path / "empty"),
        )
    )
    assert lines[0] == "  SECRET_KEY_BASE and SECRET_KEY_BASE_FILE are both set: give one of them"
    assert lines[1].startswith(f"  N8N_API_KEY_FILE='{tmp_path}/none' cannot be read: ")
    assert lines[2] == f"  GITHUB_WEBHOOK_SECRET_FILE='{tmp_path}/empty': the file is empty"


def test_only_secrets_come_from_files(tmp_path: Path) -> None:
    assert refusal(given(tmp_path, APS_PORT_FILE="port")) == [
        "  APS_PORT_FILE is not a setting: only secrets are read from files"
    ]


def test_the_file_of_the_data_folder_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APS_PORT=5000\nAPS_LOG_LEVEL=error\n")
    settings = load(given(tmp_path, APS_PORT="6000"))
    assert (settings.port, settings.log_level) == (6000, LogLevel.ERROR)


def test_a_settings_file_may_be_named_and_must_then_be_there(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("APS_PORT=5000\nAPS_COLOUR=blue\n")
    assert "APS_COLOUR is not a setting" in refusal(given(tmp_path, APS_ENV_FILE=str(tmp_path / "mine")))[0]
    assert refusal(given(tmp_path, APS_ENV_FILE="none")) == ["  APS_ENV_FILE='none': there is no such file"]


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# fine\nAPS_PORT=5000\n=7\n")
    assert refusal(given(tmp_path)) == [f"  {tmp_path / '.env'}, line 3: give NAME=value"]


def test_a_settings_file_in_the_current_folder_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("APS_PORT=5000\n")
    monkeypatch.chdir(tmp_path)
    assert load({"APS_HOME": str(tmp_path / "home")}).port == 4000


def test_the_example_file_shows_every_default_that_there_is() -> None:
    shown = dict(line[2:].split("=", 1) for line in env_example().splitlines() if "=" in line)
    empty = {name for name, value in shown.items() if not value} - {"APS_HOME", "APS_NATS_ADMIN_PASSWORD"}
    fields = {str(info.validation_alias): info.get_default() for info in Settings.model_fields.values()}
    assert {name: fields[name] for name in empty if fields[name]} == {}
    assert (ROOT / ".env.example").read_text() == env_example(), "write it anew, as CONTRIBUTING.md says"
    assert (shown["APS_BUDGET_DAY"], shown["APS_BUDGET_ENGINE"]) == ("20", "200")


def test_the_example_file_gives_the_defaults_once_uncommented(tmp_path: Path) -> None:
    settings = [line[2:] for line in env_example().splitlines() if line.startswith("# ") and "=" in line]
    names = [line.partition("=")[0] for line in settings if line.partition("=")[0].isupper()]
    assert len(names) == len(Settings.model_fields)
    (tmp_path / "uncommented").write_text("\n".join(line for line in settings if line.split("=")[0] in names))
    assert load(given(tmp_path, APS_ENV_FILE=str(tmp_path / "uncommented"))) == load(given(tmp_path))
