"""Estimators of scikit-learn from an archive of skops: looked at, rebuilt, and asked about rows.

skops rebuilds objects from a description in JSON and arrays in numpy's format. Nothing is ever
unpickled, no function is ever named: of the loaders that skops has, those that look up a function,
a method or an operator are not let through, whatever they name.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np

from fedlab.core.foreign import Feed, Plan, Seen
from fedlab.core.foreign_outputs import NoShapeError, StrangeFileError, as_numbers
from fedlab.core.foreign_trees import trees_are_sound
from fedlab.core.parameters import Array
from fedlab.core.skops_archive import DESCRIPTION, LOWEST_PROTOCOL, nodes

__all__ = ["METHODS", "is_let_through", "open_estimator"]

METHODS = ("predict_proba", "decision_function", "predict")
MOST_MEMBERS = 20_000
MOST_BYTES = 1 << 30
LOADERS = {
    "builtins": {"DictNode", "JsonNode", "ListNode", "SetNode", "SliceNode", "TupleNode",
                 "TypeNode"},
    "numpy": {"DTypeNode", "NdArrayNode", "TypeNode"},
    "numpy.random._generator": {"RandomGeneratorNode"},
    "numpy.random.mtrand": {"RandomStateNode"},
    "scipy.sparse": {"SparseMatrixNode"},
    "sklearn._loss._loss": {"LossNode"},
    "sklearn.tree._tree": {"TreeNode"},
    "sklearn.utils._bunch": {"DictNode"},
}  # fmt: skip
"""By module, the loaders of skops that may build what it has."""
OURS = (
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
"""Types that skops leaves for its caller to trust: plain containers, and trees, looked at here."""
KERNELS = "sklearn.gaussian_process.kernels."
ROW_BY_ROW = tuple(
    f"sklearn.{each}."
    for each in (
        "_loss", "calibration", "cluster._kmeans", "compose", "decomposition._pca",
        "decomposition._truncated_svd", "discriminant_analysis", "dummy", "ensemble",
        "feature_selection", "gaussian_process", "impute._base", "impute._knn", "isotonic",
        "kernel_approximation", "linear_model", "mixture", "multiclass", "naive_bayes",
        "neighbors", "neural_network", "pipeline", "preprocessing", "random_projection",
        "svm", "tree", "utils",
    )
)  # fmt: skip
"""What predicts each row from that row alone. Others, such as NMF, iterate until the whole batch
has settled, and the score of one patient would tell of another."""


def is_let_through(node: dict[str, Any]) -> bool:
    """Whether a part of an archive's description may be built.

    Examples
    --------
    >>> node = {"__module__": "os", "__class__": "system", "__loader__": "FunctionNode"}
    >>> is_let_through(node)
    False
    """
    module, loader = str(node.get("__module__")), node.get("__loader__")
    if loader == "LossNode":
        # Compiled code makes it from its arguments and its state, and needs none of either.
        arguments, state = node["__reduce__"]["args"], node["content"]
        return module in LOADERS and not arguments["content"] and not state["content"]
    if loader == "ObjectNode":
        return f"{module}.".startswith(ROW_BY_ROW)
    root = module if module in LOADERS else module.split(".")[0]
    if module.startswith("scipy.sparse."):
        root = "scipy.sparse"
    return loader in LOADERS.get(root, ())


def open_estimator(
    file: bytes, plan: Plan | None
) -> tuple[Callable[[list[Any], int], Array], Seen]:
    """An estimator that was looked at, ready to run as planned.

    Raises
    ------
    StrangeFileError
        When the archive is damaged, or describes anything that is not run.
    """
    import pandas as pd
    import skops.io

    _check_archive(file)
    untrusted = set(skops.io.get_untrusted_types(data=file))
    strange = sorted(
        each for each in untrusted if each not in OURS and not each.startswith(KERNELS)
    )
    if strange:
        raise StrangeFileError(f"the type {strange[0][:80]!r}")
    model = skops.io.loads(file, trusted=sorted(untrusted))
    if not any(hasattr(model, method) for method in METHODS) or isinstance(model, type):
        raise StrangeFileError(f"a {type(model).__name__}, which predicts nothing")
    if not trees_are_sound(model):
        raise StrangeFileError("trees that do not fit themselves")

    def run(inputs: list[Any], n_rows: int) -> Array:
        if plan is None or plan.output not in METHODS:
            raise NoShapeError
        if len(plan.feeds) == 1 and not plan.feeds[0].name:
            table = inputs[0]
        else:
            table = pd.DataFrame(
                {
                    feed.name: _column(feed, each)
                    for feed, each in zip(plan.feeds, inputs, strict=True)
                }
            )
        return as_numbers(plan, getattr(model, plan.output)(table), n_rows)

    return run, _seen(model)


def _column(feed: Feed, values: Any) -> Any:
    import pandas as pd

    column = values[:, 0]
    if not feed.text:
        return column
    # Missing as pandas has it in a column of objects, which is what encoders were fitted on.
    return pd.Series([np.nan if text == "" else text for text in column], dtype=object)


def _seen(model: Any) -> Seen:
    names = getattr(model, "feature_names_in_", None)
    labels = np.asarray(getattr(model, "classes_", ()))
    return Seen(
        kind="skops",
        says=_named(model),
        inputs=(),
        outputs=(),
        operators=tuple(method for method in METHODS if hasattr(model, method)),
        labels=tuple(labels.tolist()) if labels.ndim == 1 else (),
        names=None if names is None else tuple(str(name) for name in names),
        n_features=int(getattr(model, "n_features_in_", 0)),
    )


def _named(model: Any) -> str:
    steps = getattr(model, "steps", None)
    name = type(model).__name__
    return f"{name} ending in {type(steps[-1][1]).__name__}" if steps else name


def _check_archive(file: bytes) -> None:
    try:
        archive = ZipFile(io.BytesIO(file))
    except BadZipFile:
        raise StrangeFileError("bytes that are no archive") from None
    members = archive.infolist()
    names = {member.filename for member in members}
    if len(members) > MOST_MEMBERS or len(names) < len(members) or DESCRIPTION not in names:
        raise StrangeFileError(f"an archive of {len(members)} members that is not skops's")
    for member in members:
        name = member.filename
        sound = name == DESCRIPTION or (name.endswith(".npy") and "/" not in name)
        plain = member.compress_type in (ZIP_STORED, ZIP_DEFLATED) and not member.flag_bits & 1
        if not sound or not plain:
            raise StrangeFileError("an archive with members that are not skops's")
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise StrangeFileError("an archive that swells")
    for name in sorted(names - {DESCRIPTION}):
        _check_array(archive.read(name))
    description = json.loads(archive.read(DESCRIPTION))
    if description.get("protocol", 0) < LOWEST_PROTOCOL:
        raise StrangeFileError("a protocol of skops before 2")
    for node in nodes(description):
        if not is_let_through(node):
            kind = f"{node.get('__module__')}.{node.get('__class__')}"
            raise StrangeFileError(f"the type {kind[:80]!r}")


def _check_array(data: bytes) -> None:
    # numpy makes room for as many values as a header claims before it looks whether they are there.
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise StrangeFileError("an array of another format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise StrangeFileError("an array that does not fill its shape")
