"""Gradient boosting from summed histograms, a level of the growing trees a round.

Second-order boosting on bins: Chen and Guestrin 2016 (equations 5 to 7), Ke et al. 2017
(algorithm 1); sums over sites in place of sums over rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.fixed import SUM_BITS, hessian_bits
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.nodes import add_children, empty_table, frozen, nodes_of
from fedlab.errors import TrainingError
from fedlab.queries import Answer, BoostHistogram, Histogram, Query
from fedlab.strategies.binning import Binning
from fedlab.strategies.boost_sums import Level, kept_sums, nodes_asked, without_sums
from fedlab.strategies.growing import FINISHED, GROWING, Growing, reads_of
from fedlab.strategies.strategy import Problem, State

__all__ = ["FedBoost"]

MINIMUM_HESSIAN = 1e-3


class FedBoost(Growing, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Boost trees of the pooled rows, which stay where they are.

    Rounds agree on bins, then each asks for sums of gradients and hessians at the open nodes of
    the trees that grow. Sites are sent all trees, so they need remember nothing. Sums are exact:
    no record-level privacy is offered.

    Examples
    --------
    >>> FedBoost()
    FedBoost()
    """

    what: ClassVar[str] = "boosted model"

    def grown(self, problem: Problem) -> Boosting:
        """The model, where it is one of these trees."""
        if not isinstance(problem.model, Boosting):
            raise TrainingError(
                "FedBoost boosts trees.",
                f"{type(problem.model).__name__}",
                "Leave strategy out to use the one that fits the model.",
            )
        return problem.model

    def ask(self, problem: Problem, state: State) -> Query:
        """Histograms of open nodes."""
        model = self.grown(problem)
        bins = Bins.carried(state.carried)
        bits, shift = hessian_bits(problem.total_rows)
        tree, node, _ = state.carried["open"].astype(np.int32)
        asked = nodes_asked(state)
        return BoostHistogram(
            model=model,
            space=problem.space,
            bins=bins,
            nodes=nodes_of(state.parameters, bins),
            roots=state.parameters["roots"],
            value=state.parameters["value"][:, 0],
            baseline=state.parameters["baseline"],
            finished=int(state.carried["iterations"]),
            tree=tree[asked],
            node=node[asked],
            half=float(state.carried["range"][1]),
            bits=bits,
            shift=shift,
        )

    def plant(self, problem: Problem, state: State, known: Binning) -> State:
        """No tree yet."""
        model = self.grown(problem)
        baseline = model.baseline(known.target, known.center, known.half)
        table = dict(state.parameters) | {"baseline": baseline}
        half = known.half if reads_of(model) == "numbers" else 1.0
        carried = {
            "phase": np.array(float(GROWING)),
            **known.bins(model.max_bins).carry(),
            "range": np.array([known.center, half]),
            "iterations": np.array(0.0),
        }
        return _plant(state.round + 1, table, carried, len(baseline))

    def grow(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Split the open nodes of largest gain."""
        from fedlab.core.trees import gains

        model, bins = self.grown(problem), Bins.carried(state.carried)
        tree, node, depth = state.carried["open"].astype(np.int64)
        half = float(state.carried["range"][1])
        bits, shift = hessian_bits(problem.total_rows)
        unit = 2.0**-bits if reads_of(model) == "classes" else 0.0
        present, widths = bins.present, bins.widths

        def best(cells: Ints) -> tuple[Array, ...]:
            return gains.best_boost(
                cells, present, widths, shift, 2.0**-SUM_BITS, unit,
                model.l2, model.min_samples_leaf, MINIMUM_HESSIAN,
            )  # fmt: skip

        level = Level(state, answers, bins.n_cells)
        feature, cut, missing_left, missing, gain, sums = (
            np.concatenate(parts) for parts in zip(*level.each(best), strict=True)
        )
        leaves = state.carried["leaves"].astype(np.int64)
        split = _chosen(feature, gain, tree, node, leaves, model.max_leaf_nodes)
        left_sums = sums[split, 1]
        sides = np.stack([left_sums, sums[split, 0] - left_sums], axis=1)
        step = -model.learning_rate * half * sides[..., 0] / (sides[..., 1] + model.l2)
        count = sides[..., 2]
        to_left = np.where(missing[split], missing_left[split], count[:, 0] > count[:, 1])
        table: dict[str, Array] = dict(state.parameters)
        baseline = table.pop("baseline")
        parents = node[split]
        fields = {"value": step.reshape(-1, 1), "count": count.ravel(), "weight": count.ravel()}
        table, left = add_children(table, parents, fields)
        table["baseline"] = baseline
        table["feature"][parents] = feature[split]
        table["threshold"][parents] = bins.threshold(feature[split], cut[split])
        table["missing_left"][parents] = to_left
        table["gain"][parents] = gain[split]
        roots = depth == 0
        table["count"][node[roots]] = sums[roots, 0, 2]
        number = np.column_stack([left, left + 1]).ravel()
        child_tree, child_depth = np.repeat(tree[split], 2), np.repeat(depth[split] + 1, 2)
        open_ = fields["count"] >= 2 * model.min_samples_leaf
        open_ &= sides[..., 1].ravel() >= 2 * MINIMUM_HESSIAN
        if model.max_depth is not None:
            open_ &= child_depth < model.max_depth
        if model.max_leaf_nodes is not None:
            open_ &= leaves[child_tree] < model.max_leaf_nodes
        waiting = np.stack([child_tree, number, child_depth])[:, open_].astype(np.float64)
        carried = {**without_sums(state.carried), "open": waiting}
        carried["leaves"] = leaves.astype(np.float64)
        if waiting.shape[1]:
            with_both = open_.reshape(-1, 2).all(axis=1)
            carried["sums"] = kept_sums(level.cells, split[with_both])
            return State(state.round + 1, frozen(table), Parameters(carried))
        carried["iterations"] = carried["iterations"] + 1
        if int(carried["iterations"]) == model.n_trees:
            carried["phase"] = np.array(float(FINISHED))
            return State(state.round + 1, frozen(table), Parameters(carried))
        return _plant(state.round + 1, table, carried, len(baseline))

    def past(self, state: State) -> State:
        """The state without the sums of the nodes that were split last."""
        return State(state.round, state.parameters, Parameters(without_sums(state.carried)))

    def direction(self, answer: Answer) -> Parameters:
        """The site's sums over cells: of gradients, and of hessians packed with rows."""
        if isinstance(answer, Histogram):
            return answer.pull
        return Parameters({"counts": np.asarray(getattr(answer, "target", 0.0), dtype=np.float64)})


def _plant(
    round: int, table: Mapping[str, Array], carried: Mapping[str, Array], n_outputs: int
) -> State:
    """Begin the next iteration with one root an output."""
    before = len(table["left"])
    roots = empty_table(n_outputs, np.zeros(1))
    grown = {
        name: values if name == "baseline" else np.concatenate([values, roots[name]])
        for name, values in table.items()
    }
    grown["roots"][len(table["roots"]) :] += before
    number = before + np.arange(n_outputs, dtype=np.float64)
    open_ = np.stack([number - before, number, 0 * number])
    ready = {**carried, "open": open_, "leaves": np.ones(n_outputs)}
    return State(round, frozen(grown), Parameters(ready))


def _chosen(
    feature: Ints, gain: Array, tree: Ints, node: Ints, leaves: Ints, most: int | None
) -> Ints:
    """Open nodes to split, those of largest gain first, in order of number; counts `leaves` up."""
    chosen = []
    for i in np.lexsort((node, -gain)):
        if feature[i] >= 0 and (most is None or leaves[tree[i]] < most):
            leaves[tree[i]] += 1
            chosen.append(int(i))
    return np.array(sorted(chosen), dtype=np.int64)
