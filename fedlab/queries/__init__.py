"""What can be asked of a site, and the messages that carry it."""

from fedlab.queries.audit_head import AuditHead, ReadAuditHead
from fedlab.queries.bins import CellCounts, CountCells
from fedlab.queries.boost_histogram import BoostHistogram
from fedlab.queries.categories import CategoryCounts, CategoryTally
from fedlab.queries.describe import Describe, Description
from fedlab.queries.forest_histogram import Bootstrap, ForestHistogram, Histogram, OutOfBag
from fedlab.queries.local_fit import LocalFit, Update, count_steps
from fedlab.queries.messages import REFUSALS, Refusal, Reply, Request
from fedlab.queries.moments import Moments, MomentSums
from fedlab.queries.newton import NewtonStep, Slope
from fedlab.queries.partial_fit import PartialFit
from fedlab.queries.personal_fit import PersonalFit, PersonalUpdate
from fedlab.queries.quantiles import RankCounts, Ranks
from fedlab.queries.query import Answer, Context, Query, Rows
from fedlab.queries.risk_sets import EventTimes, RiskHistogram, RiskSets, Times
from fedlab.queries.score import Score, ScoreHistogram, Tally
from fedlab.queries.statement import ReadLedger, Statement, StatementLine
from fedlab.queries.statistics import Statistics, Sums

__all__ = [
    "REFUSALS",
    "Answer",
    "AuditHead",
    "BoostHistogram",
    "Bootstrap",
    "CategoryCounts",
    "CategoryTally",
    "CellCounts",
    "Context",
    "CountCells",
    "Describe",
    "Description",
    "EventTimes",
    "ForestHistogram",
    "Histogram",
    "LocalFit",
    "MomentSums",
    "Moments",
    "NewtonStep",
    "OutOfBag",
    "PartialFit",
    "PersonalFit",
    "PersonalUpdate",
    "Query",
    "RankCounts",
    "Ranks",
    "ReadAuditHead",
    "ReadLedger",
    "Refusal",
    "Reply",
    "Request",
    "RiskHistogram",
    "RiskSets",
    "Rows",
    "Score",
    "ScoreHistogram",
    "Slope",
    "Statement",
    "StatementLine",
    "Statistics",
    "Sums",
    "Tally",
    "Times",
    "Update",
    "count_steps",
]
