"""How to check an export and how to score rows with it, as the card tells it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from fedlab.export.kinds import OUTPUTS, Output
from fedlab.export.markdown import table
from fedlab.export.signing import fingerprint_of

__all__ = ["checking", "use"]

# SubjectPublicKeyInfo of an Ed25519 key (RFC 8410), up to its 32 bytes.
SPKI = bytes.fromhex("302a300506032b6570032100")

FILES = {
    "model.onnx": "the model for onnxruntime, in double precision",
    "model.skops": "the fitted scikit-learn pipeline, without pickle",
    "card.md, card.html": "this card",
    "manifest.json": "size and SHA-256 of the files above, columns, classes, versions, public key",
    "manifest.sig": "Ed25519 signature over the bytes of manifest.json",
}

SCORING = """\
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
text = {each.name: each.type == "tensor(string)" for each in session.get_inputs()}
inputs = {
    name: frame[[name]].astype(object).fillna("").to_numpy() if text[name]
    else frame[[name]].to_numpy(dtype=np.float64, na_value=np.nan)
    for name in text
}
"""
CALLED = {
    "label": "labels",
    "probabilities": "probabilities",
    "scores": "scores",
    "variable": "numbers",
    "distances": "distances",
    "components": "components",
    "log_hazard": "log_hazards",
    "survival": "survival",
    "times": "times",
}
CALLS = {
    OUTPUTS["probabilities"]: "predict_proba",
    OUTPUTS["scores"]: "decision_function",
    OUTPUTS["number"]: "predict",
    OUTPUTS["clusters"]: "predict",
    OUTPUTS["components"]: "transform",
    OUTPUTS["survival"]: "predict_survival_function",
}


def checking(public_key: bytes, *, estimator: bool) -> Iterator[str]:
    """The files, and how to see that none was changed.

    Parameters
    ----------
    public_key : bytes
    estimator : bool
        Whether there is a file of the scikit-learn estimator.
    """
    fingerprint = fingerprint_of(public_key)
    encoded = base64.b64encode(SPKI + public_key).decode()
    files = {name: what for name, what in FILES.items() if estimator or "skops" not in name}
    yield table(["File", "What"], [[name, what] for name, what in files.items()], texts=2)
    if not estimator:
        yield (
            "There is no scikit-learn estimator: scikit-learn follows the nodes of trees without a "
            "look at where they lead, so trees are not made from a file. The graph is the model."
        )
    yield (
        f"Signed by the key with the fingerprint `{fingerprint}` (SHA-256 of the public key). The "
        "signature shows that nothing was changed since the holder of that key signed, and not "
        "who that is: compare the fingerprint with one you got from them in another way."
    )
    yield f"```python\nimport fedlab as fl\n\nfl.load(folder, signer={fingerprint!r})\n```"
    yield (
        "Without fedlab, check the signature with OpenSSL and then the hashes in `manifest.json` "
        "with `sha256sum`:"
    )
    yield (
        "```sh\nopenssl pkeyutl -verify -rawin -pubin -inkey key.pem -in manifest.json "
        "-sigfile manifest.sig\n```"
    )
    yield (
        "where `key.pem` is:\n\n```text\n-----BEGIN PUBLIC KEY-----\n"
        f"{encoded}\n-----END PUBLIC KEY-----\n```"
    )


def use(outputs: Sequence[Output], *, takes_gaps: bool) -> Iterator[str]:
    """How to score rows.

    Parameters
    ----------
    outputs : sequence of str
        What the graph gives.
    takes_gaps : bool
        Whether a number may be missing.
    """
    unknown = (
        "NaN or missing where unknown" if takes_gaps else "categories may be missing, numbers "
    )
    unknown += "" if takes_gaps else "may not: a row with a gap gets NaN and a label of no meaning"
    yield (
        "With onnxruntime alone, for a pandas `frame` in the columns listed under Features "
        f"({unknown}):"
    )
    names = ", ".join(CALLED[output] for output in outputs) + ("," if len(outputs) == 1 else "")
    yield f"```python\n{SCORING}{names} = session.run(None, inputs)\n```"
    yield f"With fedlab: `fl.load(folder).{CALLS[tuple(outputs)]}(frame)`."
