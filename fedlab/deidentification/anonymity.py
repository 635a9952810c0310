"""How many rows share what an outsider may know of a person.

Sweeney, "k-anonymity: a model for protecting privacy", Int. J. Uncertainty, Fuzziness and
Knowledge-Based Systems 10(5), 2002: rows that agree in all quasi-identifiers are a class; k is the
size of the smallest. Machanavajjhala, Kifer, Gehrke and Venkitasubramaniam, "l-diversity: privacy
beyond k-anonymity", ACM Trans. Knowledge Discovery from Data 1(1), 2007: distinct l is the fewest
different sensitive values in a class. Who knows that a person is in the table finds that person's
row with chance 1/size of the class, at most 1/k (the prosecutor's risk: El Emam and Dankar,
"Protecting privacy using k-anonymity", J. Am. Med. Inform. Assoc. 15(5), 2008).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.deidentification.classes import classes_of, codes_of
from fedlab.deidentification.ranges import by_range
from fedlab.deidentification.report import Deidentified
from fedlab.deidentification.roles import Names, as_names, check_table, roles_of
from fedlab.deidentification.suppression import Suppressed, require_k, suppress
from fedlab.displays.tables import to_html
from fedlab.errors import DataError

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["KAnonymity", "k_anonymity"]

Codes = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, repr=False, eq=False)
class KAnonymity:
    """Sizes of the classes of rows that agree in all quasi-identifiers.

    Attributes
    ----------
    frame : DataFrame
        One row a size of class: how many ``classes`` have it, the ``rows`` and ``share`` of rows in
        them, and the prosecutor's ``risk`` there, 1/size; with a sensitive column ``least_values``,
        the fewest different values of it in one of them.
    without : DataFrame
        One row a quasi-identifier: ``k`` and ``unique_share`` were it left out.
    quasi_identifiers : tuple of str
    sensitive : str or None
    k : int
        Size of the smallest class.
    l : int or None
        Fewest different sensitive values in a class.
    """

    frame: pd.DataFrame
    without: pd.DataFrame
    quasi_identifiers: tuple[str, ...]
    sensitive: str | None
    k: int
    l: int | None  # noqa: E741 - the paper's letter
    _table: pd.DataFrame = field(compare=False)
    _sizes: Codes = field(compare=False)

    @property
    def unique_share(self) -> float:
        """Share of rows that are alone in their class."""
        return float(self.frame["share"].get(1, 0.0))

    @property
    def risk(self) -> float:
        """The prosecutor's risk of the rows that are found most easily, 1/k."""
        return 1 / self.k

    @property
    def helps_most(self) -> str:
        """The column that raises k most when left out; of equals, that with fewer unique rows."""
        ranks = zip(-self.without["k"], self.without["unique_share"], strict=True)
        return min(zip(ranks, self.quasi_identifiers, strict=True), key=lambda pair: pair[0])[1]

    def suppressed(self, k: int) -> Suppressed:
        """The table without the rows of classes smaller than `k`.

        Raises
        ------
        DataError
            When `k` is no whole number of at least 2, or no row would stay.
        """
        return suppress(self._table, self._sizes, require_k(k))

    @property
    def notes(self) -> list[str]:
        """What the numbers say, and what they do not."""
        place = self.quasi_identifiers.index(self.helps_most)
        k, unique = self.without["k"].iloc[place], self.without["unique_share"].iloc[place]
        columns = ", ".join(map(repr, self.quasi_identifiers))
        agree = (
            f"k = {self.k:,}: each row agrees with at least {self.k - 1:,} others in {columns}"
            if self.k > 1
            else f"k = 1: some rows agree with no other in {columns}"
        )
        raises = f"raises k most, to {k:,}" if k > self.k else "does not raise k, nor does another"
        notes = [
            f"{agree} (Sweeney 2002); {100 * self.unique_share:.3g} % of rows are unique. Who "
            "knows that a person is in the table finds the row with a chance of at most "
            f"1/k = {self.risk:.3g}.",
            f"Leaving {self.helps_most!r} out {raises}; then {100 * unique:.3g} % are unique.",
        ]
        if self.l is not None:
            notes.append(
                f"l = {self.l}: every class has {self.l} or more different values of "
                f"{self.sensitive!r} (distinct l-diversity, Machanavajjhala et al. 2007). With "
                "l = 1 whoever finds some class knows the value."
            )
        notes += [
            "Missing values count as a value of their own.",
            "It speaks of the named columns only, and of rows: a patient with several rows counts "
            "several times. A k is no proof that nobody can be told; what outsiders know is a "
            "person's judgement.",
        ]
        return notes

    def plot(self) -> go.Figure:
        """Share of rows by the size of their class."""
        from fedlab.displays.anonymity_figure import anonymity_figure

        return anonymity_figure(by_range(self.frame))

    def __repr__(self) -> str:
        return "\n".join([self._title(), *self.notes])

    def _repr_html_(self) -> str:
        page = to_html(by_range(self.frame), title=self._title())
        return page + to_html(self.without, title="With one column left out", notes=self.notes)

    def _title(self) -> str:
        diverse = "" if self.l is None else f", l = {self.l}"
        rows, classes = int(self.frame["rows"].sum()), int(self.frame["classes"].sum())
        return f"k-anonymity: k = {self.k}{diverse}; {rows:,} rows in {classes:,} classes"


def k_anonymity(
    frame: pd.DataFrame | Deidentified, quasi_identifiers: Names, *, sensitive: str | None = None
) -> KAnonymity:
    """Count how many rows agree in all columns that an outsider may know.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns), or Deidentified
    quasi_identifiers : str or sequence of str
        Columns that others may know of a person, e.g. age, sex and ZIP code. Missing is a value.
    sensitive : str, optional
        A column nobody is to learn; gives l.

    Returns
    -------
    KAnonymity

    Raises
    ------
    DataError
        When a column is missing, named twice, or holds values that cannot be compared.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"age": ["60", "60", "90+"], "zip": ["021", "021", "021"], "hiv": [1, 1, 0]}
    ... )
    >>> found = k_anonymity(table, ["age", "zip"], sensitive="hiv")
    >>> found.k, found.l, found.helps_most, round(found.unique_share, 2)
    (1, 1, 'age', 0.33)
    >>> found.suppressed(2).rows_left_out
    1
    """
    # Copied on write, so that a later change of the caller's table cannot part rows and sizes.
    table = check_table(frame.frame if isinstance(frame, Deidentified) else frame).copy(deep=False)
    names = as_names(quasi_identifiers)
    if not isinstance(sensitive, str | None):
        raise DataError(
            "sensitive names one column.", type(sensitive).__name__, "Pass e.g. sensitive='hiv'."
        )
    hidden = () if sensitive is None else (sensitive,)
    roles_of(table, {"quasi_identifiers": names, "sensitive": hidden})
    if not names:
        raise DataError(
            "k-anonymity needs quasi-identifiers.", "none", "Name what others may know of a person."
        )
    codes = [codes_of(table[name], name) for name in names]
    classes = classes_of(codes)
    sizes = np.bincount(classes)
    diversity = None
    if sensitive is not None:
        values = codes_of(table[sensitive], sensitive)
        pairs = classes_of([classes, values])
        _, first = np.unique(pairs, return_index=True)
        diversity = np.bincount(classes[first], minlength=len(sizes))
    return KAnonymity(
        frame=_by_size(sizes, diversity),
        without=_without_each(names, codes, classes, sizes),
        quasi_identifiers=names,
        sensitive=sensitive,
        k=int(sizes.min()),
        l=None if diversity is None else int(diversity.min()),
        _table=table,
        _sizes=sizes[classes],
    )


def _by_size(sizes: Codes, diversity: Codes | None) -> pd.DataFrame:
    different, place, classes = np.unique(sizes, return_inverse=True, return_counts=True)
    rows = different * classes
    columns: dict[str, Any] = {"classes": classes, "rows": rows, "share": rows / rows.sum()}
    columns["risk"] = 1 / different
    if diversity is not None:
        least = np.full(len(different), np.iinfo(np.int64).max)
        np.minimum.at(least, place, diversity)
        columns["least_values"] = least
    return pd.DataFrame(columns, index=pd.Index(different, name="size"))


def _without_each(
    names: tuple[str, ...], codes: list[Codes], classes: Codes, sizes: Codes
) -> pd.DataFrame:
    # One row a class is enough: leaving a column out only joins classes.
    _, first = np.unique(classes, return_index=True)
    some = [code[first] for code in codes]
    smallest, unique = [], []
    for left_out in range(len(names)):
        rest = [code for place, code in enumerate(some) if place != left_out]
        joined = classes_of(rest) if rest else np.zeros(len(sizes), dtype=np.int64)
        totals = np.bincount(joined, weights=sizes).astype(np.int64)
        smallest.append(int(totals.min()))
        unique.append(float((totals == 1).sum() / sizes.sum()))
    index = pd.Index(names, name="left out")
    return pd.DataFrame({"k": smallest, "unique_share": unique}, index=index)
