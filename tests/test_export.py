"""Exports: the model is the same everywhere, the card is honest, and no change goes unseen."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skops.io
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression as PooledRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fedlab as fl
from fedlab.core.parameters import Parameters
from fedlab.core.schema import Column, Label, Schema
from fedlab.core.space import Space
from fedlab.errors import DataError, ExportError
from fedlab.export import (
    CardFacts,
    ExportedModel,
    SigningKey,
    SiteFacts,
    export_run,
    export_training,
    load,
)
from fedlab.export.agreement import check_agreement, made_up_rows
from fedlab.export.estimators import dump_estimator, load_estimator
from fedlab.export.files import CAPS
from fedlab.export.graph import onnx_inputs, session_of, to_onnx
from fedlab.export.manifest import Manifest, measure
from fedlab.export.markdown import as_code, as_prose, table
from fedlab.export.page import as_page
from fedlab.queries.query import Split
from fedlab.training import Training

FILES = sorted(CAPS)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "a|b",
    "a\\|b",
    "`x` ``y``",
    "$\\alpha$",
    "two\nlines\r# head",
    "[x](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "&lt;b&gt;",
    "</code></td><script>alert(1)</script>",
    " - 1. **b** _i_ ~~s~~ ",
    "\u202egnp.exe",
    "https://example.org",
]


def export(run: Training, folder: Path, key: SigningKey, **options: Any) -> ExportedModel:
    return export_training(
        folder,
        coordinator=run._coordinator,
        run=run.id,
        problem=run.problem,
        strategy=run.strategy,
        privacy=run.privacy,
        state=run.state,
        key=key,
        **options,
    )


def trained(sites: list[fl.Site], rounds: int = 9) -> Training:
    run = fl.Federation(sites, seed=7).train(fl.LogisticRegression(), strategy=fl.FedNewton())
    run.run(rounds, progress=False)
    return run


def rows_of(sites: list[fl.Site], split: Split) -> pd.DataFrame:
    return pd.concat(
        [site._rows[split].features for site in sites],
        ignore_index=True,
    )


def with_gaps(frame: pd.DataFrame, share: float = 0.3) -> pd.DataFrame:
    kept = np.random.default_rng(3).random(frame.shape) >= share
    floats = {name: "float64" for name in frame if frame[name].dtype.kind in "iub"}
    return frame.astype(floats).where(kept)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.load(tmp_path_factory.mktemp("key") / "identity.pem")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.load(tmp_path_factory.mktemp("other") / "identity.pem")


@pytest.fixture(scope="module")
def sites() -> list[fl.Site]:
    return fl.datasets.opt()


@pytest.fixture(scope="module")
def run(sites: list[fl.Site]) -> Training:
    return trained(sites)


@pytest.fixture(scope="module")
def original(
    run: Training, key: SigningKey, tmp_path_factory: pytest.TempPathFactory
) -> ExportedModel:
    return export(run, tmp_path_factory.mktemp("original") / "model", key)


@pytest.fixture
def folder(original: ExportedModel, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original.folder, tmp_path / "copy"))


def small(names: tuple[Column, ...], classes: tuple[Label, ...] = (0, 1)) -> tuple[Any, Space]:
    n_numbers = sum(column.kind == "number" for column in names)
    steps = np.arange(n_numbers, dtype=float)
    scaling = Parameters({"mean": 10 * steps, "scale": 1 + steps})
    space = Space(Schema(names, "y", classes), scaling)
    coef = np.linspace(-1, 1, len(space.names))
    parameters = Parameters({"coef": coef, "intercept": 0.25})
    model = fl.LogisticRegression().estimator(parameters, space, n_samples=10, n_iter=1)
    return model, space


# The model


@pytest.mark.parametrize("load_sites", [fl.datasets.opt, fl.datasets.breast_cancer])
def test_onnx_estimator_and_pooled_fit_agree_on_every_row(
    load_sites: Callable[..., list[fl.Site]], key: SigningKey, tmp_path: Path
) -> None:
    # A small site of the biopsies has fewer than three patients for each of the 31 parameters.
    sites = load_sites(policy=fl.Policy(parameters_ratio=1.0))
    run = trained(sites, rounds=20)
    exported = load(export(run, tmp_path / "model", key).folder, signer=key.fingerprint)
    train = rows_of(sites, "train")
    y = np.concatenate([site._rows["train"].target for site in sites])
    numbers = [c.name for c in run.problem.space.numbers]
    blocks: list[Any] = [
        (make_pipeline(StandardScaler(), SimpleImputer(strategy="constant")), numbers)
    ]
    if run.problem.space.categories:
        listed = [list(c.categories) for c in run.problem.space.categories]
        names = [c.name for c in run.problem.space.categories]
        blocks.append((OneHotEncoder(categories=listed, handle_unknown="ignore"), names))
    pooled = make_pipeline(
        make_column_transformer(*blocks),
        PooledRegression(tol=1e-12, max_iter=10_000, solver="newton-cholesky"),
    ).fit(train, y)
    session = onnxruntime.InferenceSession((tmp_path / "model" / "model.onnx").read_bytes())
    test = rows_of(sites, "test")
    for frame in (test, train, with_gaps(test), with_gaps(test, share=1.0), test.iloc[:1]):
        labels, found = session.run(None, exported.onnx_inputs(frame))
        assert np.abs(found - run.model.predict_proba(frame)).max() < 1e-12
        assert np.abs(found - exported.model.predict_proba(frame)).max() < 1e-12
        assert np.abs(found - pooled.predict_proba(frame)).max() < 1e-6
        assert (labels == run.model.predict(frame)).all()


def test_real_rows_have_gaps_and_categories(sites: list[fl.Site], run: Training) -> None:
    assert rows_of(sites, "test").isna().to_numpy().any()
    assert run.problem.space.categories


def test_numbers_far_from_zero_keep_their_digits() -> None:
    model, space = small((Column("epoch"), Column("x")))
    far = Space(space.schema, Parameters({"mean": [1.7e9, 0.0], "scale": [1e3, 1.0]}))
    model[0].named_transformers_["numbers"][0].mean_ = np.array([1.7e9, 0.0])
    model[0].named_transformers_["numbers"][0].scale_ = np.array([1e3, 1.0])
    assert check_agreement(model, to_onnx(model, far), far) < 1e-12


@pytest.mark.parametrize("classes", [(0, 1), (1, 2), (False, True), ("healed", "not healed")])
@pytest.mark.parametrize(
    "columns",
    [
        (Column("a"),),
        (Column("c", "category", ("u", "v")),),
        (Column("c", "category", ("u", "v")), Column("a"), Column("b"), Column("d")),
        (Column("c", "category", ("nan", "None", "é")), Column("d", "category", ("x",))),
    ],
)
def test_every_mixture_of_columns_and_classes_goes_there_and_back(
    columns: tuple[Column, ...], classes: tuple[Label, ...], key: SigningKey, tmp_path: Path
) -> None:
    model, space = small(columns, classes)
    export_run(tmp_path / "m", model=model, space=space, card=facts(), key=key)
    back = load(tmp_path / "m")
    rows = made_up_rows(space)
    labels, probabilities = back.session().run(None, back.onnx_inputs(rows))
    assert np.abs(probabilities - model.predict_proba(rows)).max() < 1e-12
    assert labels.tolist() == model.predict(rows).tolist() == back.model.predict(rows).tolist()
    assert back.manifest.classes == classes
    assert back.manifest.inputs == columns


@pytest.mark.parametrize(
    "name",
    [*HOSTILE, "label", "probabilities", "variable", "coef", "mean radius", "a b", "é", "1a", " "],
)
def test_inputs_are_called_as_the_columns(name: str) -> None:
    columns = (
        Column("a b c"),
        Column("a_b c", "category", ("f", "m")),
        Column(name),
        Column(f"{name}'s", "category", (name, "no")),
    )
    model, space = small(columns)
    graph = to_onnx(model, space)
    assert [each.name for each in session_of(graph).get_inputs()] == list(space.schema.names)
    assert check_agreement(model, graph, space) < 1e-12


def test_a_graph_of_another_model_is_not_signed(key: SigningKey, tmp_path: Path) -> None:
    model, space = small((Column("a"), Column("c", "category", ("u", "v"))))
    graph = to_onnx(model, space)
    model[-1].coef_ = model[-1].coef_ + 1e-4
    with pytest.raises(ExportError, match="agree"):
        check_agreement(model, graph, space)
    model[-1].coef_ = np.full_like(model[-1].coef_, np.nan)
    with pytest.raises(ExportError):
        export_run(tmp_path / "m", model=model, space=space, card=facts(), key=key)
    assert list(tmp_path.iterdir()) == []


def test_made_up_rows_show_every_category_and_every_gap() -> None:
    many = tuple(str(i) for i in range(400))
    _, space = small((Column("a"), Column("c", "category", many), Column("d")))
    rows = made_up_rows(space)
    assert set(rows["c"].dropna()) == set(many)
    assert rows.isna().any().all()
    assert rows.iloc[0].isna().all()
    assert made_up_rows(space).equals(rows)


@pytest.mark.parametrize("column", [Column(""), Column("c", "category", ("", "v"))])
def test_what_has_no_form_in_onnx_is_refused(column: Column) -> None:
    model, space = small((Column("a"), column))
    with pytest.raises(ExportError, match="ONNX"):
        to_onnx(model, space)


def test_rows_that_do_not_fit_are_refused_without_quoting_them() -> None:
    columns = (Column("age"), Column("sex", "category", ("f", "m")))
    for frame in (
        pd.DataFrame({"sex": ["f"]}),
        pd.DataFrame({"age": ["Jane Doe"], "sex": ["f"]}),
        pd.DataFrame({"age": [41.0], "sex": [b"Jane Doe"]}),
    ):
        with pytest.raises(DataError) as caught:
            onnx_inputs(frame, columns)
        assert "Jane" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_the_cards_own_code_scores_a_frame(
    original: ExportedModel, sites: list[fl.Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(original.folder)
    code = re.findall(r"```python\n(.*?)```", original.card, re.S)[-1]
    names = {"frame": with_gaps(rows_of(sites, "test"))}
    exec(code, names)  # noqa: S102 - the card promises that it works
    expected = original.model.predict_proba(names["frame"])
    assert np.abs(names["probabilities"] - expected).max() < 1e-12


# The same bytes


def test_two_exports_of_the_same_are_the_same_bytes(
    run: Training, key: SigningKey, tmp_path: Path
) -> None:
    evaluation = run.evaluate()
    first, second = (export(run, tmp_path / name, key, evaluation=evaluation) for name in "ab")
    for name in FILES:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name


def test_no_row_is_in_a_file(key: SigningKey, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(60, 2)) * 1000
    frame = pd.DataFrame(values, columns=["a", "b"]).assign(died=[0, 1] * 30)
    run = trained([fl.Site("mercy", frame, target="died"), fl.Site("hope", frame, target="died")])
    exported = export(run, tmp_path / "m", key)
    everything = b"".join((exported.folder / name).read_bytes() for name in FILES)
    for value in values.ravel():
        assert np.float64(value).tobytes() not in everything
        assert f"{value:.6g}".encode() not in everything


# Reading back


def test_what_was_written_is_read(original: ExportedModel, key: SigningKey) -> None:
    back = load(original.folder)
    assert back.signer == key.fingerprint
    assert back.manifest.run == original.manifest.run
    assert "nothing was changed since the holder" in repr(back)
    assert "not who that is" in repr(back)
    assert "not who that is" in back._repr_html_()
    assert "not who that is" not in repr(load(original.folder, signer=key.fingerprint))


@given(name=st.sampled_from(FILES), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=300)
def test_a_flipped_bit_is_refused(
    original: ExportedModel, name: str, where: float, bit: int
) -> None:
    path = original.folder / name
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[int(where * len(whole))] ^= 1 << bit
    try:
        path.write_bytes(changed)
        with pytest.raises(ExportError):
            load(original.folder)
    finally:
        path.write_bytes(whole)
    load(original.folder)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_every_byte_of_what_is_signed_counts(original: ExportedModel, name: str) -> None:
    path = original.folder / name
    whole = path.read_bytes()
    try:
        for position in range(len(whole)):
            changed = bytearray(whole)
            changed[position] ^= 1
            path.write_bytes(changed)
            with pytest.raises(ExportError):
                load(original.folder)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["cut", "emptied", "longer", "gone", "linked", "folder", "pipe"])
def test_a_harmed_file_is_named(folder: Path, name: str, harm: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    if harm in {"cut", "emptied", "longer"}:
        path.write_bytes({"cut": whole[:-1], "emptied": b"", "longer": whole + b"\n"}[harm])
    elif harm == "linked":
        (folder.parent / "elsewhere").write_bytes(whole)
        path.symlink_to(folder.parent / "elsewhere")
    elif harm == "folder":
        path.mkdir()
    elif harm == "pipe":
        os.mkfifo(path)
    with pytest.raises(ExportError, match=re.escape(name)):
        load(folder)


@pytest.mark.parametrize("extra", ["notes.txt", ".hidden", "card.md~", "sub/file"])
def test_a_file_too_many_is_named(folder: Path, extra: str) -> None:
    (folder / extra).parent.mkdir(exist_ok=True)
    (folder / extra).write_text("x")
    with pytest.raises(ExportError, match=re.escape(extra.split("/")[0])):
        load(folder)


def test_swapped_files_are_refused(folder: Path) -> None:
    (folder / "card.md").rename(folder / "x")
    (folder / "card.html").rename(folder / "card.md")
    (folder / "x").rename(folder / "card.html")
    with pytest.raises(ExportError, match="card"):
        load(folder)


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("missing", "file", "."):
        with pytest.raises(ExportError):
            load(tmp_path / name)


def forge(folder: Path, signer: SigningKey, written: dict[str, bytes], **changes: Any) -> None:
    """Change files, and sign the result."""
    for name, data in written.items():
        (folder / name).write_bytes(data)
    manifest = Manifest.decode((folder / "manifest.json").read_bytes())
    contents = {name: (folder / name).read_bytes() for name in FILES if "manifest" not in name}
    changed = {
        "public_key": signer.public_key.hex(),
        "fingerprint": signer.fingerprint,
        "files": measure(contents),
        **changes,
    }
    fields = {field: getattr(manifest, field) for field in manifest.__struct_fields__}
    data = Manifest(**{**fields, **changed}).encode()
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(signer.sign(data))


def test_another_signer_is_seen_by_who_names_the_first(
    folder: Path, key: SigningKey, other: SigningKey
) -> None:
    forge(folder, other, {"card.md": b"This model is safe.\n"})
    assert load(folder).signer == other.fingerprint
    with pytest.raises(ExportError, match="signer="):
        load(folder, signer=key.fingerprint)


def test_a_borrowed_key_or_fingerprint_does_not_help(
    folder: Path, key: SigningKey, other: SigningKey
) -> None:
    borrowed = {"public_key": key.public_key.hex(), "fingerprint": key.fingerprint}
    forge(folder, other, {}, **borrowed)
    with pytest.raises(ExportError, match="signature must fit"):
        load(folder, signer=key.fingerprint)
    forge(folder, other, {}, fingerprint=key.fingerprint)
    with pytest.raises(ExportError):
        load(folder)
    with pytest.raises(ExportError):
        load(folder, signer=key.fingerprint)


def test_a_signer_is_named_in_many_ways(original: ExportedModel, key: SigningKey) -> None:
    shown = repr(key)[len("SigningKey(") : -1]
    for signer in (
        key.fingerprint,
        key.fingerprint.upper(),
        ":".join(re.findall("..", key.fingerprint)),
        shown,
        key.public_key,
        key.public_key.hex(),
    ):
        assert load(original.folder, signer=signer).pinned


@pytest.mark.parametrize("signer", ["", "ab", "f" * 31, "g" * 64, "f" * 65, b"short", "0" * 32])
def test_a_wrong_or_short_signer_is_refused(original: ExportedModel, signer: str | bytes) -> None:
    with pytest.raises(ExportError):
        load(original.folder, signer=signer)


def test_a_manifest_in_other_spelling_is_refused(folder: Path, other: SigningKey) -> None:
    content = json.loads((folder / "manifest.json").read_bytes())
    content |= {"public_key": other.public_key.hex(), "fingerprint": other.fingerprint}
    for text in (
        json.dumps(content),
        json.dumps({**content, "note": "x"}, indent=2, sort_keys=True),
        json.dumps({**content, "format": "fedlab export 1"}, indent=2, sort_keys=True),
        "[" * 100_000,
    ):
        (folder / "manifest.json").write_text(text)
        (folder / "manifest.sig").write_bytes(other.sign(text.encode()))
        with pytest.raises(ExportError, match=re.escape("manifest.json")):
            load(folder)


def test_a_manifest_cannot_name_files_elsewhere(folder: Path, other: SigningKey) -> None:
    files = Manifest.decode((folder / "manifest.json").read_bytes()).files
    for name in ("../card.md", "/etc/hostname"):
        forge(folder, other, {}, files={**files, name: files["card.md"]})
        with pytest.raises(ExportError, match=r"hostname|card"):
            load(folder)
    forge(folder, other, {}, files={k: v for k, v in files.items() if k != "card.md"})
    with pytest.raises(ExportError, match=re.escape("card.md")):
        load(folder)


def test_signature_fits_by_another_implementation_path(original: ExportedModel) -> None:
    pem = re.findall(r"-----BEGIN.*?END PUBLIC KEY-----\n", original.card, re.S)[0]
    public = serialization.load_pem_public_key(pem.encode())
    assert isinstance(public, ed25519.Ed25519PublicKey)
    signature = (original.folder / "manifest.sig").read_bytes()
    public.verify(signature, (original.folder / "manifest.json").read_bytes())


# Archives of somebody who signs and means harm (R33)


def archive(data: bytes, **changes: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()} | changes


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def described(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    members = archive(data)
    description = json.loads(members["schema.json"])
    change(description)
    return packed(members | {"schema.json": json.dumps(description).encode()})


def hostile_archives(good: bytes) -> Iterator[tuple[str, bytes]]:
    members = archive(good)
    yield "compressed", packed(members, zipfile.ZIP_DEFLATED)
    yield "leaves", packed(members | {"../x.npy": b""})
    yield "absolute", packed(members | {"/x.npy": b""})
    yield "other name", packed(members | {"x.pkl": b""})
    yield "no description", packed({k: v for k, v in members.items() if k != "schema.json"})
    yield "many", packed(members | {f"{i}.npy": members["0.npy"] for i in range(1001)})
    yield "no archive", b"x" * 100
    yield "cut", good[:-10]
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    yield "pickle", packed(members | {"0.npy": pickled.getvalue()})
    header = io.BytesIO()
    huge = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(header, huge)
    yield "huge", packed(members | {"0.npy": header.getvalue()})
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as file:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(entry, data)
    yield "linked", linked.getvalue()
    for module, name, loader in [
        ("os", "system", "FunctionNode"),
        ("builtins", "eval", "TypeNode"),
        ("builtins", "dict", "ObjectNode"),
        ("numpy.random", "RandomState", "RandomStateNode"),
        ("operator", "methodcaller", "OperatorFuncNode"),
    ]:
        node = {"__module__": module, "__class__": name, "__loader__": loader, "content": {}}

        def plant(description: dict[str, Any], node: dict[str, Any] = node) -> None:
            description["content"]["content"]["memory"] = node

        yield f"{module}.{name}", described(good, plant)

    def older(description: dict[str, Any]) -> None:
        description["protocol"] = 0

    yield "older protocol", described(good, older)
    deep = b'{"__loader__":' * 5000
    yield "deep", packed(members | {"schema.json": deep})
    yield "no pipeline", skops.io.dumps(["not", "a", "model"])


def test_hostile_archives_are_refused_though_signed(folder: Path, other: SigningKey) -> None:
    good = (folder / "model.skops").read_bytes()
    for what, data in hostile_archives(good):
        forge(folder, other, {"model.skops": data})
        for read in (lambda: load(folder), lambda data=data: load_estimator(data)):
            try:
                read()
            except ExportError:
                continue
            pytest.fail(what)
    forge(folder, other, {"model.skops": good})
    load(folder)


def test_members_of_one_name_are_refused(folder: Path) -> None:
    good = (folder / "model.skops").read_bytes()
    buffer = io.BytesIO(good)
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(buffer, "a") as file,
    ):
        file.writestr("schema.json", b"{}")
    with pytest.raises(ExportError, match="members"):
        load_estimator(buffer.getvalue())


def test_an_estimator_of_another_kind_is_not_exported() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    model = make_pipeline(KNeighborsClassifier(1)).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ExportError, match="KNeighbors"):
        dump_estimator(model)


def test_skops_alone_reads_it_too(original: ExportedModel, sites: list[fl.Site]) -> None:
    path = original.folder / "model.skops"
    assert set(skops.io.get_untrusted_types(file=path)) <= {"numpy.dtype"}
    model = skops.io.load(path, trusted=["numpy.dtype"])
    rows = rows_of(sites, "test")
    assert (model.predict_proba(rows) == original.model.predict_proba(rows)).all()


def test_a_model_of_other_columns_than_the_manifest_is_refused(
    folder: Path, other: SigningKey
) -> None:
    manifest = Manifest.decode((folder / "manifest.json").read_bytes())
    for change in ({"inputs": manifest.inputs[1:]}, {"classes": manifest.classes[::-1]}):
        forge(folder, other, {}, **change)
        with pytest.raises(ExportError, match=r"columns (and|or)"):
            load(folder)


# The place


def test_an_export_goes_where_nothing_is_lost(
    run: Training, key: SigningKey, original: ExportedModel, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    (tmp_path / "file").write_text("words")
    mixed = Path(shutil.copytree(original.folder, tmp_path / "mixed"))
    (mixed / "notes.txt").write_text("words")
    lookalike = tmp_path / "lookalike"
    lookalike.mkdir()
    (lookalike / "manifest.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    for name in ("thesis", "file", "mixed", "lookalike"):
        with pytest.raises(ExportError):
            export(run, tmp_path / name, key)
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/deep/er", "empty"):
        assert load(export(run, tmp_path / name, key).folder).signer == key.fingerprint
    assert not list(tmp_path.rglob(".*"))


def test_the_working_folder_is_not_replaced(
    run: Training, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match="working folder"):
        export(run, Path(), key)


@pytest.mark.parametrize("move", [1, 2])
@pytest.mark.parametrize("fault", [OSError("disk full"), KeyboardInterrupt()])
def test_a_fault_at_a_move_leaves_a_whole_export(
    run: Training, key: SigningKey, folder: Path, fault: BaseException, move: int
) -> None:
    old = (folder / "manifest.sig").read_bytes()
    moves = 0
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        if moves == move:
            raise fault
        return rename(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises((ExportError, KeyboardInterrupt)):
            export(run, folder, key)
    load(folder, signer=key.fingerprint)
    place = folder if folder.exists() else folder.with_name(f".{folder.name}.previous")
    assert (place / "manifest.sig").read_bytes() == old
    export(run, folder, key)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_full_disk_leaves_the_old_export(run: Training, key: SigningKey, folder: Path) -> None:
    old = {name: (folder / name).read_bytes() for name in FILES}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ExportError, match="disk"):
            export(run, folder, key)
    assert {name: (folder / name).read_bytes() for name in FILES} == old
    assert list(folder.parent.iterdir()) == [folder]


# The key


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "identity.pem"
    key = SigningKey.load(path)
    assert SigningKey.load(path).fingerprint == key.fingerprint
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert "PRIVATE" not in repr(key)
    assert repr(key._private) not in repr(key)


def test_the_default_key_is_in_the_users_data_folder() -> None:
    key = SigningKey.load()
    path = Path(os.environ["XDG_DATA_HOME"]) / "fedlab" / "identity.pem"
    assert SigningKey.load(path).fingerprint == key.fingerprint


def test_keys_made_at_the_same_time_are_one(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"{attempt}.pem"
        start = threading.Barrier(4)
        found: set[str] = set()

        def make(path: Path = path, start: threading.Barrier = start, found: Any = found) -> None:
            start.wait()
            found.add(SigningKey.load(path).fingerprint)

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {SigningKey.load(path).fingerprint}


def test_what_is_no_key_of_ours_is_refused(tmp_path: Path) -> None:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    ours = ed25519.Ed25519PrivateKey.generate()
    secret = serialization.BestAvailableEncryption(b"secret")
    bad = {
        "empty": b"",
        "text": b"dear diary",
        "large": b"x" * (1 << 20),
        "curve": ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, plain),
        "locked": ours.private_bytes(pem, pkcs8, secret),
        "public": ours.public_key().public_bytes(
            pem, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "cut": ours.private_bytes(pem, pkcs8, plain)[:60],
    }
    for name, data in bad.items():
        path = tmp_path / name
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(ExportError, match="Ed25519"):
            SigningKey.load(path)
        assert path.read_bytes() == data
    (tmp_path / "folder").mkdir()
    with pytest.raises(ExportError):
        SigningKey.load(tmp_path / "folder")
    with pytest.raises(ExportError):
        SigningKey.load(tmp_path / "text" / "below a file.pem")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    SigningKey.load(tmp_path / "k.pem")
    (tmp_path / "k.pem").chmod(0o644)
    with pytest.raises(ExportError, match="owner alone"):
        SigningKey.load(tmp_path / "k.pem")


# The card


def facts(**changes: Any) -> CardFacts:
    site = SiteFacts(name="mercy", train_rows=10, test_rows=5, simulated=True, source="Doe 2020")
    base = CardFacts(
        run="run-1", sites=(site,), model="M()", strategy="S()", rounds=3, seed=7, privacy=None
    )
    return replace(base, **changes)


class Shown(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(text: str) -> str:
    controls = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
    return " ".join(re.sub(controls, " ", text).split())


@given(name=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1)))
def test_any_name_shows_as_its_own_text(name: str) -> None:
    for written in (as_code(name), f"Source: {as_prose(name)}", table(["h"], [[as_code(name)]])):
        page = Shown(as_page(written, name))
        body = page.text.split("\n</style>" if "</style>" in page.text else "}\n", 1)[-1]
        assert plain(name) in plain(page.text), (written, body)
        assert set(page.tags) <= {
            *("html", "head", "meta", "title", "style", "body", "p", "code", "br"),
            *("table", "thead", "tbody", "tr", "th", "td"),
        }
        assert page.attributes <= {
            "lang",
            "charset",
            "http-equiv",
            "content",
            "name",
            "class",
            "style",
        }


def test_hostile_names_everywhere_stay_text(key: SigningKey, tmp_path: Path) -> None:
    numbers = tuple(Column(name, low=0.0, high=1.0) for name in HOSTILE[::2])
    lists = tuple(Column(name, "category", tuple(HOSTILE)) for name in HOSTILE[1::2])
    model, space = small((*numbers, *lists), (HOSTILE[0], HOSTILE[1]))
    space = Space(replace_target(space.schema), space.scaling)
    named = tuple(
        SiteFacts(name=name, train_rows=1, test_rows=1, simulated=False, source=name)
        for name in HOSTILE
    )
    card = facts(run=HOSTILE[0], sites=named, strategy=HOSTILE[4], not_evaluated=HOSTILE[6])
    exported = export_run(tmp_path / "m", model=model, space=space, card=card, key=key)
    html = (exported.folder / "card.html").read_text("utf-8")
    calm = export_run(
        tmp_path / "calm",
        model=model,
        space=space,
        card=facts(sites=tuple(replace(s, name=f"s{i}") for i, s in enumerate(named))),
        key=key,
    )
    assert set(Shown(html).tags) == set(Shown((calm.folder / "card.html").read_text()).tags)
    assert {"img", "script", "a", "b"}.isdisjoint(Shown(html).tags)
    for name in HOSTILE:
        assert plain(name) in plain(Shown(html).text)
    tables = re.findall(r"((?:^\|.*\n)+)", exported.card, re.M)
    for lines in tables:
        assert len({line.count(" | ") for line in lines.splitlines()}) == 1
    assert "<img" not in exported._repr_html_()
    assert "\n" not in repr(exported)


def replace_target(schema: Schema) -> Schema:
    return Schema(schema.columns, "<b>target</b>", schema.classes)


def test_the_page_needs_no_network(original: ExportedModel) -> None:
    page = (original.folder / "card.html").read_text("utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"\b(src=|href|@import|url\()", page)


def test_the_card_tells_what_was_done(original: ExportedModel, run: Training) -> None:
    card = original.card
    for words in (
        "`KY` | simulated | 144 | 36",
        "Michalowicz",
        "`education` | category | `under 8 years`, `8 to 12 years`, `over 12 years`",
        "FedNewton",
        "| Rounds | 9 |",
        "| Seed | 7 |",
        "(all sites)",
        "no ε covers the parameters",
        "4 of 4 sites are simulated",
        "same sites",
        "No clinical validation",
        "holds no row",
    ):
        assert words in card
    coefficient = run.state.parameters["coef"][0]
    assert f"| `treated` | {coefficient:.6g} | {np.exp(coefficient):.4g} |" in card


def private_run() -> Training:
    federation = fl.Federation(fl.datasets.opt(policy=fl.Policy(epsilon=3.0)), seed=7)
    privacy = fl.RecordDP(epsilon=1.0, delta=1e-5, rounds=2)
    strategy = fl.FedAvg(batch_size=None)
    run = federation.train(fl.LogisticRegression(), strategy=strategy, privacy=privacy)
    run.run(2, progress=False)
    return run


def test_a_private_run_is_not_scored_behind_its_back(key: SigningKey, tmp_path: Path) -> None:
    run = private_run()
    exported = export(run, tmp_path / "m", key)
    assert "Not evaluated." in exported.card
    assert "no ε covers the parameters" not in exported.card
    spent = {
        site: float(epsilon)
        for site, epsilon in re.findall(r"^\| `(\w+)` \| ([\d.]+) \| 3 \|", exported.card, re.M)
    }
    assert set(spent) == {"KY", "MN", "MS", "NY"}
    assert all(0.9 < epsilon <= 1.0001 for epsilon in spent.values())
    promised = fl.RecordDP(epsilon=1.0, delta=1e-5)
    scored = export(run, tmp_path / "m", key, evaluation=run.evaluate(privacy=promised))
    assert "Not evaluated." not in scored.card
    assert "Answers with noise: at most ε" in scored.card


def test_epsilon_is_rounded_up() -> None:
    from fedlab.export.card import _ceiling

    assert _ceiling(1.00001) == "1.0001"
    assert _ceiling(0.0) == "0.0000"


def test_sites_that_refuse_leave_the_card_without_figures(key: SigningKey, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(40.0), "died": [0, 1] * 20})
    policy = fl.Policy(minimum_rows=11)
    run = trained([fl.Site("mercy", frame, target="died", policy=policy)], rounds=2)
    exported = export(run, tmp_path / "m", key)
    assert "**Not evaluated.** At least one site must judge the model" in exported.card
    assert "How well it predicts was not measured." in exported.card


def test_a_model_without_a_form_in_onnx_is_refused_before_anything_is_written(
    key: SigningKey, tmp_path: Path
) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    model, space = small((Column("a"),))
    model.steps[-1] = ("last", KNeighborsClassifier(1).fit([[0.0], [1.0]], [0, 1]))
    with pytest.raises(ExportError, match="must end in one of"):
        export_run(tmp_path / "model", model=model, space=space, card=facts(), key=key)
    assert not (tmp_path / "model").exists()
