"""The way from a site's own columns to a model, as a scikit-learn pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.core.space import Space
from fedlab.core.vocabulary import Vocabulary, unused_name

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["as_pipeline"]


def as_pipeline(space: Space, final: Any, *, n_samples: int) -> Pipeline:
    """A fitted pipeline that takes rows in the sites' own columns and ends in `final`.

    It scales, fills a missing number with the federation's value and makes indicator columns, to
    the bit as ``space.matrix`` does; ``predict`` and the rest work as after an ordinary ``fit``.
    A missing category is NaN, as pandas writes it; None in a column of objects counts as unseen.

    Parameters
    ----------
    space : Space
    final : estimator
        Already fitted, on the columns of ``space.matrix``.
    n_samples : int
        Training rows over all sites.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    # A category all of whose values are rare and dropped has no column at all.
    categories = {name: each for name, each in space.vocabulary.items() if each.columns}
    blocks = [
        ("numbers", _numeric(space), [column.name for column in space.numbers]),
        ("categories", _indicators(categories), list(categories)),
    ]
    columns = ColumnTransformer([block for block in blocks if block[2]])
    # scikit-learn learns shapes and names from a table of made-up rows; every number it learned
    # from them is then replaced by the federation's.
    columns.fit(_made_up_rows(space))
    if space.numbers:
        steps = getattr(columns.named_transformers_["numbers"], "named_steps", {})
        if "standardscaler" in steps:
            scaler = steps["standardscaler"]
            scaler.mean_ = np.array(space.scaling["mean"])
            scaler.scale_ = np.array(space.scaling["scale"])
            scaler.var_ = scaler.scale_**2
            scaler.n_samples_seen_ = n_samples
        if "simpleimputer" in steps:
            steps["simpleimputer"].statistics_ = space.filled
    if any(each.fill is not None for each in categories.values()):
        imputer = columns.named_transformers_["categories"].named_steps["simpleimputer"]
        fills = [_fill(each) for each in categories.values()]
        imputer.statistics_ = np.array(fills, dtype=object)
    return make_pipeline(columns, final)


def _numeric(space: Space) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if space.keeps_missing:
        return make_pipeline(StandardScaler()) if space.scaled else "passthrough"
    filler = SimpleImputer(strategy="constant", fill_value=0.0)
    return make_pipeline(StandardScaler(), filler) if space.scaled else make_pipeline(filler)


def _indicators(vocabulary: Mapping[str, Vocabulary]) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    known = [
        # The bucket's name is no value, but a column that is to exist needs an infrequent one.
        [*each.kept, *(each.rare if each.bucket else ()), *([each.bucket] if each.unseen else ())]
        for each in vocabulary.values()
    ]
    # What is kept occurs twice in the made-up rows, and what shares the bucket never.
    shared = any(each.bucket for each in vocabulary.values())
    unseen = any(each.unseen for each in vocabulary.values())
    encoder = OneHotEncoder(
        categories=[np.array(names, dtype=object) for names in known],
        handle_unknown="infrequent_if_exist" if unseen else "ignore",
        min_frequency=2 if shared else None,
        sparse_output=False,
    )
    if all(each.fill is None for each in vocabulary.values()):
        return encoder
    return make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)


def _fill(vocabulary: Vocabulary) -> str:
    if vocabulary.fill is not None:
        return vocabulary.fill
    # Beside columns that are filled, one that is not gets a text that stands for no category.
    return unused_name("(missing)", [*vocabulary.columns, *vocabulary.rare])


def _made_up_rows(space: Space) -> pd.DataFrame:
    vocabulary = space.vocabulary
    longest = max((len(each.kept) for each in vocabulary.values()), default=1)
    n_rows = 2 * max(longest, 1)
    filled: dict[str, object] = {}
    for column in space.schema.columns:
        if column.kind == "number":
            filled[column.name] = np.arange(n_rows) % 2.0
        else:
            # A column that keeps nothing sees a value once, which is seldom enough.
            kept = [*vocabulary[column.name].kept] * 2
            some: list[Any] = kept or [vocabulary[column.name].rare[0]]
            rest: list[Any] = kept[:1] or [None]
            filled[column.name] = pd.Series([*some, *rest * (n_rows - len(some))], dtype=object)
    return pd.DataFrame(filled)
