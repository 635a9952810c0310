"""What an analyst may ask of a federation, as methods of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fedlab.asking.asked import How
from fedlab.asking.bench import Bench
from fedlab.asking.naming import By, Where
from fedlab.privacy import RecordDP

if TYPE_CHECKING:
    from fedlab.asking.correlating import Correlations
    from fedlab.asking.counting import Counts
    from fedlab.asking.cross_tabs import CrossTab
    from fedlab.asking.data_quality import DataQuality
    from fedlab.asking.describing import Summary
    from fedlab.asking.histograms import Histogram
    from fedlab.asking.kaplan_meier import SurvivalCurves
    from fedlab.asking.log_rank import LogRank
    from fedlab.asking.quantiles import Quantiles
    from fedlab.asking.regressing import Family, Missing
    from fedlab.asking.t_tests import MeanDifference
    from fedlab.asking.table_one import TableOne
    from fedlab.asking.variances import Variances
    from fedlab.estimates import Inference
    from fedlab.secure_sum import SecureSum

__all__ = ["Questions"]


class Questions(Bench):
    """Questions that a federation answers; each is one module beside this one."""

    def count(
        self: Bench,
        by: By | None = None,
        *,
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> Counts:
        """Patients by group, by site and over all sites.

        All rows are asked about, those held out too. Groups of fewer patients than a site tells of
        are suppressed, and what would give them away with them; totals are of the cells that are
        told. Patients without a value are a group of their own.

        Parameters
        ----------
        by : column, columns, or mapping of column to edges, optional
            Categories go by their declared lists, numbers by edges or by values written as texts:
            ``by={"age": [0, 40, 60, 120]}``, ``by={"stage": ["1", "2"]}``. A number whose declared
            range is from 0 to 1 goes by these two. Numbers outside of all groups are in none.
        where : mapping, optional
            Conditions that patients meet: ``{"age": (40, None), "ward": ["north", "west"]}``,
            ``{"smoker": 1}``, ``{"stage": ["1", "2"]}``.
        privacy : RecordDP, optional
            Noise instead of suppression, charged at each site.
        aggregation : "plain", "secure" or SecureSum
            Whether single sites are seen, or their sum alone.

        Raises
        ------
        DataError
            For a column that is not there, or groups or conditions that do not fit it.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0] * 20, "died": [0, 0, 1, 1] * 10})
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died")])
        >>> print(fed.count(by="died").printed.rows[0].cells)
        ['20', '20', '40']
        """
        from fedlab.asking.counting import count

        return count(self, by, where, How(privacy=privacy, aggregation=aggregation))

    def histogram(
        self: Bench,
        column: str,
        edges: Sequence[float] | None = None,
        *,
        bins: int = 20,
        by: By | None = None,
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> Histogram:
        """Patients by bin of a number, by site and over all sites.

        Parameters
        ----------
        column : str
        edges : sequence of float, optional
            Ends of the bins, each from an edge to below the next and the last one closed; by
            default even ones over the public range. What lies outside is counted apart.
        bins : int
            How many even ones.
        by, where, privacy, aggregation
            As of `count`.

        Raises
        ------
        DataError
            For a column that is no number, or without edges where it has no declared range.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> known = {"ranges": {"age": (0, 100)}, "policy": fl.Policy(minimum_rows=1)}
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", **known)])
        >>> fed.histogram("age", [40, 60, 80]).frame["patients"].tolist()
        [0.0, 20.0, 20.0, 0.0, 0.0, 0.0, 0.0, 20.0, 20.0, 0.0, 0.0, 0.0]
        """
        from fedlab.asking.histograms import histogram

        how = How(privacy=privacy, aggregation=aggregation)
        return histogram(self, column, edges, bins, by, where, how)

    def quantile(
        self: Bench,
        column: str,
        q: float | Sequence[float] = (0.25, 0.5, 0.75),
        *,
        bins: int = 200,
        low: float | None = None,
        high: float | None = None,
        by: By | None = None,
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> Quantiles:
        """Quantiles of a number, each between two bounds that are certain.

        Sites count rows in bins over the public range, put bins of few patients together with
        their neighbours, and what is added up says how many rows may and must lie up to each edge.

        Parameters
        ----------
        column : str
        q : float or sequence of float
            From 0 to 1.
        bins : int
            Over the range; more narrow the bounds, until blocks hold no more than a site's minimum.
        low, high : float, optional
            Ends of the bins, by default the declared range. Values beyond count as beyond.
        by, where, aggregation
            As of `count`.
        privacy : RecordDP, optional
            Refused: bounds that are certain leave no room for noise.

        Raises
        ------
        DataError
            For a column that is no number, or without a range.
        PrivacyError
            Under privacy.
        TrainingError
            When no site answers.

        References
        ----------
        R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American
        Statistician 50, 1996: definition 7, as NumPy and R have by default.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> known = {"ranges": {"age": (0, 100)}, "policy": fl.Policy(minimum_rows=1)}
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", **known)])
        >>> fed.quantile("age", 0.5).frame[["low", "high"]].iloc[-1].tolist()
        [57.5, 58.0]
        """
        from fedlab.asking.quantiles import quantile

        how = How(privacy=privacy, aggregation=aggregation)
        return quantile(self, column, q, bins, low, high, by, where, how)

    def describe(
        self: Bench,
        columns: Sequence[str] | None = None,
        *,
        by: By | None = None,
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> Summary:
        """What columns hold: patients, missing and unmapped, means, quartiles, categories.

        Means and standard deviations equal those of the pooled rows, over the sites that tell
        them. A site holds a column's figures back where too few of its patients miss a value, as
        their number would follow, unless its policy says ``missing_cells=True``; and the mean of
        a number of few values, such as 0 and 1, where a value is of too few patients. Extremes are
        values of single patients and not told.

        Parameters
        ----------
        columns : sequence of str, optional
            All features, target and event by default.
        by, where, aggregation
            As of `count`.
        privacy : RecordDP, optional
            Noise instead of suppression; values are clipped to declared ranges, and there are no
            quartiles. One promise covers all of it.

        Raises
        ------
        DataError
            For a column that is not there.
        PrivacyError
            For a column without a declared range under privacy.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> known = {"ranges": {"age": (0, 100)}, "policy": fl.Policy(minimum_rows=1)}
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", **known)])
        >>> fed.describe(["age"]).frame.loc[0, ["patients", "mean"]].tolist()
        [40.0, 57.5]
        """
        from fedlab.asking.describing import describe

        how = How(privacy=privacy, aggregation=aggregation)
        return describe(self, columns, by, where, how)

    def data_quality(
        self: Bench,
        columns: Sequence[str] | None = None,
        *,
        where: Where | None = None,
        privacy: RecordDP | None = None,
    ) -> DataQuality:
        """What looks wrong in each site's records beside the other sites'.

        Missing and unmapped values, values outside of the declared range, means and spreads that
        differ, categories that are spread otherwise, and numbers that look as if they were in
        another unit: from the same aggregates as `describe`, so that small groups are suppressed.

        Parameters
        ----------
        columns : sequence of str, optional
            By default all features, the target and the event.
        where : mapping, optional
            Conditions that patients meet.
        privacy : RecordDP, optional
            Noise instead of suppression.

        Raises
        ------
        DataError
            When there is one site, or a column is not there.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> other, known = frame.assign(age=frame["age"] * 12), {"target": "died"}
        >>> known |= {"policy": fl.Policy(minimum_rows=1)}
        >>> fed = fl.Federation([fl.Site("a", frame, **known), fl.Site("b", other, **known)])
        >>> fed.data_quality(["age"]).findings["findings"].tolist()
        ['as in years, others in months (× 12)', 'as in months, others in years (× 12)']
        """
        from fedlab.asking.data_quality import data_quality

        return data_quality(self, columns, where, How(privacy=privacy))

    def cross_tab(
        self: Bench,
        a: By,
        b: By,
        *,
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> CrossTab:
        """Patients by two columns, and whether these go together.

        Pearson's chi-square and Cramér's V are of whole tables only: of all sites, or of those
        that suppress no cell.

        Parameters
        ----------
        a, b : column, or mapping of column to edges
        where, privacy, aggregation
            As of `count`. There is no test under privacy.

        Raises
        ------
        DataError
            For a column that is not there, or groups that do not fit it.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> policy = fl.Policy(minimum_rows=1)
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", policy=policy)])
        >>> fed.cross_tab({"age": [40, 60, 80]}, "died").tests["chi_square"].tolist()
        [40.0, 40.0]
        """
        from fedlab.asking.cross_tabs import cross_tab

        return cross_tab(self, a, b, where, How(privacy=privacy, aggregation=aggregation))

    def table_one(
        self: Bench,
        by: By,
        columns: Sequence[str] | None = None,
        *,
        median: Sequence[str] = (),
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> TableOne:
        """Table 1 of a paper: who the patients of each group are, all sites together.

        Parameters
        ----------
        by : column, or mapping of column to edges
            The groups.
        columns : sequence of str, optional
            All features, target and event by default.
        median : sequence of str
            Numbers to be told by median and quartiles instead of mean and standard deviation.
        where, privacy, aggregation
            As of `count`. There are no tests under privacy.

        Raises
        ------
        DataError
            For a column that is not there, or groups that do not fit it.
        PrivacyError
            For a column without a declared range under privacy.
        TrainingError
            When no site answers.

        References
        ----------
        P. C. Austin, "Balance diagnostics for comparing the distribution of baseline covariates
        between treatment groups in propensity-score matched samples", Statistics in Medicine 28,
        2009. D. Yang and J. E. Dalton, "A unified approach to measuring the effect size between
        two groups using SAS", SAS Global Forum 2012, paper 335.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> policy = fl.Policy(minimum_rows=1)
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", policy=policy)])
        >>> fed.table_one("died").printed.rows[0].cells
        ['46.5 (5.6)', '68.5 (5.6)', '57.5 (12.5)', '<0.001', '3.90']
        """
        from fedlab.asking.table_one import table_one

        how = How(privacy=privacy, aggregation=aggregation)
        return table_one(self, by, columns, median, where, how)

    def kaplan_meier(
        self: Bench,
        by: By | None = None,
        *,
        grid: Sequence[float],
        exact: bool = False,
        where: Where | None = None,
        level: float = 0.95,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> SurvivalCurves:
        """Survival curves by group, and what they certainly lie in.

        For a federation whose target is a time that ends in an event. All rows are asked about,
        those held out too. The curve is the product-limit estimate (Kaplan and Meier 1958) with
        Greenwood's errors and intervals of log(-log). Sites put intervals of time together until
        each has nobody or enough patients who leave, so beside the curve are the bounds that the
        curve of the pooled rows certainly keeps on the grid.

        Parameters
        ----------
        by : column, columns, or mapping of column to edges, optional
        grid : sequence of float
            Times at which curves are known, in the unit of the target.
        exact : bool
            Count patients who leave just at a time of the grid apart from those between, so that
            the curve is exact where all times are on the grid. Sites with a ``grid_width`` refuse.
        where : mapping, optional
            Conditions that patients meet.
        level : float
            Of the intervals.
        privacy : RecordDP, optional
            Noise instead of larger intervals of time.
        aggregation : "plain", "secure" or SecureSum

        Raises
        ------
        DataError
            When the target is no time, the grid does not rise, or groups cannot be made.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"arm": [0, 1] * 20, "days": [10.0, 20.0, 30.0, 40.0] * 10})
        >>> known = {"target": "days", "event": "died", "policy": fl.Policy(minimum_rows=1)}
        >>> site = fl.Site("mercy", frame.assign(died=1), ranges={"arm": (0, 1)}, **known)
        >>> fed = fl.Federation([site])
        >>> fed.kaplan_meier(grid=[10, 20, 30, 40], exact=True).frame["survival"].tolist()
        [0.75, 0.5, 0.25, 0.0]
        """
        from fedlab.asking.kaplan_meier import kaplan_meier

        how = How(privacy=privacy, aggregation=aggregation)
        return kaplan_meier(self, by, where, how, grid=grid, exact=exact, level=level)

    def log_rank(
        self: Bench,
        by: By,
        *,
        grid: Sequence[float],
        exact: bool = False,
        stratified: bool = False,
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> LogRank:
        """Whether groups differ in when their event comes (Mantel 1966).

        It rests on the same counts as `kaplan_meier`, and says how certain they leave it: with
        ``exact=True``, times on the grid and sites that tell every count it is the test of the
        pooled rows.

        Parameters
        ----------
        by, grid, exact, where, privacy, aggregation
            As in `kaplan_meier`. Events after the grid's last time are not compared.
        stratified : bool
            Compare patients within their site alone, which allows sites to differ. Needs sites'
            own counts, so not under a secure sum.

        Raises
        ------
        DataError
            When the target is no time, the grid does not rise, or groups cannot be made.
        TrainingError
            When no site answers, fewer than two groups are told, or strata are hidden.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"arm": [0, 1] * 20, "days": [10.0, 20.0, 30.0, 40.0] * 10})
        >>> known = {"target": "days", "event": "died", "policy": fl.Policy(minimum_rows=1)}
        >>> site = fl.Site("mercy", frame.assign(died=1), ranges={"arm": (0, 1)}, **known)
        >>> fed = fl.Federation([site])
        >>> print(fed.log_rank("arm", grid=[10, 20, 30, 40], exact=True).sentence)
        Log-rank test: χ²(1) = 9.315, p = 0.0023.
        """
        from fedlab.asking.log_rank import log_rank

        how = How(privacy=privacy, aggregation=aggregation)
        return log_rank(self, by, where, how, grid=grid, exact=exact, stratified=stratified)

    def correlation(
        self: Bench,
        columns: Sequence[str] | None = None,
        *,
        where: Where | None = None,
        level: float = 0.95,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> Correlations:
        """Pearson's correlation of each pair of columns, over rows that have all of them.

        Equal to that of the pooled rows. A site does not answer where so few patients lack a value
        that they must not be told.

        Parameters
        ----------
        columns : sequence of str, optional
            Numbers; by default all numeric features.
        where : mapping, optional
            Conditions that patients meet.
        level : float
            Of the intervals.
        privacy : RecordDP, optional
            Noise on the sums of values that are clipped to their declared ranges.
        aggregation : "plain", "secure" or SecureSum

        Raises
        ------
        DataError
            For columns that are no numbers, or too few.
        PrivacyError
            For a column without a declared range under privacy.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> frame["months"] = frame["age"] * 12
        >>> policy = fl.Policy(minimum_rows=1)
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", policy=policy)])
        >>> round(float(fed.correlation().matrix.loc["age", "months"]), 8)
        1.0
        """
        from fedlab.asking.correlating import correlation

        how = How(privacy=privacy, aggregation=aggregation)
        return correlation(self, columns, where, how, level=level)

    def t_test(
        self: Bench,
        column: str,
        by: By,
        *,
        levels: Sequence[str] | None = None,
        where: Where | None = None,
        level: float = 0.95,
        privacy: RecordDP | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> MeanDifference:
        """Whether two groups have one mean: Student's and Welch's test, by site and pooled.

        Parameters
        ----------
        column : str
            Of numbers.
        by : column, or mapping of one column to edges
            With two groups, or `levels` that name two.
        levels : (str, str), optional
            The groups to compare, the first less the second.
        where : mapping, optional
            Conditions that patients meet.
        level : float
            Of the intervals.
        privacy : RecordDP, optional
            Noise on the sums of values that are clipped to the column's declared range.
        aggregation : "plain", "secure" or SecureSum

        Raises
        ------
        DataError
            For a column that holds no numbers, or other than two groups.
        PrivacyError
            For a column without a declared range under privacy.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> policy = fl.Policy(minimum_rows=1)
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", policy=policy)])
        >>> round(float(fed.t_test("age", "died").frame["difference"].iloc[-1]), 8)
        -22.0
        """
        from fedlab.asking.t_tests import t_test

        how = How(privacy=privacy, aggregation=aggregation)
        return t_test(self, column, by, levels, where, how, level=level)

    def anova(
        self: Bench,
        column: str,
        by: By,
        *,
        where: Where | None = None,
        aggregation: str | SecureSum = "plain",
    ) -> Variances:
        """Whether two groups or more have one mean: one-way analysis of variance.

        Parameters
        ----------
        column : str
            Of numbers.
        by : column, or mapping of one column to edges
        where : mapping, optional
            Conditions that patients meet.
        aggregation : "plain", "secure" or SecureSum

        Raises
        ------
        DataError
            For a column that holds no numbers, or other than one column to group by.
        TrainingError
            When no site answers.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0] * 10, "died": [0, 0, 1, 1] * 10})
        >>> policy = fl.Policy(minimum_rows=1)
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="died", policy=policy)])
        >>> float(fed.anova("age", "died").frame["groups"].iloc[-1])
        2.0
        """
        from fedlab.asking.variances import anova

        return anova(self, column, by, where, How(aggregation=aggregation))

    def glm(
        self: Bench,
        features: Sequence[str] | None = None,
        *,
        family: Family = "logistic",
        references: Mapping[str, str] | None = None,
        missing: Missing = "drop",
        where: Where | None = None,
        level: float = 0.95,
        aggregation: str | SecureSum = "plain",
    ) -> Inference:
        """Coefficients of a generalised linear model of the target, with errors and tests.

        The maximum-likelihood fit to the pooled rows, by Newton steps over the sites. Sites are
        asked for these features alone; those that refuse are left out and named.

        Parameters
        ----------
        features : sequence of str, optional
            By default all.
        family : "logistic", "linear" or "poisson"
            Of the target: classes, numbers or counts. Ratios are odds ratios and rate ratios.
        references : mapping of str to str, optional
            Reference category by column; by default the first one that occurs.
        missing : "drop" or "fill"
            Whether rows that lack a value are left out, or a missing number counts as the mean and
            a missing category as one of its own.
        where : mapping, optional
            Conditions that patients meet.
        level : float
            Of the intervals.
        aggregation : "plain", "secure" or SecureSum

        Raises
        ------
        DataError
            For features that are not there.
        TrainingError
            When no site answers, the target does not fit the family, or features are collinear.

        Examples
        --------
        >>> import fedlab as fl
        >>> import pandas as pd
        >>> ages = [41.0, 52.0, 63.0, 74.0]
        >>> frame = pd.DataFrame({"age": ages * 10, "visits": [1, 2, 2, 4] * 10})
        >>> policy = fl.Policy(minimum_rows=1)
        >>> fed = fl.Federation([fl.Site("mercy", frame, target="visits", policy=policy)])
        >>> fed.glm(family="linear").frame["estimate"].round(4).tolist()
        [-2.4545, 0.0818]
        """
        from fedlab.asking.regressing import glm

        how = How(aggregation=aggregation)
        return glm(self, features, family, references, missing, where, how, level=level)
