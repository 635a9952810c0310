"""An exported model, and what it says of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from fedlab.displays.tables import to_html
from fedlab.errors import ExportError
from fedlab.export.graph import onnx_inputs, refuse_gaps, session_of
from fedlab.export.kinds import OUTPUTS, Output
from fedlab.export.manifest import Manifest
from fedlab.export.signing import grouped

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["ExportedModel"]

METHODS = {
    OUTPUTS["probabilities"]: ("predict", "predict_proba"),
    OUTPUTS["scores"]: ("predict", "decision_function"),
    OUTPUTS["number"]: ("predict",),
    OUTPUTS["clusters"]: ("predict", "transform"),
    OUTPUTS["components"]: ("transform",),
    OUTPUTS["survival"]: ("predict", "predict_survival_function"),
}


@dataclass(frozen=True, repr=False, eq=False)
class ExportedModel:
    """A model whose files are those that were signed; made by `load` or an export.

    Predictions are those of the ONNX graph, which every export has. They are called as in
    scikit-learn, and what a model does not give is a clear error.

    Attributes
    ----------
    folder : Path
    estimator : Pipeline, CoxEstimator or None
        The fitted estimator, see `model`; None for trees.
    graph : bytes
        The same model as ONNX.
    manifest : Manifest
    card : str
        The model card in Markdown.
    signer : str
        Fingerprint of the key that signed.
    pinned : bool
        Whether that key is the one the reader asked for.
    """

    folder: Path
    estimator: Fitted | None
    graph: bytes
    manifest: Manifest
    card: str
    signer: str
    pinned: bool

    @property
    def model(self) -> Any:
        """The fitted scikit-learn estimator; takes rows in the sites' own columns.

        Raises
        ------
        ExportError
            For trees, which are exported as ONNX alone.
        """
        if self.estimator is None:
            raise ExportError(
                "Trees are exported as ONNX alone: scikit-learn follows their nodes without a look "
                "at where those lead, so none are made from a file.",
                "a request for the scikit-learn estimator of an export without one",
                "Use predict and the like of the export itself, or session().",
            )
        return self.estimator

    def predict(self, frame: pd.DataFrame) -> NDArray[Any]:
        """Classes, numbers, numbers of clusters or log hazard ratios, shape ``(n_samples,)``.

        Parameters
        ----------
        frame : DataFrame of shape (n_samples, n_columns)
            Rows in the sites' own columns.

        Raises
        ------
        ExportError
            For principal components, which predict nothing.
        DataError
            When a column is missing, or holds what it should not.
        """
        names: tuple[Output, ...] = ("label", "variable", "log_hazard")
        return self._output(frame, "predict", *names).reshape(-1)

    def predict_proba(self, frame: pd.DataFrame) -> NDArray[Any]:
        """Probabilities, shape ``(n_samples, n_classes)``, in the order of ``manifest.classes``.

        Raises
        ------
        ExportError
            When the model has none.
        """
        return self._output(frame, "predict_proba", "probabilities")

    def decision_function(self, frame: pd.DataFrame) -> NDArray[Any]:
        """Scores of a classifier without probabilities, as scikit-learn shapes them.

        Shape ``(n_samples,)`` for two classes, of which a positive score speaks for the second;
        else ``(n_samples, n_classes)``.

        Raises
        ------
        ExportError
            When the model has none.
        """
        scores = self._output(frame, "decision_function", "scores")
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def transform(self, frame: pd.DataFrame) -> NDArray[Any]:
        """Principal components, or distances to the centres of clusters.

        Shape ``(n_samples, n_components)`` or ``(n_samples, n_clusters)``.

        Raises
        ------
        ExportError
            When the model gives neither.
        """
        return self._output(frame, "transform", "components", "distances")

    def predict_survival_function(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Probability of no event until each time of the baseline hazard.

        Returns
        -------
        DataFrame of shape (n_samples, n_times)
            Columns are the times.

        Raises
        ------
        ExportError
            When the model is none of survival.
        """
        survival = self._output(frame, "predict_survival_function", "survival")
        times = self._output(frame, "predict_survival_function", "times")
        return pd.DataFrame(survival, frame.index, pd.Index(times, name="time"))

    def _output(self, frame: pd.DataFrame, asked: str, *outputs: Output) -> NDArray[Any]:
        given = [output for output in outputs if output in self.manifest.outputs]
        if not given:
            raise ExportError(
                f"{asked} needs a model that gives {' or '.join(outputs)}.",
                f"one that gives {', '.join(self.manifest.outputs)}",
                f"Use {' or '.join(METHODS[self.manifest.outputs])}.",
            )
        values = self._session.run(None, self.onnx_inputs(frame))
        found: NDArray[Any] = values[self.manifest.outputs.index(given[0])]
        return found

    @cached_property
    def _session(self) -> Any:
        return self.session()

    def session(self) -> Any:
        """An onnxruntime session of the model, fed by `onnx_inputs`."""
        return session_of(self.graph)

    def onnx_inputs(self, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
        """Rows in the sites' own columns as inputs of `session`.

        ``labels, probabilities = exported.session().run(None, exported.onnx_inputs(frame))``; what
        a session gives is listed in ``manifest.outputs``.

        Raises
        ------
        DataError
            When a column is missing, or holds what it should not.
        """
        inputs = onnx_inputs(frame, self.manifest.inputs)
        if not self.manifest.takes_gaps:
            refuse_gaps(inputs)
        return inputs

    @property
    def _says(self) -> str:
        shows = "nothing was changed since the holder of that key signed"
        if self.pinned:
            return f"Signed by the key you named: {shows}."
        return (
            f"The signature shows only that {shows}, not who that is; pass signer= to load to name "
            "the key you expect."
        )

    def __repr__(self) -> str:
        about = f" of {self.manifest.target!r}" if self.manifest.target else ""
        return (
            f"ExportedModel({self.manifest.run!r}{about} in "
            f"{self.folder.name!r}, signer {grouped(self.signer)}). {self._says}"
        )

    def _repr_html_(self) -> str:
        lines = {
            name: {"bytes": facts.bytes, "sha256": facts.sha256[:16] + "…"}
            for name, facts in self.manifest.files.items()
        }
        frame = pd.DataFrame.from_dict(lines, orient="index")
        frame.index.name = "file"
        run, target = self.manifest.run, self.manifest.target
        about = f", predicting {target}," if target else ""
        return to_html(
            frame,
            title=f"Exported model of {run}{about} in {self.folder.name}",
            notes=[f"Signer {grouped(self.signer)}.", self._says],
        )
