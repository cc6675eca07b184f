"""The words an APS document may use, and the one table that maps other spellings of a status."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import GetCoreSchemaHandler
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.improvement import Status
from schemas.risk import RiskClass

S = Status
STATUS_ALIASES: dict[str, Status] = {
    "requirements_in_progress": S.INITIALIZED,
    "requirements_gathering": S.INITIALIZED,
    "waiting_for_pm": S.INITIALIZED,
    "waiting_for_pm_agent": S.INITIALIZED,
    "waiting_for_requirements": S.INITIALIZED,
    "ready_for_pm": S.INITIALIZED,
    "ready_for_requirements": S.INITIALIZED,
    "architecture_in_progress": S.REQUIREMENTS_COMPLETE,
    "waiting_for_architect": S.REQUIREMENTS_COMPLETE,
    "waiting_for_architect_agent": S.REQUIREMENTS_COMPLETE,
    "waiting_for_architecture": S.REQUIREMENTS_COMPLETE,
    "ready_for_architect": S.REQUIREMENTS_COMPLETE,
    "ready_for_architecture": S.REQUIREMENTS_COMPLETE,
    "ready_for_design": S.REQUIREMENTS_COMPLETE,
    "implementation_in_progress": S.ARCHITECTURE_COMPLETE,
    "waiting_for_developer": S.ARCHITECTURE_COMPLETE,
    "waiting_for_developer_agent": S.ARCHITECTURE_COMPLETE,
    "waiting_for_implementation": S.ARCHITECTURE_COMPLETE,
    "ready_for_developer": S.ARCHITECTURE_COMPLETE,
    "ready_for_development": S.ARCHITECTURE_COMPLETE,
    "ready_for_implementation": S.ARCHITECTURE_COMPLETE,
    "testing_in_progress": S.IMPLEMENTATION_COMPLETE,
    "waiting_for_qa": S.IMPLEMENTATION_COMPLETE,
    "waiting_for_qa_agent": S.IMPLEMENTATION_COMPLETE,
    "waiting_for_testing": S.IMPLEMENTATION_COMPLETE,
    "ready_for_qa": S.IMPLEMENTATION_COMPLETE,
    "ready_for_testing": S.IMPLEMENTATION_COMPLETE,
    "deployment_in_progress": S.TESTING_COMPLETE,
    "waiting_for_approval": S.TESTING_COMPLETE,
    "waiting_for_devops": S.TESTING_COMPLETE,
    "waiting_for_devops_agent": S.TESTING_COMPLETE,
    "waiting_for_deployment": S.TESTING_COMPLETE,
    "ready_for_approval": S.TESTING_COMPLETE,
    "ready_for_devops": S.TESTING_COMPLETE,
    "ready_for_deployment": S.TESTING_COMPLETE,
    "waiting_for_deployer": S.APPROVED,
    "ready_for_deployer": S.APPROVED,
}


class Phase(StrEnum):
    """The handoffs, each with a document of its own."""

    REQUIREMENTS = "requirements"
    ARCHITECTURE = "architecture"
    IMPLEMENTATION = "implementation"
    TEST_RESULTS = "test_results"
    BUG_REPORT = "bug_report"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True)
class Vocabulary:
    """The words of a field. Case, spaces and hyphens do not matter; any other word is kept as it is."""

    words: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: object) -> object:
        """Return the word of this vocabulary that `value` means, or `value` itself."""
        if not isinstance(value, str):
            return value
        plain = re.sub(r"[\s-]+", "_", value.strip().lower())
        return plain if plain in self.words else str(self.aliases.get(plain, value))

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read the word before the field is checked."""
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Close the vocabulary where the schema is strict."""
        return {**handler(schema), "enum": list(self.words)}


PROCESS_WORDS = Vocabulary(tuple(Status), STATUS_ALIASES)
WORK_WORDS = Vocabulary(("pending", "ready", "in_progress", "blocked", "completed"), {"done": "completed"})
CLAIM_WORDS = Vocabulary(("claimed", "in_progress", "completed", "released", "expired"))
OUTCOME_WORDS = Vocabulary(("passed", "failed", "skipped"), {"pass": "passed", "fail": "failed"})
RISK_WORDS = Vocabulary(tuple(RiskClass))
