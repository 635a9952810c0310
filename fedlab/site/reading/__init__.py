"""Records as hospitals keep them, read into a table with an account of every record."""

from fedlab.site.reading.faults import FAULTS, GAPS, LEFT_OUT, Fault
from fedlab.site.reading.fhir import read_fhir
from fedlab.site.reading.fhir_files import Limits
from fedlab.site.reading.fhir_view import FhirColumn, FhirView, ViewDefinition
from fedlab.site.reading.omop import read_omop
from fedlab.site.reading.omop_view import (
    Age,
    Cohort,
    ConceptValue,
    Died,
    IndexDate,
    Measured,
    OmopView,
    Present,
    Sex,
)
from fedlab.site.reading.report import Reading, ReadingReport
from fedlab.site.reading.sql import read_sql

__all__ = [
    "FAULTS",
    "GAPS",
    "LEFT_OUT",
    "Age",
    "Cohort",
    "ConceptValue",
    "Died",
    "Fault",
    "FhirColumn",
    "FhirView",
    "IndexDate",
    "Limits",
    "Measured",
    "OmopView",
    "Present",
    "Reading",
    "ReadingReport",
    "Sex",
    "ViewDefinition",
    "read_fhir",
    "read_omop",
    "read_sql",
]
