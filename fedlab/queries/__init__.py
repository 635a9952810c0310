"""What can be asked of a site, and the messages that carry it."""

from fedlab.queries.describe import Describe, Description
from fedlab.queries.local_fit import LocalFit, Update
from fedlab.queries.messages import REFUSALS, Refusal, Reply, Request
from fedlab.queries.moments import Moments, MomentSums
from fedlab.queries.newton import NewtonStep, Slope
from fedlab.queries.query import Answer, Context, Query, Rows
from fedlab.queries.score import Score, ScoreHistogram, Tally
from fedlab.queries.statement import ReadLedger, Statement, StatementLine
from fedlab.queries.statistics import Statistics, Sums

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
    "Statistics",
    "Sums",
    "Tally",
    "Update",
]
