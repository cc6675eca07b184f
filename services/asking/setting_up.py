"""Says which settings engines that are wanted lack, each with an example of a right value: pure."""

from collections.abc import Sequence

from services.engines.choosing import ENGINES, Wanted
from services.engines.claude_code.engine import ClaudeCode
from services.runtime.settings import Settings

CLAUDE_CODE = "CLAUDE_CODE_API_KEY (or CLAUDE_CODE_TOKEN, a subscription's)"
URL = "OPENAI_COMPATIBLE_URL (such as http://127.0.0.1:11434/v1)"
MODEL = "OPENAI_COMPATIBLE_MODEL (such as llama3.3)"
PRICE = "OPENAI_COMPATIBLE_PRICE (such as 2500000/10000000, or 0/0 where nobody bills)"


def lacking(settings: Settings, one: Wanted) -> str:
    """Say what to set before an engine can be asked as it is wanted; empty where all is set."""
    return ", ".join(_claude_code(settings) if one.engine == ClaudeCode.name else _openai(settings, one))


def nobody(settings: Settings, wanted: Sequence[Wanted], whom: str) -> str:
    """Say what each engine lacks where none of those that are wanted can be asked.

    An engine that has all it needs, but is not wanted, is named too.
    """
    lines = [f"{one.engine}: set {lacking(settings, one)}" for one in wanted]
    if not wanted:
        names_nobody = f"APS_ENGINES={settings.engines!r} names no engine for {whom}"
        lines.append(f"{names_nobody}: name one for everybody, such as claude_code")
    others = [Wanted("", one, "") for one in ENGINES if one not in {each.engine for each in wanted}]
    lines += [
        f"{one.engine} is set up, but APS_ENGINES={settings.engines!r} does not name it for {whom}"
        for one in others
        if not lacking(settings, one)
    ]
    return "\n".join(lines)


def _claude_code(settings: Settings) -> list[str]:
    has = settings.claude_code_api_key is not None or settings.claude_code_token is not None
    return [] if has else [CLAUDE_CODE]


def _openai(settings: Settings, one: Wanted) -> list[str]:
    given = {
        URL: settings.openai_url is not None,
        MODEL: bool(one.model or settings.openai_model),
        PRICE: settings.openai_price is not None,
    }
    return [name for name, has in given.items() if not has]
