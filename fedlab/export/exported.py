"""An exported model, read back only after everything about it was checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from fedlab.displays.tables import to_html
from fedlab.errors import ExportError
from fedlab.export.estimators import load_estimator
from fedlab.export.files import CAPS, MANIFEST, SIGNATURE, check_names, read_file
from fedlab.export.graph import onnx_inputs, session_of
from fedlab.export.manifest import Manifest, measure
from fedlab.export.place import standing
from fedlab.export.signing import fingerprint_of, grouped, is_signer, verified

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["ExportedModel", "load"]


@dataclass(frozen=True, repr=False, eq=False)
class ExportedModel:
    """A model whose files are those that were signed; made by `load` or an export.

    Attributes
    ----------
    folder : Path
    model : Pipeline
        The fitted scikit-learn estimator; takes rows in the sites' own columns.
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
    model: Pipeline
    graph: bytes
    manifest: Manifest
    card: str
    signer: str
    pinned: bool

    def session(self) -> Any:
        """An onnxruntime session of the model, fed by `onnx_inputs`."""
        return session_of(self.graph)

    def onnx_inputs(self, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
        """Rows in the sites' own columns as inputs of `session`.

        ``labels, probabilities = exported.session().run(None, exported.onnx_inputs(frame))``

        Raises
        ------
        DataError
            When a column is missing, or holds what it should not.
        """
        return onnx_inputs(frame, self.manifest.inputs)

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
        return (
            f"ExportedModel({self.manifest.run!r} of {self.manifest.target!r} in "
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
        return to_html(
            frame,
            title=f"Exported model of {run}, predicting {target}, in {self.folder.name}",
            notes=[f"Signer {grouped(self.signer)}.", self._says],
        )


def load(folder: str | Path, *, signer: str | bytes | None = None) -> ExportedModel:
    """Read an exported model: signature first, then hashes and names of all files, then the model.

    Without `signer` the signature shows only that nothing was changed since the holder of some key
    signed; anybody can make a key. With it, that the holder of *that* key signed.

    Parameters
    ----------
    folder : path
        Written by `Training.export`.
    signer : str or bytes, optional
        Fingerprint or public key of who must have signed, got from them in another way.

    Raises
    ------
    ExportError
        When a file was changed, added, taken away or replaced by a link, the signature is of
        another key, or the model is of types that fedlab does not export.
    """
    place = Path(folder)
    files = standing(place.resolve())
    if not files.is_dir():
        raise ExportError(
            "An export is a folder.", f"{place.name!r}, which is none", "Check the path."
        )
    manifest = _signed_manifest(files, signer)
    check_names(files)
    contents = {name: read_file(files, name) for name in CAPS if name not in (MANIFEST, SIGNATURE)}
    _check_contents(contents, manifest)
    model = load_estimator(contents["model.skops"])
    _check_model(model, manifest)
    return ExportedModel(
        folder=place,
        model=model,
        graph=contents["model.onnx"],
        manifest=manifest,
        card=contents["card.md"].decode(),
        signer=manifest.fingerprint,
        pinned=signer is not None,
    )


def _signed_manifest(folder: Path, signer: str | bytes | None) -> Manifest:
    data, signature = read_file(folder, MANIFEST), read_file(folder, SIGNATURE)
    manifest = Manifest.decode(data)
    try:
        public_key = bytes.fromhex(manifest.public_key)
    except ValueError:
        public_key = b""
    if signer is not None and not is_signer(signer, public_key):
        raise ExportError(
            "The export must be signed by the key that signer= names.",
            f"a signature by {grouped(fingerprint_of(public_key))}",
            "Do not use it, unless its signer tells you in another way that this is their key.",
        )
    if not verified(public_key, signature, data):
        raise ExportError(
            "The signature must fit manifest.json.",
            f"{MANIFEST!r} or {SIGNATURE!r} that was changed",
            "Do not use it; get the folder again from whoever exported it.",
        )
    if manifest.fingerprint != fingerprint_of(public_key):
        raise ExportError(
            "The fingerprint in manifest.json must be that of its key.",
            "another one",
            "Do not use it.",
        )
    return manifest


def _check_contents(contents: dict[str, bytes], manifest: Manifest) -> None:
    found = measure(contents)
    differs = sorted(
        name for name in {*found, *manifest.files} if found.get(name) != manifest.files.get(name)
    )
    if differs:
        raise ExportError(
            "Every file must be as it was signed.",
            f"{', '.join(map(repr, differs))}, which was changed",
            "Do not use it; get the folder again from whoever exported it.",
        )


def _check_model(model: Pipeline, manifest: Manifest) -> None:
    columns = [column.name for column in manifest.inputs]
    same = list(getattr(model, "feature_names_in_", ())) == columns
    if not same or list(getattr(model, "classes_", ())) != list(manifest.classes):
        raise ExportError(
            "The model must have the columns and classes that manifest.json tells.",
            "others",
            "Do not use it; get the folder again from whoever exported it.",
        )
