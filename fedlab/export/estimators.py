"""The estimator as a skops archive, which is data: read back only if all its types are known here.

skops rebuilds objects from a description in JSON and arrays in numpy's format. What it would trust
by itself is wide, so the description is first held against a short list. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import json
import math
import re
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from fedlab.core.skops_archive import DESCRIPTION, LOWEST_PROTOCOL, nodes
from fedlab.errors import ExportError
from fedlab.export.known import TRUSTED, is_known
from fedlab.export.sound_parts import is_sound

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["dump_estimator", "load_estimator", "packed"]

MOST_MEMBERS = 1000
EPOCH = (1980, 1, 1, 0, 0, 0)
KINDS = "biufU"


def dump_estimator(model: Fitted) -> bytes:
    """A skops archive; the same model gives the same bytes.

    skops names objects by their addresses in memory and stamps files with the time. Addresses are
    left out (they only mark objects that are shared), and files are numbered and dated 1980.

    Raises
    ------
    ExportError
        When the model has parts that could not be read back.
    """
    data = packed(model)
    load_estimator(data)
    return data


def packed(model: Any) -> bytes:
    """The archive of `dump_estimator`, of any model, and not read back."""
    import skops.io

    written = ZipFile(io.BytesIO(skops.io.dumps(model)))
    description = json.loads(written.read(DESCRIPTION))
    members: dict[str, bytes] = {}
    numbers: dict[str, str] = {}
    for node in nodes(description):
        node.pop("__id__", None)
        if "file" in node:
            name = numbers.setdefault(node["file"], f"{len(numbers)}.npy")
            members[name] = written.read(node["file"])
            node["file"] = name
    members[DESCRIPTION] = json.dumps(description, separators=(",", ":")).encode()
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, data in members.items():
            entry = ZipInfo(name, EPOCH)
            entry.create_system = 3
            archive.writestr(entry, data)
    return file.getvalue()


def load_estimator(data: bytes) -> Fitted:
    """The estimator in a skops archive.

    Raises
    ------
    ExportError
        When the archive is damaged, or describes anything but the known types.
    """
    import skops.io
    from sklearn.pipeline import Pipeline

    from fedlab.core.cox_estimator import CoxEstimator

    try:
        _check_archive(data)
        untrusted = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
        if untrusted:
            raise _refusal(f"the type {min(untrusted)!r}")
        model = skops.io.loads(data, trusted=TRUSTED)
        fits = isinstance(model, Pipeline | CoxEstimator) and is_sound(model)
    except ExportError:
        raise
    # skops and numpy raise many kinds for what is damaged.
    except Exception as error:
        raise _refusal(f"an archive that fails to read ({type(error).__name__})") from None
    if not fits:
        raise _refusal(f"a {type(model).__name__} that is none or does not fit itself")
    return model


def _check_archive(data: bytes) -> None:
    try:
        archive = ZipFile(io.BytesIO(data))
    except BadZipFile:
        raise _refusal("bytes that are no archive") from None
    members = archive.infolist()
    names = {member.filename for member in members}
    if len(members) > MOST_MEMBERS or len(names) < len(members) or DESCRIPTION not in names:
        raise _refusal(f"an archive of {len(members)} members, {len(names)} of them different")
    for member in members:
        if not re.fullmatch(r"schema\.json|\d{1,4}\.npy", member.filename):
            raise _refusal(f"a member called {member.filename[:80]!r}")
        # Uncompressed and no longer together than the archive: nothing swells when it is read.
        if member.compress_type != ZIP_STORED or member.flag_bits & 1 or member.external_attr >> 28:
            raise _refusal(f"a compressed, encrypted or linked member {member.filename!r}")
    if sum(member.file_size for member in members) > len(data):
        raise _refusal("members that overlap")
    for name in names - {DESCRIPTION}:
        _check_array(archive.read(name), name)
    description = json.loads(archive.read(DESCRIPTION))
    if description.get("protocol", 0) < LOWEST_PROTOCOL:
        raise _refusal("a protocol of skops that fedlab never wrote")
    for node in nodes(description):
        if not is_known(node):
            kind = f"{node.get('__module__')}.{node.get('__class__')}"
            raise _refusal(f"the type {kind[:80]!r}")


def _check_array(data: bytes, name: str) -> None:
    # numpy makes room for as many values as a header claims before it looks whether they are there.
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise _refusal(f"an array of another format as {name!r}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in KINDS or math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise _refusal(f"an array that does not fill its shape as {name!r}")


def _refusal(came: str) -> ExportError:
    return ExportError(
        "model.skops must hold a fitted pipeline of types that fedlab exports.",
        came,
        "Do not use it; export it again with this version of fedlab.",
    )
