"""What can be asked of a site, and the messages that carry it."""

from fedlab.queries.describe import Describe, Description
from fedlab.queries.local_fit import LocalFit, Update, count_steps
from fedlab.queries.messages import REFUSALS, Refusal, Reply, Request
from fedlab.queries.moments import Moments, MomentSums
from fedlab.queries.newton import NewtonStep, Slope
from fedlab.queries.personal_fit import PersonalFit, PersonalUpdate
from fedlab.queries.query import Answer, Context, Query, Rows
from fedlab.queries.score import Score, ScoreHistogram, Tally
from fedlab.queries.statement import ReadLedger, Statement, StatementLine

__all__ = [
    "REFUSALS",
    "Answer",
    "Context",
    "Describe",
    "Description",
    "LocalFit",
    "MomentSums",
    "Moments",
    "NewtonStep",
    "PersonalFit",
    "PersonalUpdate",
    "Query",
    "ReadLedger",
    "Refusal",
    "Reply",
    "Request",
    "Rows",
    "Score",
    "ScoreHistogram",
    "Slope",
    "Statement",
    "StatementLine",
    "Tally",
    "Update",
    "count_steps",
]
