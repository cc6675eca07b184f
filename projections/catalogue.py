"""Every view there is."""

from projections.budgets import BUDGETS
from projections.deployments import DEPLOYMENTS
from projections.engine_usage import ENGINE_USAGE
from projections.improvement_board import IMPROVEMENT_BOARD
from projections.step import View
from projections.targets import TARGETS
from projections.task_board import TASK_BOARD
from projections.timeline import TIMELINE

VIEWS: tuple[View, ...] = (
    IMPROVEMENT_BOARD,
    TIMELINE,
    TASK_BOARD,
    ENGINE_USAGE,
    TARGETS,
    DEPLOYMENTS,
    BUDGETS,
)
