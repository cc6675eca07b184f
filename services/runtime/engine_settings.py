"""The settings of AI engines: which may be asked, what opens them, where their API is.

The names are this system's own: a key that lies in the environment for another program is never taken.
In a fork they hold as anywhere: asking an engine again is what a fork is for.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from schemas.base import Frozen
from services.engines.choosing import policy_of
from services.engines.confined.credential import SHORTEST
from services.runtime.setting_field import named

URL = "an http:// or https:// URL"
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
Key = Annotated[SecretStr, Field(min_length=SHORTEST)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6)]
Runs = Annotated[int, Field(ge=0, le=1_000_000)]
MONEY, RUNS = "0 (nothing) or more, such as 2.50", "0 (none) or more"


def _policy(text: str) -> str:
    policy_of(text)
    return text


class EngineSettings(Frozen):
    """What `Settings` holds of engines."""

    engines: Annotated[str, AfterValidator(_policy)] = named(
        "APS_ENGINES",
        "Which engine is asked, in order, and for which role or role.task with which model",
        "such as claude_code,openai_compatible,developer=claude_code:opus",
        default="claude_code,openai_compatible",
    )
    engine_seconds: int = named(
        "APS_ENGINE_SECONDS",
        "Longest call of an engine",
        "10 to 86400 seconds",
        default=900,
        ge=10,
        le=86400,
    )
    engine_turns: int = named(
        "APS_ENGINE_TURNS", "Most turns of one call", "1 to 1000", default=60, ge=1, le=1000
    )
    engine_parallel: int = named(
        "APS_ENGINE_PARALLEL",
        "Calls of one engine at once, in all processes together",
        "1 to 100",
        default=4,
        ge=1,
        le=100,
    )
    budget_improvement: Money = named(
        "APS_BUDGET_IMPROVEMENT", "US dollars for calls about one improvement", MONEY, default=Decimal(5)
    )
    budget_improvement_runs: Runs = named(
        "APS_BUDGET_IMPROVEMENT_RUNS", "Calls about one improvement", RUNS, default=30
    )
    budget_day: Money = named("APS_BUDGET_DAY", "US dollars for calls of one day", MONEY, default=Decimal(20))
    budget_day_runs: Runs = named("APS_BUDGET_DAY_RUNS", "Calls of one day (UTC)", RUNS, default=500)
    budget_engine: Money = named(
        "APS_BUDGET_ENGINE", "US dollars for calls of one engine in a month", MONEY, default=Decimal(200)
    )
    budget_engine_runs: Runs = named(
        "APS_BUDGET_ENGINE_RUNS", "Calls of one engine in a month", RUNS, default=10_000
    )
    claude_code_api_key: Key | None = named(
        "CLAUDE_CODE_API_KEY",
        "API key for Claude Code: it stays outside the sandbox",
        f"{SHORTEST} characters or more",
        default=None,
    )
    claude_code_token: Key | None = named(
        "CLAUDE_CODE_TOKEN",
        "A subscription's token for Claude Code, instead of a key",
        f"{SHORTEST} characters or more",
        default=None,
    )
    claude_code_api_url: Url = named(
        "CLAUDE_CODE_API_URL", "Where Claude Code's API is", URL, default="https://api.anthropic.com"
    )
    openai_url: Url | None = named(
        "OPENAI_COMPATIBLE_URL",
        "A server of chat completions: what stands before /chat/completions",
        URL,
        default=None,
    )
    openai_key: SecretStr | None = named(
        "OPENAI_COMPATIBLE_KEY", "Key of that server", "any text", default=None
    )
    openai_model: str = named(
        "OPENAI_COMPATIBLE_MODEL",
        "The model it is asked for",
        "a name it knows, such as llama3.3",
        default="",
    )
    openai_price: Annotated[str, Field(pattern=r"^\d{1,12}(/\d{1,12}){1,2}$")] | None = named(
        "OPENAI_COMPATIBLE_PRICE",
        "Its price: read/written[/cached], in millionths of a US dollar for a million tokens",
        "such as 2500000/10000000 ($2.50 and $10), or 0/0 where nobody bills",
        default=None,
    )
