"""The scan finds the eighteen kinds of identifiers, and is quiet on results."""

import base64
import importlib
import json
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

import fedlab.scan.contacts
import fedlab.scan.markup
import fedlab.scan.rule
from fedlab.core.safe_harbor import LOW_ZIP3, capped_ages, years, zip3
from fedlab.errors import DataError
from fedlab.scan import KINDS, ScanReport, scan_notebook, scan_text
from fedlab.scan.looking import RULES, in_html, in_structure, in_text
from fedlab.scan.names import FIRST_NAMES

constants: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# R36: kind, what must be found, and what looks like it and must not be.
TEXTS = [
    ("name", "Seen by Dr. Okonkwo on the ward", "Seen by Dr. at the ward; the MS site"),
    ("name", "Patient name: Zbigniew Xu", "Patient names were removed"),
    ("name", "then John Q. Smith fell", "John et al. fit a Gaussian Naive Bayes"),
    ("name", "SMITH, JOHN", "KENTUCKY, MINNESOTA"),
    ("name", "Next of kin: Adaeze Obi", "Name: Sex, Length: 303, dtype: object"),
    ("geography", "of 12 Main Street, flat 3", "of 12 Main effects"),
    ("geography", "zip: 02139", "zip: 021"),
    ("geography", "ZIP code 036", "ZIP code 037"),
    ("geography", "Springfield, MA 02139", "NY 10234 rows"),
    ("geography", "02139-4307", "102139-43071"),
    ("geography", "lives in Springfield", "lives in Kentucky"),
    ("geography", "County: Kenton", "Country: Kenya"),
    ("geography", "Kenton County", "Each County"),
    ("geography", "latitude: 39.1031", "latitude: 39"),
    ("geography", "Dayton, OH", "log odds, OR 1.3"),
    ("geography", "postcode EC1A 1BB", "block A1 of B2"),
    ("date", "on 1950-03-12 she", "in 1950 she"),
    ("date", "on 03/12/1950", "a share of 3/12 in 1950"),
    ("date", "on 12.03.1950", "version 12.3.1950; 0.3.1"),
    ("date", "March 12, 1950", "may 5 sites drop out"),
    ("date", "12 Mar 1950", "12 margins"),
    ("date", "admitted in March 2021", "March of progress"),
    ("date", "2024-03", "pandas==2024.03.1, 2024-1"),
    ("date", "2020Q3", "Q3 of the scores 2.7"),
    ("date", "datetime.date(1950, 3, 12)", "datetime.date(year, 3, 12)"),
    ("date", "DOB 19500312", "n = 19500312"),
    ("date", "age: 93", "age: 89"),
    ("date", "a 93-year-old woman", "over 90 years old"),
    ("date", "ages 18 to 97", "age 90 or older; age 90+; age 95% CI"),
    ("date", "ninety-three years old", "ninety-three years later"),
    ("phone", "(212) 555-0123", "(112) 555-0123"),
    ("phone", "212-555-0123", "212-155-0123"),
    ("phone", "+44 20 7946 0958", "+1.23456789"),
    ("phone", "+1-725-747-2839x1496", "725-747-28391"),
    ("phone", "tel. 030 1234567", "hotel 030"),
    ("fax", "Fax: (212) 555-0123", "Fax: none; (112) 555-0123"),
    ("fax", "facsimile +44 20 7946 0958", "facsimile of 12 pages"),
    ("email", "jane.doe@clinic.example.org", "@property, jane@clinic, git@github.com:a/b"),
    ("email", "jane dot doe at clinic dot org", "at most one dot organ"),
    ("ssn", "078-05-1120", "000-12-3456, 666-12-3456, 900-12-3456, 078-00-1120"),
    ("ssn", "SSN 078051120", "n = 078051120"),
    ("ssn", "SSN ending in 1120", "ending in 1120"),
    ("medical_record", "MRN: 00123456", "mRNA: 00123456; MRN missing"),
    ("medical_record", "{'medical_record_number': 'A-12345'}", "medical records of 12345 women"),
    ("health_plan", "Member ID: XYZ123456", "each member 3 of the group"),
    ("health_plan", "1EG4-TE5-MK73", "1EG4-TE5-MKAA"),
    ("account", "account no. 12345678", "on account of 12345678 rows"),
    ("account", "GB82 WEST 1234 5698 7654 32", "GB83 WEST 1234 5698 7654 32"),
    ("account", "4111 1111 1111 1111", "4111 1111 1111 1112"),
    ("licence", "Driver's license: D1234567", "Apache License 2.0"),
    ("licence", "certificate number 987654", "certificate of 2024"),
    ("licence", "AB1234563", "AB1234564"),
    ("vehicle", "1M8GDM9AXKP042788", "1M8GDM9A1KP042788"),
    ("account", "IBAN DE89 3704 0044 0532 0130 00", "FD58299F1EC7F840B 4B14C6D49"),
    ("account", "card 4111-1111-1111-1111.", "9407 520 4886 4111 1111 1111 1111 381"),
    ("vehicle", "chassis no WVWZZZ1JZXW000001", "28A66B0D389D95847"),
    ("vehicle", "license plate: KX 4821", "license plate: none"),
    ("device", "serial number SN-48213", "serial correlation 0.48213"),
    ("device", "(01)00844588003288(21)A1B2", "(01) 0.0844588003288"),
    ("device", "00:1B:44:11:3A:B7", "00:1B:44:11:3A:B7:9C:DE:00:11:22:33:44:55:66:77"),
    ("device", "IMEI 490154203237518", "IMEI 490154203237519"),
    ("url", "see https://portal.example.org/p/77", "see https://doi.org/10.1000/182"),
    ("url", "www.jane-doe.example", "www.python.org"),
    ("ip_address", "from 10.42.7.19", "from 127.0.0.1; version 10.42.7.19; 10.42.7.319"),
    ("ip_address", "2001:db8:0:1::5", "x[::2], 12:30:45, std::vector"),
    ("biometric", "voiceprint: 9f86d081884c7d65", "key fingerprint: 9f86d081884c7d65"),
    ("biometric", "iris scan = [0.11, 0.52, 0.33, 0.4]", "iris species = [0.11, 0.52, 0.33]"),
    ("other_code", "patient_id=77123", "patients=77123"),
    ("other_code", "accession no 2021-55-881", "accession to the union"),
    ("other_code", "ACGT" * 12, "ACCURATE"),
    ("other_code", "ACGT" * 60, "ACCURATE"),
]


def kinds(report: ScanReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def notebook(folder: Path, *cells: dict[str, Any], **rest: Any) -> Path:
    file = folder / "notebook.ipynb"
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)} | rest
    file.write_text(json.dumps(whole), "utf-8")
    return file


def code(source: str = "", *outputs: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": 1,
        "id": "a1b2",
        "metadata": {},
        "source": source,
        "outputs": list(outputs),
    } | rest


def shown(**data: Any) -> dict[str, Any]:
    formats = {name.replace("__", "/"): value for name, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": formats}


def html(text: str) -> dict[str, Any]:
    return shown(text__html=text)


def png(software: bytes, *, noise: bool) -> str:
    size = 64
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (size, size)) if noise else np.zeros((size, size))
    raw = b"".join(b"\0" + row.astype("u1").tobytes() for row in pixels)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"tEXt", b"Software\0" + software), (b"IDAT", zlib.compress(raw))]
    body = b"".join(chunk(name, part) for name, part in [*parts, (b"IEND", b"")])
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


@pytest.mark.parametrize(("kind", "positive", "near"), TEXTS)
def test_each_kind_has_a_hit_and_a_near_miss(kind: str, positive: str, near: str) -> None:  # R36
    assert kind in kinds(scan_text(positive))
    assert kind not in kinds(scan_text(near))


@pytest.mark.parametrize(("kind", "positive", "near"), TEXTS)
def test_a_note_around_an_identifier_hides_nothing(kind: str, positive: str, near: str) -> None:
    note = f"The woman was seen in the clinic; {positive}; she was sent home after two hours."
    assert kind in kinds(scan_text(note))


def test_the_table_of_texts_covers_all_kinds_that_are_text() -> None:
    assert {kind for kind, _, _ in TEXTS} == set(KINDS) - {"photo", "rows"}
    assert len(KINDS) == 19


@pytest.mark.parametrize("positive", [text for _, text, _ in TEXTS])
def test_no_report_repeats_what_it_found(positive: str) -> None:
    report = scan_text(positive)
    told = repr(report) + report._repr_html_() + report.frame.to_csv()
    for word in re.findall(r"\w*\d\w*", positive):
        if len(word) > 4:
            assert word not in told
    assert not any(
        re.search(r"[A-Za-z0-9]", f.excerpt) for f in report.findings if f.kind != "rows"
    )


def test_a_report_says_not_detected_and_never_absent(tmp_path: Path) -> None:
    report = scan_text("")
    assert report.clean
    assert all(line.endswith(": not detected") for line in report.lines)
    assert len(report.lines) == 19
    for told in (repr(report), report._repr_html_()):
        assert "absent" not in told
        assert "may be there" in told
    assert report.frame.empty


def test_a_report_is_itself_clean() -> None:
    report = scan_text("\n".join(text for _, text, _ in TEXTS))
    assert scan_text(repr(report)).clean
    page = report._repr_html_()
    assert scan_text(page).clean


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ssn", "\uff10\uff17\uff18-\uff10\uff15-\uff11\uff11\uff12\uff10"),
        ("ssn", "078\u201105\u20131120"),
        ("ssn", "078-05-\u200b1120"),
        ("ssn", "\u0660\u0667\u0668-\u0660\u0665-\u0661\u0661\u0662\u0660"),
        ("ssn", "078-05-\n1120"),
        ("ssn", "078-05\n   -1120"),
        ("email", "j\u0430ne.doe@clinic.org"),
        ("email", "jane.doe\uff20clinic.org"),
        ("email", "jane.doe@\nclinic.org"),
        ("email", "jane.doe&#64;clinic.org"),
        ("email", "jane.doe&amp;#64;clinic.org"),
        ("email", "jane.doe%40clinic.org"),
        ("name", "J\u043ehn Smith"),
        ("name", "Jos\u00e9 N\u00fa\u00f1ez"),
        ("name", "Mr. \u00c5ngstr\u00f6m"),
        ("phone", "(212)\n555-0123"),
        ("date", "March\n12, 1950"),
        ("ssn", "\x1b[31m078\x1b[0m-05-1120"),
        ("medical_record", "M\u00adRN: 123456"),
    ],
)
def test_spelling_and_line_breaks_hide_nothing(kind: str, text: str) -> None:
    assert kind in kinds(scan_text(text))


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("ssn", "<b>078</b>-05-<i>1120</i>"),
        ("email", "<p>jane.doe&#64;clinic.org</p>"),
        ("name", "<td title='John Smith'>x</td>"),
        ("medical_record", "<table><tr><td>MRN</td><td>123456</td></tr></table>"),
        ("date", "<!-- born 12 March 1950 -->"),
        ("photo", "<img src='data:image/jpeg;base64,/9j/4AAQ'>"),
        ("geography", "<p>12 Main<br>Street</p>"),
        ("phone", "<script>call = '(212) 555-0123'</script>"),
    ],
)
def test_html_is_read_as_it_is_seen_and_hidden(tmp_path: Path, kind: str, page: str) -> None:
    assert kind in kinds(scan_notebook(notebook(tmp_path, code("", html(page)))))


def test_every_part_of_a_notebook_is_read(tmp_path: Path) -> None:
    ssn = "SSN 078-05-1120"
    places = {
        "source": code(f"x = '{ssn}'"),
        "markdown": {"cell_type": "markdown", "metadata": {}, "source": ["A ", ssn]},
        "raw": {"cell_type": "raw", "metadata": {}, "source": ssn},
        "stream": code("", {"output_type": "stream", "name": "stderr", "text": [ssn]}),
        "result": code("", shown(text__plain=[ssn])),
        "markdown output": code("", shown(text__markdown=ssn)),
        "latex": code("", shown(text__latex=ssn)),
        "json": code("", shown(application__json={"a": [{"ssn": "078051120"}]})),
        "svg": code("", shown(**{"image__svg+xml": f"<svg><text>{ssn}</text></svg>"})),
        "plotly": code(
            "", shown(**{"application__vnd.plotly.v1+json": {"layout": {"title": ssn}}})
        ),
        "traceback": code(
            "", {"output_type": "error", "ename": "E", "evalue": "", "traceback": [f"\x1b[0m{ssn}"]}
        ),
        "error": code("", {"output_type": "error", "ename": "E", "evalue": ssn, "traceback": []}),
        "cell metadata": code(metadata={"hidden": {"deep": [ssn]}}),
        "output metadata": code("", shown() | {"metadata": {"k": ssn}}),
        "unknown key": code(extra=ssn),
        "attachment": {
            "cell_type": "markdown",
            "metadata": {},
            "source": "",
            "attachments": {f"{ssn}.txt": {"text/plain": "x"}},
        },
    }
    for place, cell in places.items():
        report = scan_notebook(notebook(tmp_path, code(), cell))
        assert kinds(report) == {"ssn"}, place
        assert {finding.cell for finding in report.findings} == {1}
    for metadata in ({"authors": ssn}, {"widgets": {"s": {"state": {"a": {"value": ssn}}}}}):
        assert kinds(scan_notebook(notebook(tmp_path, metadata=metadata))) == {"ssn"}
    assert kinds(scan_notebook(notebook(tmp_path, left_over=ssn))) == {"ssn"}
    named = notebook(tmp_path).rename(tmp_path / "ssn_078-05-1120.ipynb")
    assert kinds(scan_notebook(named)) == {"ssn"}
    assert "1120" not in repr(scan_notebook(named))


def test_keys_and_types_are_read_and_not_repeated(tmp_path: Path) -> None:
    ssn = "078-05-1120"
    for cell in (code() | {ssn: 1}, code("", {ssn: 1}), code("", shown(**{f"text__{ssn}": "x"}))):
        report = scan_notebook(notebook(tmp_path, cell))
        assert "ssn" in kinds(report)
        assert ssn not in repr(report)


def test_an_older_notebook_is_read_too(tmp_path: Path) -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "language": "python",
                        "input": ["# SSN 078-05-1120"],
                        "outputs": [
                            {"output_type": "display_data", "png": "AAAA", "metadata": {}},
                            {"output_type": "pyout", "html": ["<td>MRN</td><td>123456</td>"]},
                            {"output_type": "stream", "stream": "stdout", "text": "a@b.org"},
                        ],
                    }
                ]
            }
        ],
    }
    file = tmp_path / "old.ipynb"
    file.write_text(json.dumps(old), "utf-8")
    report = scan_notebook(file)
    assert kinds(report) == {"ssn", "photo", "medical_record", "email"}
    assert {(f.cell, f.output, f.kind) for f in report.findings} >= {
        (0, None, "ssn"),
        (0, 0, "photo"),
    }


def test_pictures_count_unless_they_are_drawings(tmp_path: Path) -> None:  # R36
    def found(**data: Any) -> set[str]:
        return kinds(scan_notebook(notebook(tmp_path, code("", shown(**data)))))

    assert found(image__jpeg="/9j/4AAQ") == {"photo"}
    assert found(image__png=png(b"PIL", noise=False)) == {"photo"}
    assert found(image__png=png(b"Matplotlib version3.9", noise=True)) == {"photo"}
    assert found(image__png=png(b"Matplotlib version3.9", noise=False)) == set()
    assert found(audio__wav="UklG") == {"biometric"}
    assert found(application__pdf="JVBE") == {"rows"}
    assert found(**{"image__svg+xml": "<svg><path d='M0 0'/></svg>"}) == set()
    attached = {"cell_type": "markdown", "metadata": {}, "source": "![x](attachment:f.png)"}
    attached["attachments"] = {"f.png": {"image/png": png(b"PIL", noise=False)}}
    assert kinds(scan_notebook(notebook(tmp_path, attached))) == {"photo"}
    picture = "![](data:image/png;base64,AAAA)"
    cell = {"cell_type": "markdown", "metadata": {}, "source": picture}
    assert kinds(scan_notebook(notebook(tmp_path, cell))) == {"photo"}


def patients(n: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "age": rng.integers(30, 80, n),
            "sex": rng.integers(0, 2, n),
            "chol": rng.integers(150, 300, n),
            "trestbps": rng.integers(100, 180, n),
        }
    )


def results() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        rng.normal(size=(4, 4)),
        index=pd.Index(["KY", "MN", "MS", "NY"], name="site"),
        columns=["coef", "standard_error", "p", "auc"],
    )


@pytest.mark.parametrize("form", ["to_string", "to_html", "to_csv", "to_markdown"])
def test_rows_of_patients_are_told_from_results(tmp_path: Path, form: str) -> None:
    def found(frame: pd.DataFrame) -> set[str]:
        if form == "to_markdown":
            lines = [
                [frame.index.name or "", *frame.columns],
                *frame.reset_index().to_numpy().tolist(),
            ]
            text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        else:
            text = getattr(frame, form)()
        output = html(text) if form == "to_html" else shown(text__plain=text)
        return kinds(scan_notebook(notebook(tmp_path, code("", output))))

    assert found(patients()) == {"rows"}
    assert found(patients().sample(5, random_state=3)) == {"rows"}
    assert found(results()) == set()
    many = pd.concat([results()] * 20).rename(columns=str.upper)
    assert found(many.set_axis(["training_rows", "held_out", "kept", "asked"], axis=1)) == set()
    assert found(results().reset_index()) == set()
    assert found(patients(300).describe()) == set()
    assert found(patients(300).groupby("sex").mean()) == set()


def test_a_column_gives_its_values_away(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "last_name": ["Xu", "Obi", "Roe"],
            "dob": ["19500312", "19610101", "19450505"],
            "age": [93, 44, 71],
            "zip": ["02139", "10001", "45202"],
            "mrn": ["00123456", "00123457", "00123458"],
            "patient_id": [11, 12, 13],
            "city": ["Dayton", "Kent", "Toledo"],
        }
    )
    wanted = {"name", "date", "geography", "medical_record", "other_code", "rows"}
    for text in (frame.to_string(), frame.to_csv()):
        assert kinds(scan_text(text)) >= wanted
    report = scan_notebook(notebook(tmp_path, code("", html(frame.to_html()))))
    assert kinds(report) >= wanted
    ages = next(f for f in report.findings if f.kind == "date" and f.excerpt == "••")
    assert (ages.times, ages.why) == (1, "an age over 89 in a column")


def test_an_index_of_patients_gives_itself_away() -> None:
    index = pd.Index(["A-101", "A-102", "A-103"], name="patient_id")
    frame = pd.DataFrame({"bp": [120, 130, 140], "hb": [12, 13, 14]}, index=index)
    assert "other_code" in kinds(scan_text(frame.to_string()))


def test_masked_and_coarse_columns_pass() -> None:
    frame = pd.DataFrame(
        {
            "age": ["90+", "44", "71"],
            "zip": ["021**", "000", "452"],
            "mrn": ["XXX", "***", "[redacted]"],
            "birth_year": [1950, 1961, 1945],
        },
        index=pd.Index(["a", "b", "c"], name="group"),
    )
    assert kinds(scan_text(frame.to_string())) == set()


def test_the_oldest_age_of_a_summary_is_somebody_s() -> None:
    ages = pd.DataFrame({"age": [93.0, 40.0, 50.0, 61.0], "chol": [200.0, 220.0, 240.0, 233.0]})
    assert "date" in kinds(scan_text(ages.describe().to_string()))
    assert "date" in kinds(scan_text(ages.describe().T.to_string()))
    younger = ages.assign(age=[89.0, 40.0, 50.0, 61.0])
    assert kinds(scan_text(younger.describe().T.to_string())) == set()


def test_rows_written_into_a_cell_are_found(tmp_path: Path) -> None:
    columns = "pd.DataFrame({'age': [63, 67, 41], 'sex': [1, 1, 0], 'chol': [233, 286, 204]})"
    records = "rows = [{'age': 63, 'sex': 1, 'chol': 1}, {'age': 6, 'sex': 1, 'chol': 2}, "
    records += "{'age': 3, 'sex': 1, 'chol': 4}]"
    for source in (f"%matplotlib inline\n{columns}", records):
        assert kinds(scan_notebook(notebook(tmp_path, code(source)))) == {"rows"}
    fine = "grid = {'mu': [0.1, 0.2, 0.3], 'rounds': [1, 2, 3]}\nfed.train(fl.LogisticRegression())"
    assert scan_notebook(notebook(tmp_path, code(fine))).clean


def test_charts_with_a_point_a_row_are_found(tmp_path: Path) -> None:
    def found(figure: go.Figure, **options: Any) -> set[str]:
        data = {"application__vnd.plotly.v1+json": json.loads(figure.to_json())}
        return kinds(scan_notebook(notebook(tmp_path, code("", shown(**data))), **options))

    values = np.random.default_rng(0).normal(size=303)
    assert "bdata" in go.Figure(go.Histogram(x=values)).to_json()
    assert found(go.Figure(go.Histogram(x=values))) == {"rows"}
    assert found(go.Figure(go.Box(y=values.tolist()))) == {"rows"}
    assert found(go.Figure(go.Scatter(x=values, y=values, mode="markers"))) == {"rows"}
    curve = go.Figure(go.Scatter(x=values, y=values, mode="lines"))
    assert found(curve) == set()
    assert found(curve, rows=303) == {"rows"}
    assert found(curve, rows=[200, 303]) == {"rows"}
    assert found(go.Figure(go.Bar(x=[0.2, 0.4], y=["KY", "MN"]))) == set()
    boxes = go.Box(q1=[1], median=[2], q3=[3], lowerfence=[0], upperfence=[4])
    assert found(go.Figure(boxes)) == set()


def test_records_in_a_chart_and_binary_widget_values_are_found(tmp_path: Path) -> None:
    records = patients(6).to_dict("records")
    vega = shown(**{"application__vnd.vegalite.v5+json": {"datasets": {"d": records}}})
    assert kinds(scan_notebook(notebook(tmp_path, code("", vega)))) == {"rows"}
    buffer = {"encoding": "base64", "path": ["x"], "data": "A" * 4000}
    state = {"state": {"m": {"model_name": "FigureModel", "state": {}, "buffers": [buffer]}}}
    widgets = {"application/vnd.jupyter.widget-state+json": state}
    report = scan_notebook(notebook(tmp_path, metadata={"widgets": widgets}))
    assert kinds(report) == {"rows"}
    state["state"]["m"]["model_name"] = "ImageModel"
    report = scan_notebook(notebook(tmp_path, metadata={"widgets": widgets}))
    assert kinds(report) == {"rows", "photo"}


def test_a_printed_matrix_of_rows_is_told_from_a_covariance() -> None:
    rng = np.random.default_rng(0)
    assert kinds(scan_text(repr(rng.integers(0, 200, (30, 4))))) == {"rows"}
    assert scan_text(repr(np.cov(rng.normal(size=(12, 40))))).clean
    assert scan_text(repr(rng.normal(size=(1, 17)))).clean


@pytest.mark.parametrize(
    "make",
    [
        lambda: pd.Series(["Smith"]).astype(float),
        lambda: int("Smith"),
        lambda: pd.to_datetime(pd.Series(["Smith"]), format="%Y"),
    ],
)
def test_an_error_that_quotes_a_cell_is_found_and_ours_is_not(tmp_path: Path, make: Any) -> None:
    def output(error: Exception) -> dict[str, Any]:
        line = f"{type(error).__name__}: {error}"
        return {"output_type": "error", "ename": "E", "evalue": str(error), "traceback": [line]}

    with pytest.raises(ValueError, match="Smith") as raised:
        make()
    assert kinds(scan_notebook(notebook(tmp_path, code("", output(raised.value))))) == {"rows"}
    ours = DataError("A column holds numbers.", "text", "Map it first.", site="KY", round=3)
    assert scan_notebook(notebook(tmp_path, code("", output(ours)))).clean


def test_an_allowance_needs_a_kind_and_a_reason(tmp_path: Path) -> None:
    page = "https://portal.example.org/p/77"
    allowed = f"# fedlab: allow url: where the data come from\nread('{page}')"
    report = scan_notebook(notebook(tmp_path, code(allowed)))
    assert report.clean
    assert report.findings[0].allowed == "where the data come from"
    assert "web addresses: allowed 1" in report.lines
    # It holds for its kind and its cell alone.
    report = scan_notebook(notebook(tmp_path, code(allowed + " # SSN 078-05-1120"), code(page)))
    assert [(f.cell, f.kind) for f in report.open] == [(0, "ssn"), (1, "url")]
    for bad in (
        "# fedlab: allow url",
        "# fedlab: allow everything: because",
        "# fedlab: allow url: a page of John Smith",
    ):
        report = scan_notebook(notebook(tmp_path, code(f"{bad}\nread('{page}')")))
        assert not report.clean
        assert len(report.notes) == 1
    text = {"cell_type": "markdown", "metadata": {}}
    text["source"] = f"<!-- fedlab: allow url, date: of the paper -->\n{page}, 12 March 2024"
    assert scan_notebook(notebook(tmp_path, text)).clean
    whole = {"fedlab": {"allow": {"url": "the clinic's own page"}}}
    assert scan_notebook(notebook(tmp_path, code(page), metadata=whole)).clean
    none = {"fedlab": {"allow": {"url": ""}}}
    report = scan_notebook(notebook(tmp_path, code(page), metadata=none))
    assert not report.clean
    assert report.notes == ("An allowance of url gives no reason.",)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_our_notebooks_are_clean(file: Path) -> None:
    report = scan_notebook(file)
    assert report.clean, repr(report)
    assert not report.notes


def test_the_command_line_fails_on_findings_and_repeats_none(tmp_path: Path) -> None:
    bad = notebook(tmp_path, code("# SSN 078-05-1120"))
    run = [sys.executable, "-m", "fedlab.scan"]
    found = subprocess.run([*run, str(bad)], capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 1
    assert "cell 0, source: ssn" in found.stdout
    assert "1120" not in found.stdout + found.stderr
    bad.write_text("no JSON", "utf-8")
    both = [*run, str(NOTEBOOKS[0]), str(bad)]
    broken = subprocess.run(both, capture_output=True, text=True, cwd=ROOT)
    assert broken.returncode == 2
    assert "no JSON" not in broken.stderr
    assert subprocess.run([*run, str(NOTEBOOKS[0])], cwd=ROOT).returncode == 0


def test_a_commit_hook_scans_notebooks() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (hook,) = [h for repo in config["repos"] for h in repo["hooks"] if h["id"] == "scan-notebooks"]
    assert hook["entry"] == ".venv/bin/python -m fedlab.scan"
    assert hook["types"] == ["jupyter"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b'{"cells": [',
        b"[]",
        b"{}",
        b'{"cells": 3}',
        b'{"nbformat": 9, "cells": []}',
        b'{"nbformat": [], "cells": []}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_notebook_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.ipynb"
    file.write_bytes(content)
    with pytest.raises(DataError):
        scan_notebook(file)


def test_missing_files_and_wrong_arguments_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.ipynb"):
        with pytest.raises(DataError):
            scan_notebook(path)
    with pytest.raises(DataError):
        scan_text(b"x")  # type: ignore[arg-type]
    for rows in (0, True, [1.5]):
        with pytest.raises(DataError):
            scan_text("x", rows=rows)  # type: ignore[arg-type]


def test_a_repeated_key_hides_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.ipynb"
    file.write_text('{"cells": [], "metadata": {"a": "SSN 078-05-1120", "a": "fine"}}', "utf-8")
    assert kinds(scan_notebook(file)) == {"ssn"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "text", "source", "outputs", "metadata", "text/html", "state"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(cells=st.lists(JSON, max_size=3), metadata=JSON)
def test_any_json_around_cells_is_read(
    tmp_path_factory: pytest.TempPathFactory, cells: list[Any], metadata: Any
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.ipynb"
    file.write_text(json.dumps({"cells": cells, "metadata": metadata}), "utf-8")
    repr(scan_notebook(file))


@given(
    st.lists(st.lists(st.floats(allow_nan=False), min_size=4, max_size=4), min_size=3, max_size=8)
)
def test_tables_of_results_pass(values: list[list[float]]) -> None:
    frame = pd.DataFrame(values, columns=["coef", "se", "lower", "upper"])
    for text in (frame.to_string(), frame.to_csv(), repr(values)):
        assert scan_text(text).clean
    frame.index = pd.Index([f"feature {i}" for i in range(len(frame))], name="feature")
    assert scan_text(frame.to_string()).clean


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_counts_pass(values: list[int]) -> None:
    # Four numbers of four digits are written as the number of a card is, and one in ten checks.
    four = "".join("4" if len(str(each)) == 4 else "-" for each in values)
    assume("4444" not in four)
    assert scan_text(" ".join(map(str, values))).clean
    assert scan_text("\n".join(f"{a:,} rows" for a in values)).clean
    assert scan_text(repr(values)).clean


@given(st.binary(min_size=8, max_size=64))
def test_hashes_and_keys_pass(raw: bytes) -> None:
    texts = (raw.hex(), raw.hex(":", 8), f"run {raw[:4].hex()}", f"sha256:{raw.hex()}")
    for text in texts:
        assert scan_text(text).clean


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    repr(scan_text(text))


def patterns() -> Iterator[re.Pattern[str]]:
    yield from (rule.pattern for rule in RULES)
    yield fedlab.scan.markup.TAG
    for module in (fedlab.scan.contacts, fedlab.scan.rule):
        yield from (value for value in vars(module).values() if isinstance(value, re.Pattern))


def repeats(tree: Any) -> Iterator[int]:
    """The greatest number of times of every repeat in a parsed pattern, at any depth."""
    for op, arguments in tree:
        if op in {constants.MAX_REPEAT, constants.MIN_REPEAT}:
            yield arguments[1]
            yield from repeats(arguments[2])
        elif op is constants.BRANCH:
            for branch in arguments[1]:
                yield from repeats(branch)
        elif op is constants.SUBPATTERN:
            yield from repeats(arguments[3])
        elif op in {constants.ASSERT, constants.ASSERT_NOT}:
            yield from repeats(arguments[1])


def test_each_place_of_a_text_costs_at_most_a_constant() -> None:
    """No repeat is unbounded, so what a match at one place can try does not grow with the text."""
    for pattern in patterns():
        tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
        assert all(most is not constants.MAXREPEAT for most in repeats(tree)), pattern
        assert tree.getwidth()[1] <= (450 if pattern is not fedlab.scan.markup.TAG else 5000), (
            pattern
        )


@pytest.mark.parametrize(
    "part",
    [
        *("1", "1 ", "1-", "A", "Aa ", "a.", "a@", "a@a.", "+1 (", "12:", "MRN: ", "http://", "<"),
        *("&#", "[1,", "age 9", "078-05-", "John ", "12 March ", "a at a dot ", "|", "  a", "\n-a"),
        *("<a ", "<!--", "<td>", "</", "<a b='x", "<![CDATA["),
        *("GB82 ", "%40", "iris scan a ", "data:image/png;base64,", "+(0)(0)", "# fedlab: allow "),
        *("phone: (1 ", "Main Street ", "1 Aa ", "-\n", "Name: Aa, ", "x=[0.1, ", "account 1-"),
    ],
)
def test_long_monotonous_texts_end(part: str) -> None:
    for read in (in_text, in_html, in_structure):
        list(read(part * (5_000 // len(part))))


def test_lists_say_what_they_must() -> None:
    assert len(LOW_ZIP3) == 17
    assert all(re.fullmatch(r"\d{3}", zip3) for zip3 in LOW_ZIP3)
    assert all(name == name.lower() and name.isalpha() for name in FIRST_NAMES)


# R36
def test_zip_codes_keep_three_digits_where_enough_people_live() -> None:
    codes = pd.Series(["02139", "036011234", "89301", None, "100"])
    assert zip3(codes).tolist()[:3] == ["021", "000", "000"]
    assert zip3(codes).isna().tolist() == [False, False, False, True, False]
    assert scan_text("zip " + "\nzip ".join(zip3(codes).dropna())).clean
    for wrong in (pd.Series([2139]), pd.Series(["2139"]), pd.Series(["0213x"])):
        with pytest.raises(DataError) as raised:
            zip3(wrong)
        assert "2139" not in str(raised.value)


def test_ages_over_89_become_one_group_and_dates_become_years() -> None:
    ages = capped_ages(pd.Series([0, 89, 89.99, 90, 130, np.nan]))
    assert ages.tolist()[:5] == ["0", "89", "89", "90+", "90+"]
    assert ages.isna().tolist()[5]
    assert scan_text(pd.DataFrame({"age": ages, "n": 1}).to_string()).clean
    dates = pd.Series(["1950-03-12", None, "1930-12-31"])
    assert years(dates).tolist()[::2] == [1950, 1930]
    assert years(dates, reference=2024).tolist()[::2] == [1950, 1934]
    assert years(pd.to_datetime(dates)).tolist()[::2] == [1950, 1930]
    for call, wrong in (
        (capped_ages, ["old"]),
        (capped_ages, [-1]),
        (years, ["Smith"]),
        (years, [1]),
    ):
        with pytest.raises(DataError) as raised:
            call(pd.Series(wrong))
        assert "Smith" not in str(raised.value)
