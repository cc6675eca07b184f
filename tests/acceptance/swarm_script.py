"""A scripted Messages API for a whole request: what PM, Architect and Developer are answered."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.acceptance.command import Ended
from tests.claude_asking import program
from tests.conftest import run
from tests.messages_api import Heard, MessagesApi, Step, Use, answers

SCENARIO = "swarm"
KEY = "made-up-key-of-the-request"
PM, ARCHITECT, DEVELOPER = "# Requirements of a request", "# Plan of a change", "# Write a change"
AGAIN = "Earlier attempts were refused"
_REFUSED = re.compile(r"QA, attempt (\d+)")
_FOLDER = re.compile(r"[Ww]orking directory: (/[^\s\"\\]+)")


def written(files: Mapping[str, str], **account: Any) -> tuple[Step, ...]:
    """Write files, by paths from the work tree, then give the account of them."""
    uses = [Use("Write", {"file_path": path, "content": content}) for path, content in files.items()]
    return (*uses, answers(**account))


class SwarmApi(MessagesApi):
    """Answers each role by the heading of its prompt; `drafts` are the Developer's attempts, in order."""

    def __init__(self, requirements: Step, plan: Step, drafts: Sequence[Sequence[Step]]) -> None:
        super().__init__({SCENARIO: ()})
        self._requirements, self._plan, self._drafts = requirements, plan, drafts

    @property
    def settings(self) -> dict[str, str]:
        """What makes the real program ask here."""
        return {
            "CLAUDE_CODE_PATH": str(program()),
            "CLAUDE_CODE_API_KEY": KEY,
            "CLAUDE_CODE_API_URL": self.url(SCENARIO),
        }

    def step(self, heard: Heard) -> Step:
        messages: list[dict[str, Any]] = heard.body["messages"]
        asked = [n for n, one in enumerate(messages) if _is_prompt(one)]
        latest = messages[asked[-1]]
        text = str(latest["content"])
        if PM in text:
            return self._requirements
        if ARCHITECT in text:
            return self._plan
        refused = len(set(_REFUSED.findall(text))) if AGAIN in text else 0
        draft = self._drafts[min(refused, len(self._drafts) - 1)]
        turns = sum(one["role"] == "assistant" for one in messages[asked[-1] :])
        step: Step = draft[min(turns, len(draft) - 1)]
        if isinstance(step, Use) and "file_path" in step.input:
            folder = _FOLDER.search(heard.text)
            assert folder is not None, "the prompt names no working directory"
            return Use(step.tool, {**step.input, "file_path": f"{folder[1]}/{step.input['file_path']}"})
        return step


def while_answering(api: SwarmApi, command: Callable[..., Ended], *words: object, **more: str) -> Ended:
    """Run `command` with the settings that let it ask `api`, and any more."""

    async def ended() -> Ended:
        async with api.serving():
            return await asyncio.to_thread(command, *words, **{**api.settings, **more})

    return run(ended())


def _is_prompt(message: Mapping[str, Any]) -> bool:
    return message["role"] == "user" and any(
        head in str(message["content"]) for head in (PM, ARCHITECT, DEVELOPER)
    )
