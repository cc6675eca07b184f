"""What `compose.yaml` says agrees with the roles and the users there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from events.rights import ROLES, SERVICES, USERS

ROOT = Path(__file__).parents[2]
PASSWORD = re.compile(r"APS_NATS_([A-Z]+)_PASSWORD")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    return found


def passwords(service: dict[str, Any]) -> set[str]:
    return {match[1].lower() for name in service["environment"] if (match := PASSWORD.fullmatch(name))}


def test_every_role_is_a_service_that_runs_it(services: dict[str, Any]) -> None:
    run = {name: one["command"] for name, one in services.items() if name in SERVICES}
    assert run == {role: ["run", role] for role in SERVICES}


def test_a_service_gets_its_own_password_and_the_inspectors(services: dict[str, Any]) -> None:
    assert {role: passwords(services[role]) for role in SERVICES} == {r: {r, "inspector"} for r in SERVICES}
    assert passwords(services["setup"]) == {"admin", "inspector"}
    assert passwords(services["aps"]) == {"cli", "inspector"}


def test_the_server_knows_every_user(services: dict[str, Any]) -> None:
    assert passwords(services["nats"]) == set(USERS)


def test_no_secret_stands_in_the_file(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service["environment"].items():
            if "PASSWORD" in name or name == "SECRET_KEY_BASE":
                assert re.fullmatch(r"\$\{\w+:\?\}", value)


def test_whoever_sandboxes_foreign_code_may_make_namespaces(services: dict[str, Any]) -> None:
    allowed = {name for name, one in services.items() if "seccomp=unconfined" in one.get("security_opt", ())}
    assert allowed == {*ROLES, "aps"}
