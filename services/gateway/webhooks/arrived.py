"""What was delivered, read as far as storing it needs: its id, what happened, and which repository it names.

Rules
1. Only what was found to be signed is read.
2. A body that is no JSON object is refused, so that what is stored can be read by who understands it.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import ValidationError

from events.subjects import TOKEN
from schemas.delivery import Source
from schemas.webhook import Said, SystemEvent
from services.gateway.metering.custom import Measurement

WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")
WORKFLOW = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,99}")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
GITHUB = "github.com"


class Unfit(Exception):  # noqa: N818 -- what was found
    """It is signed, and no delivery all the same. `errors` name what does not fit."""

    def __init__(self, why: str, errors: tuple[str, ...] = ()) -> None:
        """`why` is one of few sentences; `errors` may repeat what was sent."""
        super().__init__(why)
        self.errors = errors


class NoJson(Unfit):
    """The body cannot be read at all."""


@dataclass(frozen=True)
class Arrived:
    """A delivery: `key` is the id its sender gave, `event` the sender's word for what happened.

    `metric` is what it measured, if that is what it says.
    """

    source: Source
    key: str
    event: str
    about: str
    body: bytes
    former_secret: bool
    metric: Measurement | None = None

    @property
    def id(self) -> str:
        """The id of its aggregate, the same however often it is delivered."""
        id = f"{self.source}-{self.key}"
        if TOKEN.fullmatch(id):
            return id
        return f"{self.source}-{hashlib.sha256(self.key.encode()).hexdigest()[:32]}"

    @property
    def body_sha256(self) -> str:
        """The digest of what was sent."""
        return hashlib.sha256(self.body).hexdigest()


def from_github(headers: Mapping[str, str], body: bytes, *, former: bool) -> Arrived:
    """Read a delivery of GitHub's. Raises `Unfit`."""
    key, event = headers.get("X-GitHub-Delivery", ""), headers.get("X-GitHub-Event", "")
    if not WORD.fullmatch(key) or not WORD.fullmatch(event):
        raise Unfit("its headers X-GitHub-Delivery and X-GitHub-Event do not say what it is")
    return Arrived(Source.GITHUB, key, event, repository(_object(body)), body, former)


def from_n8n(workflow: str, body: bytes, *, former: bool) -> Arrived:
    """Read what a workflow of n8n's sends. Raises `Unfit`."""
    if not WORKFLOW.fullmatch(workflow):
        raise Unfit("the workflow's id holds other than letters, digits and _ . : -, or begins with a dot")
    said = _fitting(Said, _object(body))
    metric = None if said.metric is None else _fitting(Measurement, said.metric)
    return Arrived(Source.N8N, said.id, workflow, "", body, former, metric)


def from_system(headers: Mapping[str, str], body: bytes, *, former: bool) -> Arrived:
    """Read a message by Standard Webhooks. Raises `Unfit`."""
    event = _fitting(SystemEvent, _object(body))
    return Arrived(Source.SYSTEM, headers["webhook-id"][:300], event.type, "", body, former)


def repository(payload: Mapping[str, Any]) -> str:
    """Return the repository that a payload is about as `host/owner/name`, in lower case; empty for none."""
    found = payload.get("repository")
    name = found.get("full_name") if isinstance(found, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return ""
    address = found.get("html_url") if isinstance(found, dict) else ""
    try:
        host = urlsplit(address).hostname if isinstance(address, str) else None
    except ValueError:  # no address at all
        host = None
    return f"{host or GITHUB}/{name}".lower()


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as broken:
        raise NoJson("its body is no JSON", (str(broken)[:300],)) from broken
    if not isinstance(found, dict):
        raise Unfit("its body is no JSON object")
    return found


def _fitting(model: type[Any], given: dict[str, Any]) -> Any:
    try:
        return model.model_validate_json(orjson.dumps(given))
    except ValidationError as wrong:
        errors = [
            f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}"[:300] for one in wrong.errors()
        ]
        raise Unfit("what it says does not fit", tuple(errors[:20])) from wrong
