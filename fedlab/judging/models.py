"""A model of the analyst's, whatever it is, as the bytes that travel to sites."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedlab.core.foreign import digest_of
from fedlab.errors import DataError, FedlabError

__all__ = ["ModelFile", "as_file"]


@dataclass(frozen=True)
class ModelFile:
    """A model file, and what is known of it beside its bytes.

    Attributes
    ----------
    file : bytes
    labels : tuple
        The classes in the order of its probabilities, where they are known.
    says : str
        What it is, in words.
    """

    file: bytes
    labels: tuple[Any, ...] = ()
    says: str = ""

    def __repr__(self) -> str:
        return f"ModelFile({self.says!r}, {self.digest[:23]}…, {len(self.file):,} bytes)"

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of the file, as approvals name it."""
        return digest_of(self.file)


def as_file(model: Any) -> ModelFile:
    """The bytes of a model; the same model gives the same bytes.

    Parameters
    ----------
    model : Training, ExportedModel, fitted estimator, bytes or path
        A run and its export travel as ONNX, an estimator of scikit-learn as a skops archive. A path
        is of an ONNX file, a skops archive or an exported folder.

    Raises
    ------
    DataError
        When it is none of these, is not fitted, or cannot be put into an archive.
    """
    from fedlab.export import ExportedModel
    from fedlab.training import Training

    if isinstance(model, bytes):
        return ModelFile(model, says="bytes")
    if isinstance(model, str | Path):
        return _from_path(Path(model))
    if isinstance(model, ExportedModel):
        return ModelFile(model.graph, model.manifest.classes, f"export of {model.manifest.run}")
    if isinstance(model, Training):
        return _from_run(model)
    return _from_estimator(model)


def _from_path(path: Path) -> ModelFile:
    if path.is_dir():
        from fedlab.export import load

        return as_file(load(path))
    try:
        return ModelFile(path.read_bytes(), says=path.name)
    except OSError as error:
        raise DataError(
            "A model is judged from a file that can be read.",
            f"{type(error).__name__} for {path.name!r}",
            "Check the path.",
        ) from None


def _from_run(run: Any) -> ModelFile:
    from fedlab.core.trees.onnx import to_onnx_trees
    from fedlab.export.graph import to_onnx
    from fedlab.export.kinds import classes_of, grown

    problem, fitted = run.problem, run.model
    if grown(fitted):
        file = to_onnx_trees(problem.model, run.state.parameters, problem.space)
    else:
        file = to_onnx(fitted, problem.space)
    return ModelFile(file, classes_of(fitted), f"{type(problem.model).__name__} of {run.id}")


def _from_estimator(model: Any) -> ModelFile:
    import numpy as np
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    from fedlab.export.estimators import packed

    # A search is judged by what it found; how it searched need not travel.
    model = getattr(model, "best_estimator_", model)
    name = type(model).__name__
    if not isinstance(model, BaseEstimator):
        raise DataError(
            "A model to judge is a run, its export, a fitted scikit-learn estimator, or ONNX.",
            name,
            "Pass e.g. fed.evaluate('model.onnx').",
        )
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise DataError("A model to judge must be fitted.", name, "Call fit first.") from None
    try:
        file = packed(model)
    except FedlabError:
        raise
    # skops raises many kinds for what it cannot write.
    except Exception as error:
        raise DataError(
            "An estimator travels as a skops archive, which holds no functions of your own.",
            f"{name}, of which skops makes none ({type(error).__name__})",
            "Export it as ONNX, and pass that file.",
        ) from None
    labels = np.asarray(getattr(model, "classes_", ()))
    return ModelFile(file, tuple(labels.tolist()) if labels.ndim == 1 else (), name)
