"""What a folder holds, in one file that is signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import msgspec

from fedlab.core.schema import Column, Label
from fedlab.errors import ExportError
from fedlab.export.kinds import OUTPUTS, Output

__all__ = ["EARLIER", "FORMAT", "FileFacts", "Manifest", "libraries", "measure"]

FORMAT: Literal["fedlab export 2"] = "fedlab export 2"
EARLIER = ("fedlab export 1",)
"""Formats that are replaced by a new export, and read by the versions that wrote them."""
LIBRARIES = ("fedlab-notebook", "numpy", "onnx", "onnxruntime", "scikit-learn", "skops")


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size and SHA-256 of a file."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was exported, by which key, and the hash of every other file.

    Attributes
    ----------
    format : str
    run : str
        Id of the run the model came from.
    public_key, fingerprint : str
        Of the key that signed, in hexadecimal.
    libraries : dict of str to str
        Versions that wrote the files.
    files : dict of str to FileFacts
    target : str
        Empty for a model that reads none.
    classes : tuple
        In the order of the columns of probabilities or scores; empty without.
    outputs : tuple of str
        What the ONNX graph gives, in its order: see `fedlab.export.kinds.Output`.
    takes_gaps : bool
        Whether a number may be missing.
    inputs : tuple of Column
        The columns the model reads: numbers, and categories with their lists.
    """

    format: Literal["fedlab export 2"] = FORMAT
    run: str
    public_key: str
    fingerprint: str
    libraries: dict[str, str]
    files: dict[str, FileFacts]
    target: str
    classes: tuple[Label, ...]
    outputs: tuple[Output, ...]
    takes_gaps: bool
    inputs: tuple[Column, ...]

    def encode(self) -> bytes:
        """Canonical JSON: the same manifest gives the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=2) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Read a manifest.

        Raises
        ------
        ExportError
            When the bytes are not one, or not as `encode` writes it.
        """
        try:
            manifest = msgspec.json.decode(data, type=cls)
            if manifest.encode() == data and manifest.outputs in OUTPUTS.values():
                return manifest
            came = "JSON in another order or spelling"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            came = f"bytes that fail to read ({type(error).__name__})"
        raise ExportError(
            "manifest.json must be as this version of fedlab writes it.",
            came,
            "Get the folder again from whoever exported it, or use the version that wrote it.",
        )


def libraries() -> dict[str, str]:
    """Versions of the libraries that decide what an export's files look like."""
    return {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "run from its source folder"


def measure(files: Mapping[str, bytes]) -> dict[str, FileFacts]:
    """Size and hash of each file.

    Examples
    --------
    >>> measure({"a": b"abc"})["a"].bytes
    3
    """
    return {
        name: FileFacts(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()
    }
