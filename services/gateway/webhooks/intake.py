"""What the web hooks of one gateway work with: the secrets, the bodies, the log, the refusals."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from schemas.delivery import Source
from services.gateway.webhooks.bodies import KIB, Bodies
from services.gateway.webhooks.refusals import Refusals
from services.runtime.log import Log
from services.runtime.settings import Settings
from services.runtime.webhook_settings import key_of


@dataclass(frozen=True)
class Intake:
    """`secrets` of each web hook, the present one first, none where it is not set up. Run `refusals`."""

    secrets: Mapping[Source, tuple[bytes, ...]]
    bodies: Bodies
    refusals: Refusals


def intake(settings: Settings, book: Log) -> Intake:
    """Return what the settings give."""
    github = (settings.github_webhook_secret, settings.github_webhook_secret_old)
    n8n = (settings.n8n_webhook_secret, settings.n8n_webhook_secret_old)
    system = (settings.system_webhook_secret, settings.system_webhook_secret_old)
    secrets = {
        Source.GITHUB: tuple(text.encode() for text in _texts(github)),
        Source.N8N: tuple(text.encode() for text in _texts(n8n)),
        Source.SYSTEM: tuple(key_of(text) for text in _texts(system)),
    }
    return Intake(secrets, Bodies(settings.webhook_kib * KIB), Refusals(book))


def _texts(given: tuple[SecretStr | None, SecretStr | None]) -> tuple[str, ...]:
    return tuple(one.get_secret_value() for one in given if one is not None)
