"""Figures of merit from counts of scores, so that no single score has to be known."""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["from_histogram"]


def from_histogram(counts: Array) -> dict[str, float]:
    """Accuracy, sensitivity, specificity, precision, F1 and area under the ROC curve.

    Parameters
    ----------
    counts : ndarray of shape (2, n_bins)
        Rows by true class and by predicted probability in equal bins from 0 to 1; an even number of
        bins, so that the threshold 0.5 is an edge. Noise may have made counts negative: those are
        taken as zero.

    Returns
    -------
    dict of str to float
        NaN where a figure is a share of no rows. F1, the harmonic mean of precision and
        sensitivity, is of the second class; it is 0 where none of its rows are found. The area
        counts two rows in one bin as tied, so it is off by at most half the share of pairs that
        share a bin.

    Examples
    --------
    >>> from_histogram(np.array([[6.0, 2.0], [1.0, 3.0]]))["accuracy"]
    0.75
    """
    negative, positive = np.maximum(counts, 0.0)
    half = counts.shape[1] // 2
    low, high = negative[:half].sum(), positive[half:].sum()
    n_negative, n_positive = negative.sum(), positive.sum()
    called = high + negative[half:].sum()
    below = np.cumsum(negative) - negative / 2
    return {
        "accuracy": _share(low + high, n_negative + n_positive),
        "sensitivity": _share(high, n_positive),
        "specificity": _share(low, n_negative),
        "precision": _share(high, called),
        "f1": _share(2 * high, called + n_positive),
        "auc": _share(float(positive @ below), n_positive * n_negative),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else np.nan
