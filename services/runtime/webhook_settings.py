"""The settings of web hooks: what signs deliveries, how large they may be, what asks for work.

Each secret has one before it, so that a sender can be given another without losing a delivery: deliveries
signed with either are taken until the former one is unset.
"""

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from schemas.base import Frozen
from services.runtime.setting_field import named

SHORTEST = 16
Secret = Annotated[SecretStr, Field(min_length=SHORTEST)]
PREFIX = "whsec_"
LONG = f"at least {SHORTEST} characters"
STANDARD = f"{PREFIX} and base64, or {LONG}"


def key_of(secret: str) -> bytes:
    """Return the key that a secret in the form of Standard Webhooks stands for; ValueError for no base64."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as broken:
        raise ValueError(f"what follows {PREFIX} is no base64") from broken


def _standard(secret: SecretStr) -> SecretStr:
    if len(key_of(secret.get_secret_value())) < SHORTEST:
        raise ValueError
    return secret


StandardSecret = Annotated[SecretStr, AfterValidator(_standard)]


class WebhookSettings(Frozen):
    """What `Settings` holds of web hooks."""

    github_webhook_secret: SecretStr | None = named(
        "GITHUB_WEBHOOK_SECRET", "Secret that signs GitHub's deliveries", "any text", default=None
    )
    github_webhook_secret_old: SecretStr | None = named(
        "GITHUB_WEBHOOK_SECRET_OLD", "The one before, while GitHub may still use it", "any text", default=None
    )
    n8n_webhook_secret: Secret | None = named(
        "N8N_WEBHOOK_SECRET", "Secret that signs what n8n's workflows deliver", LONG, default=None
    )
    n8n_webhook_secret_old: Secret | None = named(
        "N8N_WEBHOOK_SECRET_OLD", "The one before, while workflows may still use it", LONG, default=None
    )
    system_webhook_secret: StandardSecret | None = named(
        "APS_WEBHOOK_SECRET", "Secret that signs what other systems deliver", STANDARD, default=None
    )
    system_webhook_secret_old: StandardSecret | None = named(
        "APS_WEBHOOK_SECRET_OLD", "The one before, while they may still use it", STANDARD, default=None
    )
    webhook_label: Annotated[str, Field(min_length=1, max_length=50)] = named(
        "APS_WEBHOOK_LABEL", "Label that makes a GitHub issue a request", "a label", default="aps"
    )
    webhook_kib: int = named(
        "APS_WEBHOOK_KIB",
        "Largest delivery taken, in KiB; GitHub sends 25600 at most",
        "64 to 25600",
        default=5120,
        ge=64,
        le=25600,
    )
