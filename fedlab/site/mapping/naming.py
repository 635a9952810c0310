"""How alike two names are, and which unit a name tells."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cache

from fedlab.core.units import known_unit

__all__ = ["likeness", "means", "unit_in_name"]

#: What hospitals call things: first the name in full, then usual abbreviations.
SYNONYMS = """
age: years old, age at admission, age years, pt age
albumin: alb
bicarbonate: hco3, co2
bilirubin: bili, tbil, tbili, total bilirubin
bmi: body mass index
calcium: ca
chloride: cl
cholesterol: chol, tc, total cholesterol
creatinine: cr, crea, creat, scr, serum creatinine
crp: c reactive protein
date of admission: admit, admission, admission date, admit date, adm date
date of birth: dob, birth, birthdate, birth date
death: died, dead, deceased, expired, mortality, hospital expire flag
diabetes: dm, diabetic, diabetes mellitus
diagnosis: dx, icd, icd10, diag
diastolic blood pressure: dbp, diastolic, bp diastolic, dia bp
ethnicity: ethnic group
glucose: glu, gluc, bg, blood glucose, serum glucose, fbs, sugar
hba1c: a1c, hemoglobin a1c, glycated hemoglobin
hdl: hdl cholesterol, hdlc
heart rate: hr, pulse, pulse rate
height: ht, body height, stature
hematocrit: hct, haematocrit
hemoglobin: hb, hgb, haemoglobin
hypertension: htn
iron: fe
lactate: lac, lactic acid
ldl: ldl cholesterol, ldlc
length of stay: los, days in hospital
magnesium: mg level, magn
oxygen saturation: spo2, o2sat, sao2, sat
patient: mrn, patient id, pat id, pid, subject id, person id, medical record number, patient number
phosphate: phos, phosphorus
platelets: plt, platelet count, thrombocytes
potassium: potas, k level
respiratory rate: rr, resp, resp rate
sex: gender, gender code, sex code, administrative sex
smoking: smoker, smoke, tobacco, smoking status
sodium: na, serum sodium
systolic blood pressure: sbp, systolic, bp systolic, sys bp
temperature: temp, tmp, body temperature, body temp
triglycerides: tg, trig, triglyceride
urate: uric acid, ua
urea: serum urea
urea nitrogen: bun, blood urea nitrogen
ward: dept, department, location
weight: wt, body weight, bodyweight
white cells: wbc, leukocytes, leucocytes, white blood cells
"""

#: The end of a name that tells a unit, without what stands between its letters.
ENDINGS = {
    "mgdl": "mg/dL",
    "gdl": "g/dL",
    "gl": "g/L",
    "ugdl": "ug/dL",
    "mcgdl": "ug/dL",
    "ngml": "ng/mL",
    "mmoll": "mmol/L",
    "umoll": "umol/L",
    "nmoll": "nmol/L",
    "meql": "meq/L",
    "degf": "[degF]",
    "fahrenheit": "[degF]",
    "f": "[degF]",
    "degc": "Cel",
    "celsius": "Cel",
    "c": "Cel",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "pounds": "[lb_av]",
    "kg": "kg",
    "in": "[in_i]",
    "inch": "[in_i]",
    "inches": "[in_i]",
    "ft": "[ft_i]",
    "cm": "cm",
    "mmhg": "mm[Hg]",
    "kpa": "kPa",
    "bpm": "/min",
    "years": "a",
    "yrs": "a",
    "months": "mo",
    "days": "d",
    "pct": "%",
    "percent": "%",
}


@cache
def _full_names() -> dict[str, str]:
    found = {}
    for line in SYNONYMS.strip().splitlines():
        full, _, rest = line.partition(": ")
        found[full] = full
        found.update(dict.fromkeys(rest.split(", "), full))
    return found


def _tokens(name: str) -> list[str]:
    plain = re.sub(r"[(\[].*?[)\]]", " ", name)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    return re.findall(r"[^\W_]+", plain.lower())


def unit_in_name(name: str) -> str | None:
    """The unit that a name ends in or has in brackets.

    Examples
    --------
    >>> unit_in_name("glucose_mg_dl"), unit_in_name("Weight (lb)"), unit_in_name("TEMP_F")
    ('mg/dL', 'lb', '[degF]')
    """
    bracket = re.search(r"[(\[]([^()\[\]]+)[)\]]\s*$", name)
    if bracket and known_unit(bracket[1]):
        return bracket[1]
    tokens = _tokens(name)
    for length in (3, 2, 1):
        ending = "".join(tokens[-length:])
        if length < len(tokens) and ending in ENDINGS:
            return ENDINGS[ending]
    return None


def means(name: str) -> str:
    """A name in full, without its unit.

    Examples
    --------
    >>> means("WT_LB"), means("GLU (mg/dL)"), means("patient_id")
    ('weight', 'glucose', 'patient')
    """
    tokens = _tokens(name)
    known = _full_names()
    whole = " ".join(tokens)
    if whole in known:
        return known[whole]
    if unit_in_name(name) is not None:
        for length in (3, 2, 1):
            if length < len(tokens) and "".join(tokens[-length:]) in ENDINGS:
                tokens = tokens[:-length]
                break
    whole = " ".join(tokens)
    return known.get(whole, " ".join(known.get(token, token) for token in tokens))


def likeness(first: str, second: str) -> float:
    """How alike two names are, from 0 to 1: by what they mean, else by their letters.

    Examples
    --------
    >>> likeness("glucose", "GLU_MG_DL"), likeness("weight", "WT"), likeness("age", "sodium") < 0.4
    (1.0, 1.0, True)
    """
    left, right = means(first), means(second)
    if left == right:
        return 1.0
    words, others = set(left.split()), set(right.split())
    shared = len(words & others) / len(words | others) if words | others else 0.0
    # `SequenceMatcher` depends on the order of its arguments.
    letters = min(
        SequenceMatcher(None, left, right).ratio(), SequenceMatcher(None, right, left).ratio()
    )
    # One word within another name may be another thing: "age" and "age of onset".
    return min(
        0.9, max(0.85 * shared + 0.1 * letters, letters if letters >= 0.8 else 0.6 * letters)
    )
