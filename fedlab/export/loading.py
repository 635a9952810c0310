"""Reading an export back: signature, names, hashes, graph and estimator, in this order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fedlab.errors import ExportError
from fedlab.export.accepted import check_graph
from fedlab.export.estimators import load_estimator
from fedlab.export.exported import ExportedModel
from fedlab.export.files import CAPS, MANIFEST, OPTIONAL, SIGNATURE, check_names, read_file
from fedlab.export.kinds import classes_of, outputs_of
from fedlab.export.manifest import Manifest, measure
from fedlab.export.place import standing
from fedlab.export.signing import fingerprint_of, grouped, is_signer
from fedlab.privacy.secure.signatures import signed_by

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["load"]


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
        another key, or the model is of types or operators that fedlab does not export.
    """
    place = Path(folder)
    files = standing(place.resolve())
    if not files.is_dir():
        raise ExportError(
            "An export is a folder.", f"{place.name!r}, which is none", "Check the path."
        )
    manifest = _signed_manifest(files, signer)
    left_out = set(OPTIONAL) - set(manifest.files)
    names = [name for name in CAPS if name not in left_out]
    check_names(files, names)
    contents = {name: read_file(files, name) for name in names if name not in (MANIFEST, SIGNATURE)}
    _check_contents(contents, manifest)
    check_graph(contents["model.onnx"], manifest)
    model = None
    if "model.skops" in contents:
        model = load_estimator(contents["model.skops"])
        _check_model(model, manifest)
    return ExportedModel(
        folder=place,
        estimator=model,
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
    if not signed_by(public_key, signature, data):
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


def _check_model(model: Fitted, manifest: Manifest) -> None:
    columns = [column.name for column in manifest.inputs]
    try:
        same = (
            list(getattr(model, "feature_names_in_", ())) == columns
            and outputs_of(model) == manifest.outputs
            and classes_of(model) == manifest.classes
        )
    # A model of known types can still lack what scikit-learn asks of it.
    except Exception:
        same = False
    if not same:
        raise ExportError(
            "The model must have the columns and classes, and give the outputs, that manifest.json "
            "tells.",
            "others",
            "Do not use it; get the folder again from whoever exported it.",
        )
