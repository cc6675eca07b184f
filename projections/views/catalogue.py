"""Every view there is."""

from projections.step import View
from projections.views.access import ACCESS
from projections.views.budgets import BUDGETS
from projections.views.deployments import DEPLOYMENTS
from projections.views.engine_usage import ENGINE_USAGE
from projections.views.improvement_board import IMPROVEMENT_BOARD
from projections.views.outcomes import OUTCOMES
from projections.views.targets import TARGETS
from projections.views.task_board import TASK_BOARD
from projections.views.timeline import TIMELINE

VIEWS: tuple[View, ...] = (
    IMPROVEMENT_BOARD,
    TIMELINE,
    TASK_BOARD,
    ENGINE_USAGE,
    TARGETS,
    DEPLOYMENTS,
    BUDGETS,
    ACCESS,
    OUTCOMES,
)
