"""What a site lets a query tell of groups of its patients, where no noise protects them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["Codes", "Disclosure", "Flags", "Shown"]

Codes = np.ndarray[tuple[int], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Cells = np.ndarray[Any, np.dtype[np.bool_]]


class Shown(NamedTuple):
    """A table as it may leave.

    Attributes
    ----------
    counts : ndarray
        Patients of each cell; 0 where it is not shown.
    shown : ndarray of bool of the same shape
        False for a cell that is suppressed. A cell of nobody is shown, as 0.
    """

    counts: Array
    shown: Cells


class Disclosure(Protocol):
    """The site's law on small cells, for one answer without noise.

    What is told of is remembered by the site across its whole history, once the answer is whole: a
    refusal leaves no trace. No union of groups that an answer tells of may differ from a union of
    those of another answer, or from what that leaves out, by 1 to one less than the minimum of
    patients (the difference could be had by subtraction). The same groups again may be told.
    Under noise there is no such law: ε bounds what any number of answers tell of a patient.

    It does not see what answers of three questions tell that no two do, what other sites told of
    the same patients, and what a site without a home told before its kernel was restarted.
    """

    @property
    def single_values(self) -> bool:
        """Whether values of single rows may follow, as from which intervals nobody is in."""

    def cohort(self, chosen: Flags) -> None:
        """Take note of whom the answer is about, before anything is told of them.

        Parameters
        ----------
        chosen : ndarray of bool of shape (n_samples,)

        Raises
        ------
        RefusedError
            When they, or those left out, are too few ("cohort"), or differ by too few from a group
            that was told of ("differencing").
        """

    def few(self, chosen: Flags) -> bool:
        """Whether these patients are fewer than may be told of, and not none; nothing is told.

        Parameters
        ----------
        chosen : ndarray of bool of shape (n_samples,)
        """

    def parameters(self, number: int, chosen: Flags) -> None:
        """Take note of how many parameters exact sums over some of the patients would fit.

        Asked once they passed as a cohort or a cell. The refusal depends on how many they are, so
        it is remembered as if it were an answer about them.

        Parameters
        ----------
        number : int
        chosen : ndarray of bool of shape (n_samples,)

        Raises
        ------
        RefusedError
            When there are too many for these patients ("parameters"): sums that fit about as many
            parameters as there are patients repeat their values.
        """

    def table(
        self,
        cells: Codes,
        shape: tuple[int, ...],
        *,
        missing: Cells | None = None,
        veiled: Cells | None = None,
    ) -> Shown:
        """Patients by cell, the small cells and those that would give them away suppressed.

        Totals over any axis, and over all cells, are taken to be known to whoever asks, see
        `fedlab.core.suppression`. A cell that differs by too few from a group that was told of is
        suppressed as if it were small; so a single group passes as a table of one cell.

        Parameters
        ----------
        cells : ndarray of int of shape (n_samples,)
            The cell of each row, counted through `shape` in C order; -1 for rows of no cell.
        shape : tuple of int
        missing : ndarray of bool of that shape, optional
            Cells of patients without a value. Small ones are suppressed like others, unless the
            site's policy lets them be told (`Policy.missing_cells`): then neither they nor what
            differs by them is held back.
        veiled : ndarray of bool of that shape, optional
            Cells of which it is not told either that nobody is in them: such as who asks has made
            so that one patient of interest may be in them and hardly anybody else.
        """

    def blocks(
        self,
        cells: Codes,
        n_cells: int,
        *,
        fixed: tuple[int, ...] = (),
        groups: Codes | None = None,
    ) -> Codes:
        """Runs of neighbouring cells that together may be told, as the block of each cell.

        For cells in an order, such as bins of a number or of time: small ones are put together
        with their neighbours until each block holds enough patients, and what an earlier answer
        would give away with these is put together too. Where blocks end is read off the rows: it
        tells that between two ends there are at least as many as the minimum, and that fewer
        cells than these would not have held them.

        Parameters
        ----------
        cells : ndarray of int of shape (n_samples,)
            From 0 to below `n_cells`; -1 for rows of no cell.
        n_cells : int
        fixed : tuple of int, optional
            Cells before which a block has to end whatever it holds, such as a threshold. Blocks
            between two of these may be of nobody, and small ones are not told.
        groups : ndarray of int of shape (n_samples,), optional
            A group of each row, from 0: then of each of them a block holds nobody or enough.

        Returns
        -------
        ndarray of int of shape (n_cells,)
            Rising from 0; -1 for cells that are not told. With neither `fixed` nor an answer
            before, that is all of them or none.
        """
