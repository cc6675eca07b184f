"""The engines that are set up, and a role's way to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from events.subjects import run_progress
from schemas.engine import Billing
from schemas.run_progress import RunProgress
from services.asking.asker import Asker
from services.asking.consulting import Consultant
from services.asking.limits import Limit, Limits
from services.asking.manner import Manner
from services.engines.choosing import Wanted, policy_of
from services.engines.claude_code.engine import ClaudeCode
from services.engines.claude_code.engine import Settings as ClaudeCodeSettings
from services.engines.confined.credential import Credential, Kind
from services.engines.openai_compatible.endpoint import Endpoint
from services.engines.openai_compatible.engine import NAME as OPENAI_COMPATIBLE
from services.engines.openai_compatible.engine import OpenAICompatible
from services.engines.openai_compatible.pricing import Price, Prices
from services.engines.port import Bounds, Engine
from services.masking.mask import masked
from services.masking.needles import SHORTEST
from services.runtime.data_folder import DataFolder
from services.runtime.settings import Settings
from services.runtime.workbench import Publish, Workbench
from services.sandbox.port import Sandbox

MICROS = 1_000_000


@dataclass(frozen=True)
class Team:
    """Engines by name, which of them is asked for what, and whose calls have no price of their own."""

    engines: Mapping[str, Engine]
    policy: Sequence[Wanted]
    unpriced: frozenset[str] = frozenset()


def consultant_of(bench: Workbench, role: str) -> Consultant | None:
    """Return a role's way to the engines; None where none is set up."""
    settings = bench.settings
    engines = engines_of(settings, bench.sandbox)
    if not engines:
        return None
    manner = Manner(parallel=settings.engine_parallel)
    return consultant_with(
        bench, role, Team(engines, policy_of(settings.engines), unpriced(settings)), manner
    )


def consultant_with(bench: Workbench, role: str, team: Team, manner: Manner) -> Consultant:
    """Return a role's way to the engines of a team."""
    settings = bench.settings
    # shorter ones are ordinary words ("none", "x"), and would be hidden everywhere
    mask = partial(masked, values=[value for value in settings.secrets() if len(value) >= SHORTEST])
    asker = Asker(bench.book, limits_of(settings), mask, manner, partial(_announce, bench.publish))
    bounds = Bounds(seconds=settings.engine_seconds, turns=settings.engine_turns)
    return Consultant(asker, role, team.engines, team.policy, bounds, unpriced=team.unpriced)


async def _announce(publish: Publish, word: RunProgress) -> None:
    await publish(run_progress(word.run), word.model_dump_json().encode())


Consulting = Callable[[Workbench, str], Consultant | None]


def engines_of(settings: Settings, sandbox: Sandbox) -> Mapping[str, Engine]:
    """Return the engines that are set up, by name."""
    found: dict[str, Engine] = {}
    if (credential := _credential(settings)) is not None:
        claude = ClaudeCodeSettings(
            credential,
            DataFolder(settings.home).engines,
            settings.claude_code_path,
            settings.claude_code_api_url,
        )
        found[ClaudeCode.name] = ClaudeCode(claude, sandbox)
    if settings.openai_url is not None:
        key = settings.openai_key.get_secret_value() if settings.openai_key else ""
        endpoint = Endpoint(settings.openai_url, key, settings.openai_model, _prices(settings.openai_price))
        engine = OpenAICompatible(endpoint)
        found[engine.name] = engine
    return found


def unpriced(settings: Settings) -> frozenset[str]:
    """Return the engines whose calls have no price of their own: a subscription pays, or nobody."""
    free = set()
    credential = _credential(settings)
    if credential is not None and credential.billing is not Billing.PRICE:
        free.add(ClaudeCode.name)
    prices = _prices(settings.openai_price).otherwise
    if prices is not None and prices.billing is not Billing.PRICE:
        free.add(OPENAI_COMPATIBLE)
    return frozenset(free)


def limits_of(settings: Settings) -> Limits:
    """Return what may be spent and called."""
    return Limits(
        improvement=Limit(int(settings.budget_improvement * MICROS), settings.budget_improvement_runs),
        day=Limit(int(settings.budget_day * MICROS), settings.budget_day_runs),
        engine=Limit(int(settings.budget_engine * MICROS), settings.budget_engine_runs),
    )


def _credential(settings: Settings) -> Credential | None:
    if settings.claude_code_token is not None:
        return Credential(Kind.TOKEN, settings.claude_code_token)
    if settings.claude_code_api_key is not None:
        return Credential(Kind.KEY, settings.claude_code_api_key)
    return None


def _prices(text: str | None) -> Prices:
    if text is None:
        return Prices()
    read, written, *cached = map(int, text.split("/"))
    return Prices(otherwise=Price(read, written, *cached))
