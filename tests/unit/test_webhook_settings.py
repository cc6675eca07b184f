"""What signs deliveries: long enough, in the form its standard has, and never told."""

from pathlib import Path

import pytest

from services.runtime.settings import WrongSettings, load
from services.runtime.webhook_settings import key_of


@pytest.mark.parametrize("name", ["N8N_WEBHOOK_SECRET", "APS_WEBHOOK_SECRET", "APS_WEBHOOK_SECRET_OLD"])
@pytest.mark.parametrize("weak", ["short", "whsec_c2hvcnQ="])
def test_a_short_secret_is_refused_and_not_told(tmp_path: Path, name: str, weak: str) -> None:
    if name.startswith("N8N") and len(weak) > 5:
        weak = weak[:15]
    with pytest.raises(WrongSettings) as wrong:
        load({"APS_HOME": str(tmp_path), name: weak})
    assert "at least 16 characters" in str(wrong.value)
    assert weak not in str(wrong.value)


def test_a_secret_that_claims_to_be_base64_must_be(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match="whsec_ and base64"):
        load({"APS_HOME": str(tmp_path), "APS_WEBHOOK_SECRET": "whsec_!!!! no base64 at all !!!!"})


def test_a_standard_secret_stands_for_the_bytes_it_encodes() -> None:
    assert key_of("whsec_MDEyMzQ1Njc4OWFiY2RlZg==") == b"0123456789abcdef"
    assert key_of("a long enough text") == b"a long enough text"


def test_every_secret_is_known_for_masking(tmp_path: Path) -> None:
    given = {
        f"{source}_WEBHOOK_SECRET{former}": f"the secret of {source}{former}"
        for source in ("GITHUB", "N8N", "APS")
        for former in ("", "_OLD")
    }
    settings = load({"APS_HOME": str(tmp_path), **given})
    assert set(given.values()) <= set(settings.secrets())
    assert not any(value in repr(settings) for value in given.values())
