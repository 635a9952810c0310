"""What a skops archive may hold: a short list of types.

Trees are not on it. scikit-learn walks their nodes without a look at where those lead, so that a
forged file could make it read memory beside them; skops does not trust them either. They travel as
ONNX alone.
"""

from __future__ import annotations

from typing import Any

__all__ = ["KNOWN", "TRUSTED", "is_known"]

KNOWN: dict[str, set[str]] = {
    "builtins.dict": {"DictNode"},
    "builtins.list": {"ListNode"},
    "builtins.slice": {"SliceNode"},
    "builtins.str": {"JsonNode", "TypeNode"},
    "builtins.tuple": {"TupleNode"},
    "fedlab.core.cox_estimator.CoxEstimator": {"ObjectNode"},
    "numpy.dtype": {"DTypeNode"},
    "numpy.float64": {"TypeNode"},
    "numpy.ndarray": {"NdArrayNode"},
    "sklearn._loss._loss.CyHalfPoissonLoss": {"LossNode"},
    "sklearn._loss.link.Interval": {"ObjectNode"},
    "sklearn._loss.link.LogLink": {"ObjectNode"},
    "sklearn._loss.loss.HalfPoissonLoss": {"ObjectNode"},
    "sklearn.cluster._kmeans.KMeans": {"ObjectNode"},
    "sklearn.compose._column_transformer.ColumnTransformer": {"ObjectNode"},
    "sklearn.decomposition._pca.PCA": {"ObjectNode"},
    "sklearn.impute._base.SimpleImputer": {"ObjectNode"},
    "sklearn.kernel_approximation.RBFSampler": {"ObjectNode"},
    "sklearn.linear_model._base.LinearRegression": {"ObjectNode"},
    "sklearn.linear_model._glm.glm.PoissonRegressor": {"ObjectNode"},
    "sklearn.linear_model._logistic.LogisticRegression": {"ObjectNode"},
    "sklearn.linear_model._perceptron.Perceptron": {"ObjectNode"},
    "sklearn.linear_model._ridge.Ridge": {"ObjectNode"},
    "sklearn.linear_model._stochastic_gradient.SGDClassifier": {"ObjectNode"},
    "sklearn.linear_model._stochastic_gradient.SGDRegressor": {"ObjectNode"},
    "sklearn.naive_bayes.BernoulliNB": {"ObjectNode"},
    "sklearn.naive_bayes.GaussianNB": {"ObjectNode"},
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier": {"ObjectNode"},
    "sklearn.neural_network._multilayer_perceptron.MLPRegressor": {"ObjectNode"},
    "sklearn.pipeline.Pipeline": {"ObjectNode"},
    "sklearn.preprocessing._data.StandardScaler": {"ObjectNode"},
    "sklearn.preprocessing._encoders.OneHotEncoder": {"ObjectNode"},
    "sklearn.preprocessing._function_transformer.FunctionTransformer": {"ObjectNode"},
    "sklearn.preprocessing._label.LabelBinarizer": {"ObjectNode"},
    "sklearn.svm._classes.LinearSVC": {"ObjectNode"},
}
"""Type and the skops loader that may build it."""
# The types of the list that skops leaves for its caller to trust. A dtype holds an empty array; the
# model of survival is numbers and text, beside a pipeline.
TRUSTED = ["fedlab.core.cox_estimator.CoxEstimator", "numpy.dtype"]


def is_known(node: dict[str, Any]) -> bool:
    """Whether a part of an archive's description is of the list."""
    kind = f"{node.get('__module__')}.{node.get('__class__')}"
    if node.get("__loader__") not in KNOWN.get(kind, ()):
        return False
    if node["__loader__"] != "LossNode":
        return True
    # Compiled code makes it from its arguments and its state, and needs none of either.
    arguments, state = node["__reduce__"]["args"], node["content"]
    return not arguments["content"] and not state["content"]
