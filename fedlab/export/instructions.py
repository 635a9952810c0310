"""How to check an export and how to score rows with it, as the card tells it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

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
labels, probabilities = session.run(None, inputs)
"""


def checking(public_key: bytes) -> Iterator[str]:
    """The files, and how to see that none was changed."""
    fingerprint = fingerprint_of(public_key)
    encoded = base64.b64encode(SPKI + public_key).decode()
    yield table(["File", "What"], [[name, what] for name, what in FILES.items()], texts=2)
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


def use() -> Iterator[str]:
    """How to score rows."""
    yield (
        "With onnxruntime alone, for a pandas `frame` in the columns listed under Features "
        "(NaN or missing where unknown):"
    )
    yield f"```python\n{SCORING}```"
    yield (
        "With fedlab, `fl.load(folder).model` is the scikit-learn estimator: "
        "`model.predict_proba(frame)`."
    )
