"""A data folder with the marker of a fork reaches nothing outside."""

from dataclasses import replace
from pathlib import Path

import pytest

from events.envelope import Cause
from services.cycle.requesting import locate
from services.runtime.ground import NotReady, stand
from services.runtime.log import in_fork
from services.runtime.settings import WrongSettings, load
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from services.workspace.fork import MARKER, Fork, UnreadableMarker, copy_of, fork_of
from services.workspace.target import TargetProblem
from tests.acceptance.targets import repository

FORK = Fork("try", 12, "a" * 64, "2026-01-02T03:04:05+00:00", "/data", "2026-01-03T00:00:00+00:00", True)
OUTSIDE = {
    "NATS_URL": "nats://prod:4222",
    "DATABASE_URL": "postgresql://prod/aps",
    "APS_NATS_CLI_PASSWORD": "secret",
    "APS_HEALTH_COMMAND": "touch /tmp/seen",
    "N8N_URL": "https://n8n.example",
    "N8N_API_KEY": "secret",
    "GITHUB_WEBHOOK_SECRET": "secret",
    "N8N_WEBHOOK_SECRET": "a secret of n8n's",
    "APS_WEBHOOK_SECRET_OLD": "a secret of others",
}


def marked(root: Path, fork: Fork = FORK) -> Path:
    root.mkdir(exist_ok=True)
    (root / MARKER).write_text(fork.text())
    return root


def test_the_marker_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert fork_of(tmp_path) is None
    assert fork_of(marked(tmp_path)) == FORK


@pytest.mark.parametrize("content", ["", "[]", '{"name": "x"}'])
def test_a_marker_that_cannot_be_read_stops_everything(tmp_path: Path, content: str) -> None:
    (tmp_path / MARKER).write_text(content)
    with pytest.raises(UnreadableMarker):
        fork_of(tmp_path)
    with pytest.raises(UnreadableMarker):
        Workspace(tmp_path).path("/src/project")
    with pytest.raises(WrongSettings, match="does not say which fork"):
        load({"APS_HOME": str(tmp_path)})


def test_a_marker_that_is_no_file_stops_everything(tmp_path: Path) -> None:
    (tmp_path / MARKER).mkdir()
    with pytest.raises(UnreadableMarker):
        fork_of(tmp_path)


def test_what_leads_outside_is_set_aside_whoever_gave_it(tmp_path: Path) -> None:
    home = marked(tmp_path)
    (home / ".env").write_text("DATABASE_URL=postgresql://file/aps\n")
    settings = load({"APS_HOME": str(home), "APS_AUTONOMY": "full", **OUTSIDE})
    assert (settings.fork, settings.autonomy) == ("try", "full")
    shut = ("nats_url", "database_url", "health_command", "n8n_url", "n8n_api_key", "github_webhook_secret")
    shut += ("n8n_webhook_secret", "system_webhook_secret_old")
    assert [getattr(settings, name) for name in shut] == [None] * len(shut)
    assert settings.nats_passwords == {}


def test_the_same_settings_count_where_there_is_no_marker(tmp_path: Path) -> None:
    settings = load({"APS_HOME": str(tmp_path), **OUTSIDE})
    assert (settings.fork, settings.health_command) == ("", "touch /tmp/seen")
    assert settings.nats_url is not None


def test_a_fork_in_production_needs_no_servers(tmp_path: Path) -> None:
    settings = load({"APS_HOME": str(marked(tmp_path)), "APS_PROFILE": "production"})
    assert settings.profile == "production"


@pytest.mark.parametrize("recorded", ["/src/project", "sources/toolz-1.2.0"])
def test_every_recorded_path_leads_to_a_place_below_the_fork(tmp_path: Path, recorded: str) -> None:
    found = Workspace(marked(tmp_path)).path(recorded)
    assert found.is_relative_to(tmp_path)
    assert found.name == Path(recorded).name


@pytest.mark.parametrize("recorded", ["/src/../../etc", "../outside", "/", ""])
def test_no_recorded_path_leads_out_of_it(tmp_path: Path, recorded: str) -> None:
    with pytest.raises(ValueError, match="leads out of the fork"):
        Workspace(marked(tmp_path)).path(recorded)


async def test_a_repository_outside_is_no_target_of_a_fork(tmp_path: Path) -> None:
    (tmp_path / "project" / ".git").mkdir(parents=True)
    home = marked(tmp_path / "home")
    with pytest.raises(TargetProblem, match="has no copy in this fork"):
        await locate(str(tmp_path / "project"), Workspace(home), Unsandboxed())


@pytest.mark.parametrize("recorded", ["{origin}/project", "sources/toolz-1.2.0"])
async def test_a_target_of_a_fork_is_known_by_its_id_its_path_and_that_of_its_copy(
    tmp_path: Path, recorded: str
) -> None:
    origin, home = tmp_path / "origin", tmp_path / "home"
    recorded = recorded.format(origin=origin)
    marked(home, replace(FORK, origin=str(origin), targets={"known-1": recorded}))
    copy = repository(copy_of(home, recorded))
    (copy / "inner").mkdir()
    for named in ("known-1", str(origin / recorded), str(copy), str(copy / "inner")):
        place = await locate(named, Workspace(home), Unsandboxed())
        assert (place.id, place.recorded, place.root) == ("known-1", recorded, copy)
    with pytest.raises(TargetProblem, match="are: known-1"):
        await locate(str(tmp_path / "other"), Workspace(home), Unsandboxed())


async def test_a_fork_that_was_never_finished_is_not_worked_in(tmp_path: Path) -> None:
    unfinished = Fork(**{**FORK.__dict__, "finished": False})
    settings = load({"APS_HOME": str(marked(tmp_path, unfinished))})
    with pytest.raises(NotReady, match="never finished"):
        async with stand(settings):
            pytest.fail("it was stood on")


def test_what_is_recorded_in_a_fork_says_so_in_its_source() -> None:
    cause = Cause(actor="pm@host-1", source="aps/pm", correlation="c")
    assert in_fork(cause, "try").source == "aps/fork/try/pm"
    assert in_fork(cause, "") is cause
