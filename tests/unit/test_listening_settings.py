"""Where the gateway listens: beyond this machine only encrypted, or by an explicit word."""

from pathlib import Path

import pytest

from services.gateway.certificates import certificate
from services.gateway.listening import NoSuchAddress, port_to_use, url_of
from services.runtime.settings import Settings, WrongSettings, load
from services.runtime.tls import UnusableCertificate
from tests.certificates import Authority, Pair

EVERY = "0.0.0.0"  # noqa: S104 -- nothing is bound


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Authority(tmp_path_factory.mktemp("signed") / "a", "aps test").signed("gateway", "127.0.0.1")


def given(tmp_path: Path, **settings: object) -> Settings:
    return load({"APS_HOME": str(tmp_path), **{name: str(value) for name, value in settings.items()}})


def test_it_listens_on_this_machine_alone_where_nothing_else_is_said(tmp_path: Path) -> None:
    settings = given(tmp_path, APS_PORT=4100)
    assert (settings.host, url_of(settings)) == ("127.0.0.1", "http://127.0.0.1:4100")
    assert certificate(settings) is None


@pytest.mark.parametrize("host", [EVERY, "::", "10.1.2.3", "2001:db8::1"])
def test_it_refuses_to_be_reached_from_elsewhere_in_the_open(tmp_path: Path, host: str) -> None:
    with pytest.raises(WrongSettings) as refused:
        given(tmp_path, APS_HOST=host)
    told = str(refused.value)
    assert all(word in told for word in (host, "APS_TLS_CERT", "APS_TLS_KEY", "APS_ALLOW_PLAIN_HTTP=true"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_what_only_this_machine_reaches_needs_no_certificate(tmp_path: Path, host: str) -> None:
    assert given(tmp_path, APS_HOST=host).host == host


def test_an_explicit_word_or_a_certificate_lets_it_be_reached_from_elsewhere(
    tmp_path: Path, pair: Pair
) -> None:
    assert given(tmp_path, APS_HOST=EVERY, APS_ALLOW_PLAIN_HTTP="true").host == EVERY
    encrypted = given(tmp_path, APS_HOST="::", APS_TLS_CERT=pair.cert, APS_TLS_KEY=pair.key, APS_PORT=1)
    assert url_of(encrypted) == "https://[::1]:1"
    with pytest.raises(WrongSettings, match="APS_ALLOW_PLAIN_HTTP=true"):
        given(tmp_path, APS_HOST=EVERY, APS_ALLOW_PLAIN_HTTP="false")


def test_half_a_pair_is_refused(tmp_path: Path, pair: Pair) -> None:
    with pytest.raises(WrongSettings, match="APS_TLS_CERT is set alone"):
        given(tmp_path, APS_TLS_CERT=pair.cert)
    with pytest.raises(WrongSettings, match="APS_TLS_KEY='/nowhere'"):
        given(tmp_path, APS_TLS_CERT=pair.cert, APS_TLS_KEY="/nowhere")


def test_what_is_no_address_is_refused_and_told_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"APS_HOST='example\.org': give an IP address"):
        given(tmp_path, APS_HOST="example.org")


def test_a_certificate_that_is_none_is_refused_by_the_names_of_its_settings(
    tmp_path: Path, pair: Pair
) -> None:
    with pytest.raises(UnusableCertificate, match=r"APS_TLS_CERT=.* APS_TLS_KEY=.*PEM"):
        certificate(given(tmp_path, APS_TLS_CERT=pair.key, APS_TLS_KEY=pair.cert))


def test_an_address_that_this_machine_has_not_says_what_to_give(tmp_path: Path) -> None:
    word = {"APS_ALLOW_PLAIN_HTTP": "true"}
    with pytest.raises(NoSuchAddress, match=r"APS_HOST=192\.0\.2\.1"):
        port_to_use(given(tmp_path, APS_HOST="192.0.2.1", **word))
