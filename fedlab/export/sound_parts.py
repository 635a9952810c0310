"""Whether arrays of a loaded estimator have the shapes that compiled code takes for granted.

Of the types that fedlab reads, two hand their arrays to code that does not look where they lead:
k-means, which reads its centres, and the one-hot encoder, which writes where it was told to. All
others go through numpy, which looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["is_sound"]


def is_sound(model: Any) -> bool:
    """Whether every k-means and every one-hot encoder inside fits itself."""
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import OneHotEncoder

    # Without what is asked for here they were not fitted, and raise when they are used.
    for part in _parts(model, set()):
        centres = isinstance(part, KMeans) and hasattr(part, "cluster_centers_")
        if centres and not _sound_centres(part):
            return False
        lists = isinstance(part, OneHotEncoder) and hasattr(part, "categories_")
        if lists and not _sound_encoder(part):
            return False
    return True


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Everything that the value holds, itself first."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    inner: list[Any] = []
    if isinstance(value, list | tuple):
        inner = list(value)
    elif isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, np.ndarray):
        inner = value.ravel().tolist() if value.dtype == object else []
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        inner = list(vars(value).values())
    for each in inner:
        yield from _parts(each, seen)


def _sound_centres(clusters: Any) -> bool:
    centres = clusters.cluster_centers_
    return (
        type(centres) is np.ndarray
        and centres.dtype == np.float64
        and centres.flags.c_contiguous
        and len(centres) > 0
        and centres.shape == (len(centres), clusters.n_features_in_)
        and clusters._n_threads == 1
    )


def _sound_encoder(encoder: Any) -> bool:
    """Whether each category leads to a column that exists."""
    usual = (
        encoder.drop is None
        and encoder._drop_idx_after_grouping is None
        and encoder.sparse_output is False
        and encoder.dtype is np.float64
        and encoder.handle_unknown in ("ignore", "infrequent_if_exist")
        and type(encoder.categories_) is list
        and type(encoder._infrequent_enabled) is bool
    )
    if not usual:
        return False
    nothing = [None] * len(encoder.categories_)
    shared = encoder._infrequent_enabled
    rare = encoder._infrequent_indices if shared else nothing
    mappings = encoder._default_to_infrequent_mappings if shared else nothing
    widths = [
        _width(listed, some, mapping)
        for listed, some, mapping in zip(encoder.categories_, rare, mappings, strict=True)
    ]
    return None not in widths and encoder._n_features_outs == widths


def _width(listed: Any, rare: Any, mapping: Any) -> int | None:
    """Columns of one list of categories, or None where it does not fit itself."""
    if type(listed) is not np.ndarray or listed.dtype != object or listed.ndim != 1:
        return None
    texts = listed.tolist()
    if not all(type(text) is str for text in texts) or len(set(texts)) < len(texts):
        return None
    if rare is None and mapping is None:
        return len(texts)
    places = np.arange(len(texts))
    if type(rare) is not np.ndarray or type(mapping) is not np.ndarray or not len(rare):
        return None
    if (
        rare.dtype != np.int64
        or len(np.unique(rare)) < len(rare)
        or not np.isin(rare, places).all()
    ):
        return None
    kept = ~np.isin(places, rare)
    led = np.where(kept, np.cumsum(kept) - 1, kept.sum())
    fits = mapping.dtype == np.int64 and np.array_equal(mapping, led)
    return int(kept.sum()) + 1 if fits else None
