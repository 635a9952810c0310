"""What can be asked of a site, and the messages that carry it."""

from fedlab.queries.among import Among, CountRows
from fedlab.queries.audit_head import AuditHead, ReadAuditHead
from fedlab.queries.bins import CellCounts, CountCells
from fedlab.queries.boost_histogram import BoostHistogram
from fedlab.queries.categories import CategoryCounts, CategoryTally
from fedlab.queries.cross_products import CrossProducts, CrossSums
from fedlab.queries.describe import Describe, Description
from fedlab.queries.forest_histogram import Bootstrap, ForestHistogram, Histogram, OutOfBag
from fedlab.queries.group_blocks import BlockCounts, CountBlocks
from fedlab.queries.group_counts import CountGroups, CountTables, GroupCounts
from fedlab.queries.group_sums import GroupSums, SumGroups
from fedlab.queries.judge_confusion import Confusion, JudgeConfusion
from fedlab.queries.judge_scores import JudgeScores, ScoreTable
from fedlab.queries.judge_sums import ErrorSums, JudgeSums
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
from fedlab.queries.survival_counts import CountSurvival, SurvivalCounts

__all__ = [
    "REFUSALS",
    "Among",
    "Answer",
    "AuditHead",
    "BlockCounts",
    "BoostHistogram",
    "Bootstrap",
    "CategoryCounts",
    "CategoryTally",
    "CellCounts",
    "Confusion",
    "Context",
    "CountBlocks",
    "CountCells",
    "CountGroups",
    "CountRows",
    "CountSurvival",
    "CountTables",
    "CrossProducts",
    "CrossSums",
    "Describe",
    "Description",
    "ErrorSums",
    "EventTimes",
    "ForestHistogram",
    "GroupCounts",
    "GroupSums",
    "Histogram",
    "JudgeConfusion",
    "JudgeScores",
    "JudgeSums",
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
    "ScoreTable",
    "Slope",
    "Statement",
    "StatementLine",
    "Statistics",
    "SumGroups",
    "Sums",
    "SurvivalCounts",
    "Tally",
    "Times",
    "Update",
    "count_steps",
]
