"""Proposes validation rules for what was observed, such as the events of one type on the log."""

from services.actions.action import Action, template
from services.actions.inferring import inferred
from services.actions.observing import Observed
from services.actions.rules import Rules, problems

PROPOSE = Action("propose_rules", Observed, Rules, template("propose_rules"), problems, inferred)
