"""Random forests from summed histograms, all trees a level a round.

The forest is that of Breiman 2001 on bins (as Ke et al. 2017, algorithm 1, count them): since
counts add up over sites, every split, hence every tree, is that of the pooled rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.seeds import generator
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.forest import Forest
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.nodes import add_children, nodes_of
from fedlab.core.trees.sampling import draw_features
from fedlab.errors import TrainingError
from fedlab.queries import Answer, Bootstrap, ForestHistogram, Histogram, OutOfBag, Query, Tally
from fedlab.strategies.binning import Binning
from fedlab.strategies.growing import FINISHED, GROWING, JUDGING, Growing, reads_of
from fedlab.strategies.strategy import Problem, State
from fedlab.strategies.tree_state import (
    Asked,
    Splits,
    split_classes,
    split_numbers,
    sum_cells,
)

__all__ = ["FedForest"]

CELLS = 1 << 23
"""Most numbers that a site sends a round; open nodes beyond it wait for the next."""


class FedForest(Growing, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Grow a random forest of the pooled rows, which stay where they are.

    Rounds agree on bins, then each asks for histograms at all open nodes of all trees; where they
    would be too large, at the first of them. Counts are exact: no record-level privacy is offered.

    Parameters
    ----------
    pooled : dict of str to int
        For reproducing a federated forest on one pooled table: names and training rows of the
        sites whose rows it holds, in order. Each row is then drawn as at its site.

    Examples
    --------
    >>> FedForest().can_be_private
    False
    """

    pooled: dict[str, int] = {}

    what: ClassVar[str] = "forest"

    def grown(self, problem: Problem) -> Forest:
        """The model, where it is one of these trees."""
        if not isinstance(problem.model, Forest):
            raise TrainingError(
                "FedForest grows random forests.",
                f"{type(problem.model).__name__}",
                "Leave strategy out to use the one that fits the model.",
            )
        return problem.model

    def ask(self, problem: Problem, state: State) -> Query:
        """Histograms of open nodes, or sums out of bag."""
        model = self.grown(problem)
        bins = Bins.carried(state.carried)
        nodes = nodes_of(state.parameters, bins)
        if int(state.carried["phase"]) == GROWING:
            asked = self._asked(problem, state, bins)
            center, half = state.carried["range"].tolist()
            return ForestHistogram(
                space=problem.space,
                reads=reads_of(model),
                bins=bins,
                nodes=nodes,
                n_trees=model.n_trees,
                tree=asked.tree,
                node=asked.node,
                features=asked.features,
                begin=asked.begin,
                bootstrap=self._bootstrap(model),
                center=center,
                half=half,
            )
        return OutOfBag(
            space=problem.space,
            reads=reads_of(model),
            bins=bins,
            nodes=nodes,
            n_trees=model.n_trees,
            value=state.parameters["value"],
            bootstrap=self._bootstrap(model) or Bootstrap(model.seed),
        )

    def _bootstrap(self, model: Forest) -> Bootstrap | None:
        return Bootstrap(model.seed, self.pooled) if model.bootstrap else None

    def _asked(self, problem: Problem, state: State, bins: Bins) -> Asked:
        """The first open nodes, with the features each looks at; drawn anew from the round."""
        model = self.grown(problem)
        tree, node, depth, whole = state.carried["open"].astype(np.int32)
        random = generator(problem.seed, model.seed, state.round, "features")
        n_features = bins.n_features
        drawn = draw_features(random, len(node), n_features, model.n_drawn(n_features))
        channels = state.parameters["value"].shape[1] if reads_of(model) == "classes" else 3
        widths = bins.widths.astype(np.int64)
        size = np.where(whole > 0, widths.sum(), widths[drawn].sum(axis=1)) * channels
        fits = max(1, int(np.searchsorted(np.cumsum(size), CELLS, side="right")))
        order = np.argsort(tree[:fits], kind="stable")
        chosen = [
            random.permutation(n_features).astype(np.int32) if whole[i] else drawn[i] for i in order
        ]
        return Asked(
            tree[order],
            node[order],
            depth[order],
            whole[order],
            np.concatenate(chosen),
            np.concatenate([[0], np.cumsum([len(own) for own in chosen])]),
            state.carried["open"][:, fits:],
        )

    def grow(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Split the open nodes, or keep the score."""
        if int(state.carried["phase"]) == GROWING:
            return self._split(problem, state, answers)
        sums = {name: np.array(0.0) for name in _tally(next(iter(answers.values())))}
        for site in sorted(answers):
            for name, value in _tally(answers[site]).items():
                sums[name] = sums[name] + value[0]
        scored = Parameters({**state.parameters, "oob": np.array([_score(sums)])})
        carried = Parameters({**state.carried, "phase": np.array(float(FINISHED))})
        return State(state.round + 1, scored, carried)

    def plant(self, problem: Problem, state: State, known: Binning) -> State:
        """One open leaf a tree."""
        model = self.grown(problem)
        bins = known.bins(model.max_bins)
        roots = np.arange(model.n_trees, dtype=np.float64)
        carried = {
            "phase": np.array(float(GROWING)),
            **bins.carry(),
            "target": known.target,
            "range": np.array([known.center, known.half]),
            "open": np.stack([roots, roots, 0 * roots, 0 * roots]),
        }
        return State(state.round + 1, state.parameters, Parameters(carried))

    def _split(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        model, bins = self.grown(problem), Bins.carried(state.carried)
        asked = self._asked(problem, state, bins)
        cells = sum_cells(answers)
        splits: Splits
        if reads_of(model) == "classes":
            target = state.carried["target"]
            weight = _class_weight(getattr(model, "class_weight", None), target)
            splits = split_classes(cells, asked, bins, weight, model.min_samples_leaf)
        else:
            center, half = state.carried["range"].tolist()
            splits = split_numbers(cells, asked, bins, center, half, model.min_samples_leaf)
        table = {name: np.array(values) for name, values in state.parameters.items()}
        # What the drawn rows of a root are is known only now.
        for name in ("value", "count", "weight", "impurity"):
            table[name][asked.node] = splits.node[name]
        possible = (splits.feature >= 0) & (splits.node["count"] >= model.min_samples_split)
        possible &= splits.node["impurity"] > 0
        again = (splits.feature == -2) & (asked.whole == 0) & (splits.node["impurity"] > 0)
        again &= model.n_drawn(bins.n_features) < bins.n_features
        split = np.flatnonzero(possible)
        parents = asked.node[split]
        for name, values in (
            ("feature", splits.feature),
            ("missing_left", splits.missing_left),
            ("gain", splits.gain),
        ):
            table[name][parents] = values[split]
        table["threshold"][parents] = bins.threshold(splits.feature[split], splits.cut[split])
        children = {name: values[split] for name, values in splits.children.items()}
        fields = {n: v.reshape(2 * len(split), *v.shape[2:]) for n, v in children.items()}
        table, left = add_children(table, parents, fields)
        number = np.column_stack([left, left + 1]).ravel()
        depth = np.repeat(asked.depth[split] + 1, 2)
        open_ = fields["impurity"] > 0
        open_ &= fields["count"] >= max(model.min_samples_split, 2 * model.min_samples_leaf)
        if model.max_depth is not None:
            open_ &= depth < model.max_depth
        blank = np.zeros(len(number))
        new = np.stack([np.repeat(asked.tree[split], 2), number, depth, blank])[:, open_]
        retry = np.stack([asked.tree, asked.node, asked.depth, asked.whole + 1])[:, again]
        waiting = np.concatenate([asked.rest, retry, new], axis=1)
        phase = GROWING if waiting.shape[1] else JUDGING if model.oob_score else FINISHED
        carried = {**state.carried, "open": waiting, "phase": np.array(float(phase))}
        return State(state.round + 1, Parameters(table), Parameters(carried))

    def direction(self, answer: Answer) -> Parameters:
        """What the site counted, added up over cells: its rows by class, or their sums."""
        if isinstance(answer, Histogram):
            return answer.pull
        if isinstance(answer, Tally):
            return Parameters(answer.sums)
        return Parameters({"counts": np.asarray(getattr(answer, "target", 0.0), dtype=np.float64)})


def _class_weight(kind: str | None, rows: Array) -> Array:
    """Weights of scikit-learn's "balanced": all rows, by classes, by the rows of each class."""
    if kind is None:
        return np.ones(len(rows))
    seen = rows > 0
    return np.where(seen, rows.sum() / (seen.sum() * np.where(seen, rows, 1.0)), 1.0)


def _tally(answer: Answer) -> dict[str, Ints]:
    if not isinstance(answer, Tally):
        raise TypeError("out-of-bag scores come as tallies")
    return answer.sums


def _score(sums: Mapping[str, Array]) -> float:
    """Accuracy, or R^2; 0 where no row was out of any bag."""
    rows = float(sums["rows"])
    if rows == 0:
        return 0.0
    if "correct" in sums:
        return float(sums["correct"]) / rows
    about_mean = float(sums["y_squares"]) - float(sums["y"]) ** 2 / rows
    return 1 - float(sums["squares"]) / about_mean if about_mean > 0 else 0.0
