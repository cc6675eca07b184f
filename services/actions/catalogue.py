"""Every action there is."""

from typing import Any

from services.actions.action import Action
from services.actions.comparing import COMPARE
from services.actions.documenting import DOCUMENT
from services.actions.explaining import EXPLAIN
from services.actions.proposing import PROPOSE

ACTIONS: tuple[Action[Any, Any], ...] = (DOCUMENT, COMPARE, EXPLAIN, PROPOSE)
