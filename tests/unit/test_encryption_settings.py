"""What is set about certificates and secrets must go together, and is refused by name."""

from pathlib import Path

import pytest

from services.runtime.settings import WrongSettings, load

SECRET = "s" * 32


def refused(home: Path, **names: str) -> str:
    with pytest.raises(WrongSettings) as wrong:
        load({"APS_HOME": str(home), **names})
    return str(wrong.value)


@pytest.fixture
def pem(tmp_path: Path) -> str:
    file = tmp_path / "some.pem"
    file.write_text("a certificate")
    return str(file)


def test_files_of_certificates_are_read_by_their_path(tmp_path: Path, pem: str) -> None:
    names = {
        "NATS_TLS_CA": pem,
        "DATABASE_TLS_CERT": pem,
        "DATABASE_TLS_KEY": pem,
        "NATS_TLS_NAME": "nats.internal",
    }
    settings = load({"APS_HOME": str(tmp_path), **names})
    assert (settings.nats_tls_ca, settings.database_tls_key) == (Path(pem), Path(pem))
    assert settings.nats_tls_name == "nats.internal"


@pytest.mark.parametrize("given", ["missing.pem", "/nowhere/at/all.pem"])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, given: str) -> None:
    assert f"NATS_TLS_CA='{given}': give the absolute path" in refused(tmp_path, NATS_TLS_CA=given)


@pytest.mark.parametrize("server", ["NATS", "DATABASE"])
@pytest.mark.parametrize("part", ["CERT", "KEY"])
def test_half_a_pair_is_refused(tmp_path: Path, pem: str, server: str, part: str) -> None:
    name = f"{server}_TLS_{part}"
    assert f"{name} is set alone: give {server}_TLS_CERT and" in refused(tmp_path, **{name: pem})


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_a_database_that_need_not_prove_itself_goes_with_no_certificate(
    tmp_path: Path, pem: str, mode: str
) -> None:
    url = f"postgresql://u:p@db/aps?sslmode={mode}"
    assert f"sslmode={mode}" in refused(tmp_path, DATABASE_URL=url, DATABASE_TLS_CA=pem)


def test_a_plain_web_socket_goes_with_no_certificate(tmp_path: Path, pem: str) -> None:
    assert "wss://" in refused(tmp_path, NATS_URL="ws://a:80", NATS_TLS_CA=pem)


def test_the_secret_before_is_another_one_and_is_masked(tmp_path: Path) -> None:
    told = refused(tmp_path, SECRET_KEY_BASE=SECRET, SECRET_KEY_BASE_OLD=SECRET)
    assert "SECRET_KEY_BASE_OLD is SECRET_KEY_BASE itself" in told
    assert "too-short" not in refused(tmp_path, SECRET_KEY_BASE_OLD="too-short")


def test_the_secret_before_may_lie_in_a_file_and_counts_as_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "former"
    file.write_text("o" * 40 + "\n")
    settings = load(
        {"APS_HOME": str(tmp_path), "SECRET_KEY_BASE": SECRET, "SECRET_KEY_BASE_OLD_FILE": str(file)}
    )
    assert set(settings.secrets()) == {SECRET, "o" * 40}
    assert SECRET not in repr(settings)
