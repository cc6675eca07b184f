"""What opens an API: a key that is billed by use, or a subscription's token."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from pydantic import SecretStr

from schemas.engine import Billing

SHORTEST = 8  # characters; less could not be told from ordinary text when it is to be masked
OAUTH = "oauth-2025-04-20"  # the beta that a bearer token needs


class Kind(StrEnum):
    """How a credential is sent."""

    KEY = "key"
    TOKEN = "token"  # noqa: S105 -- a word, not one


@dataclass(frozen=True)
class Credential:
    """A key or token. Raises ValueError for one too short to be masked, or that no header can carry."""

    kind: Kind
    secret: SecretStr

    def __post_init__(self) -> None:
        """Refuse what could not be sent or hidden."""
        value = self.secret.get_secret_value()
        if len(value) < SHORTEST:
            raise ValueError(f"the {self.kind} is shorter than {SHORTEST} characters")
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ValueError(f"the {self.kind} holds characters that no header can carry")

    @property
    def billing(self) -> Billing:
        """Who pays for what it opens."""
        return Billing.SUBSCRIPTION if self.kind is Kind.TOKEN else Billing.PRICE

    def sign(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return `headers` (names in lower case) opened by this credential and by no other."""
        value = self.secret.get_secret_value()
        plain = {name: text for name, text in headers.items() if name not in {"x-api-key", "authorization"}}
        match self.kind:
            case Kind.KEY:
                return {**plain, "x-api-key": value}
            case Kind.TOKEN:
                betas = [beta.strip() for beta in plain.get("anthropic-beta", "").split(",") if beta.strip()]
                named = betas if OAUTH in betas else [*betas, OAUTH]
                return {**plain, "authorization": f"Bearer {value}", "anthropic-beta": ",".join(named)}
            case _:
                assert_never(self.kind)
