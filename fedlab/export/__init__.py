"""A trained model as files that others can use and check.

`export_training` writes a folder; `load` reads one back, signature first. Nothing in it is
executed: the model travels as ONNX and, trees apart, as skops, never as a pickle.
"""

from fedlab.export.exported import ExportedModel
from fedlab.export.exporting import export_run, export_training
from fedlab.export.facts import CardFacts, SiteFacts
from fedlab.export.loading import load
from fedlab.export.manifest import FileFacts, Manifest
from fedlab.export.signing import SigningKey

__all__ = [
    "CardFacts",
    "ExportedModel",
    "FileFacts",
    "Manifest",
    "SigningKey",
    "SiteFacts",
    "export_run",
    "export_training",
    "load",
]
