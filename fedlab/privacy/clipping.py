"""Bounds on what one row, or one site, can change: clip each to a norm before anything is added."""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["clip_factors", "clipped_sum", "pack_symmetric", "unpack_symmetric"]


def clip_factors(norms: Array, limit: float) -> Array:
    """What each is multiplied by so that its norm is at most `limit`.

    An infinite norm is multiplied by 0.

    Examples
    --------
    >>> clip_factors(np.array([0.0, 2.0, 8.0]), 4.0).tolist()
    [1.0, 1.0, 0.5]
    """
    factors: Array = np.minimum(1.0, limit / np.maximum(norms, 1e-300))
    return factors


def clipped_sum(rows: Array, limit: float) -> Array:
    """Sum of vectors of which each is clipped to a Euclidean norm of `limit`.

    Adding or removing one changes it by at most `limit` (Abadi et al. 2016, algorithm 1).

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_values)
    limit : float

    Returns
    -------
    ndarray of shape (n_values,)

    Examples
    --------
    >>> clipped_sum(np.array([[3.0, 4.0], [0.5, 0.0]]), 1.0)
    array([1.1, 0.8])
    """
    # A vector too long to square has infinite length, and is clipped to nothing.
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
    total: Array = (rows * clip_factors(norms, limit)).sum(axis=0)
    return total


def pack_symmetric(matrices: Array) -> Array:
    """Upper triangles as one vector whose Euclidean norm is the matrices' Frobenius norm.

    Parameters
    ----------
    matrices : ndarray of shape (..., n, n)
        Symmetric.

    Examples
    --------
    >>> packed = pack_symmetric(np.array([[1.0, 2.0], [2.0, 4.0]]))
    >>> float(np.linalg.norm(packed))
    5.0
    >>> unpack_symmetric(packed, (2, 2)).round(12).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    row, column = np.triu_indices(matrices.shape[-1])
    packed: Array = matrices[..., row, column] * np.where(row == column, 1.0, np.sqrt(2.0))
    return packed.ravel()


def unpack_symmetric(packed: Array, shape: tuple[int, ...]) -> Array:
    """Undo `pack_symmetric`; symmetric whatever noise was added."""
    row, column = np.triu_indices(shape[-1])
    matrices = np.zeros(shape)
    parts = packed.reshape(*shape[:-2], len(row)) / np.where(row == column, 1.0, np.sqrt(2.0))
    matrices[..., row, column] = parts
    matrices[..., column, row] = parts
    return matrices
