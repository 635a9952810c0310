"""Models from elsewhere: how their files travel, what they are fed, and what they may use up.

A model file is bytes that nobody here has read. What it is follows from its first bytes, so that a
file has one digest and one reading: an archive of skops is a ZIP, all else is taken for ONNX.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import msgspec

from fedlab.errors import PrivacyError

__all__ = ["Feed", "ModelLimits", "Part", "Plan", "Reads", "Seen", "Slot", "digest_of", "kind_of"]

Label = bool | int | float | str
Reads = Literal["probabilities", "probability", "logit", "margin", "label", "number"]
"""What an output says of a row.

* ``probabilities``: one for each class.
* ``probability``: of the second class.
* ``logit``: its log odds.
* ``margin``: a score that ranks and is positive for the second class, and is no probability.
* ``label``: the class alone.
* ``number``: the predicted number.
"""


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """What the model of somebody else may use at a site.

    Parameters
    ----------
    seconds : float
        By the clock, the start of its process included.
    cpu_seconds : int
        Of computing.
    memory : int
        Bytes beside those of the libraries that run it.
    file_bytes : int
        Of the model file.

    Raises
    ------
    PrivacyError
        When one is not positive.

    Examples
    --------
    >>> ModelLimits(seconds=2).seconds
    2
    """

    seconds: float = 120.0
    cpu_seconds: int = 120
    memory: int = 2 << 30
    file_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for name in ("seconds", "cpu_seconds", "memory", "file_bytes"):
            if not getattr(self, name) > 0:
                raise PrivacyError(
                    f"{name} must be positive.", f"{getattr(self, name):g}", "Leave it out."
                )


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One column as a model reads it: itself, or 1 where it has a category and 0 elsewhere."""

    column: str
    category: str | None = None


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a model, filled from columns.

    Attributes
    ----------
    name : str
        Of the input in the graph, or of the column of the frame; empty for a matrix that
        scikit-learn takes without names.
    parts : tuple of Part
        In the order of the input's own columns.
    text : bool
        Whether it is text, ``""`` where missing; otherwise doubles, NaN where missing.
    """

    name: str
    parts: tuple[Part, ...]
    text: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is run, and how what it gives is read.

    Attributes
    ----------
    feeds : tuple of Feed
    output : str
        Of the graph, or the method of the estimator.
    reads : str
        See `Reads`.
    order : tuple of int
        Of each class, the column of the probabilities; empty where they come with their classes.
    labels : tuple
        Of each class, how the model calls it, where it does.
    width : int
        How many numbers come back for a row.
    """

    feeds: tuple[Feed, ...]
    output: str
    reads: Reads
    order: tuple[int, ...] = ()
    labels: tuple[Label, ...] = ()
    width: int = 1


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output of a model, as its file declares it.

    Attributes
    ----------
    name : str
    element : str
        As in numpy, ``"string"``, or ``"map"`` for one mapping of classes to numbers a row.
    shape : tuple of int or None, or None
        None where nothing is declared.
    ends : str
        The operator that an output comes from.
    """

    name: str
    element: str
    shape: tuple[int | None, ...] | None = None
    ends: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a model file says of itself.

    Attributes
    ----------
    kind : "onnx" or "skops"
    says : str
        Who made it, or the class of the estimator.
    inputs, outputs : tuple of Slot
    operators : tuple of str
        Of a graph, sorted.
    labels : tuple
        The classes, where the file names them, in the order of its probabilities.
    names : tuple of str or None
        Columns that an estimator was fitted on, where it knows them.
    n_features : int
    """

    kind: Literal["onnx", "skops"]
    says: str
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    operators: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    names: tuple[str, ...] | None = None
    n_features: int = 0


def kind_of(file: bytes) -> Literal["onnx", "skops"]:
    """What a model file is, by its first bytes.

    Examples
    --------
    >>> kind_of(b"PK..."), kind_of(b"...")
    ('skops', 'onnx')
    """
    return "skops" if file.startswith(b"PK") else "onnx"


def digest_of(file: bytes) -> str:
    """The name of a model file in approvals: ``sha256:`` and 64 hexadecimal digits.

    Examples
    --------
    >>> digest_of(b"")[:15]
    'sha256:e3b0c442'
    """
    return f"sha256:{hashlib.sha256(file).hexdigest()}"
