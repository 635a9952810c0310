"""One deal of sites, some of them bad, on which rules are tried."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pandas as pd

from fedlab.attacks.hostile import Hostile
from fedlab.attacks.poisons import Poison, flip_labels
from fedlab.core.assignment import LabelSkew, assign
from fedlab.core.model import Model
from fedlab.core.seeds import generator
from fedlab.errors import MessageError, TrainingError
from fedlab.federation import Federation
from fedlab.partitioning import text_as_categories
from fedlab.site import Policy, Site
from fedlab.strategies import Averaging

__all__ = ["Trial", "with_classes"]


def with_classes(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """The table with text as categories, and the target among them, its classes in order."""
    known = text_as_categories(frame).reset_index(drop=True)
    column = known[target]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return known
    classes = [str(value) for value in sorted(column.dropna().unique())]
    return known.assign(**{target: pd.Categorical(column.astype(str), categories=classes)})


class Trial:
    """Sites of one deal, some of them bad, on which every rule is tried."""

    def __init__(
        self,
        frame: pd.DataFrame,
        target: str,
        skew: LabelSkew | None,
        n_sites: int,
        n_bad: int,
        test_size: float,
        seed: int,
        poison: Poison | None,
    ) -> None:
        held_out = generator(seed, "held out").permutation(len(frame)) < test_size * len(frame)
        self._held_out, rows = frame[held_out], frame[~held_out].reset_index(drop=True)
        codes = np.asarray(rows[target].cat.codes, dtype=np.int64)
        where = assign(codes, n_sites, skew=skew, seed=seed)
        names = [f"site-{number + 1:02d}" for number in range(n_sites)]
        drawn = generator(seed, "bad sites").choice(n_sites, n_bad, replace=False)
        bad = {} if poison is None else {names[place]: poison for place in sorted(drawn)}
        turned = flip_labels(rows, target) if any(p.turns_labels for p in bad.values()) else rows
        self._target = target
        self._federation = Federation(
            [
                Site(
                    name,
                    (turned if name in bad else rows)[where == number],
                    target=target,
                    test_size=0.0,
                    policy=Policy(minimum_rows=1),
                )
                for number, name in enumerate(names)
            ],
            seed=seed,
            engine=Hostile(bad),
        )

    def accuracy(self, model: Model, strategy: Averaging, rounds: int) -> tuple[float, bool]:
        """Held-out accuracy, and whether the run came to its end."""
        run = self._federation.train(model, strategy=strategy, evaluate=False)
        # A rule that fails lets parameters grow without bounds; the last finite ones are judged.
        with np.errstate(over="ignore", invalid="ignore"):
            with suppress(TrainingError, MessageError):
                run.run(rounds, progress=False)
            predicted = run.model.predict(self._held_out.drop(columns=self._target))
        truth = self._held_out[self._target].astype(str).to_numpy()
        return float((predicted == truth).mean()), run.round == rounds
