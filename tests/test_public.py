"""What `import fedlab as fl` offers, by name."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import fedlab as fl

ROOT = Path(__file__).parents[1] / "fedlab"
# To change this list is to change what users have written down in their notebooks.
NAMES = """
    Actor AdaptiveClipping Approval Authorization Benchmark BernoulliNB CentredClipping
    Consent CoxRegression Deidentified Ditto ExportedModel Feature FeatureMapping FedAdagrad
    FedAdam FedAvg FedAvgM FedBoost FedCox FedForest FedNewton FedNova FedProx FedSGD
    FedSums FedYogi Federation FhirView FineTuning Gap GaussianNB GeometricMedian
    GradientBoostingClassifier GradientBoostingRegressor InProcess Inference Judgement
    KAnonymity KMeans Krum LabelSkew LinearRegression LogisticRegression Mapping MaskLesson
    Mean Median ModelLimits MultiKrum NormClipping OmopView PCA PoissonRegression Policy
    Preprocess Quality QuantitySkew RandomForestClassifier RandomForestRegressor Reading
    RecordDP Ridge SCAFFOLD SVC ScanReport SecureSum Signed SigningKey Site SiteDP
    SklearnModel TrimmedMean asking attacks audit benchmark compare concordance core
    datasets deidentification deidentify displays engines errors export generalise judging
    k_anonymity load mask_lesson partition privacy queries read_fhir read_omop read_sql
    resume scan scan_notebook scan_text site strategies suggest_mapping widgets
"""


PUBLIC: list[str] = vars(fl)["__all__"]


def stub() -> dict[str, str]:
    """Names in the stub, and where each comes from."""
    found = {}
    for node in ast.parse((ROOT / "__init__.pyi").read_text("utf-8")).body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, "a stub exports only `X as X`"
            found[alias.name] = node.module or ""
    return found


def test_the_public_names_are_these() -> None:
    assert sorted(PUBLIC) == NAMES.split()


def test_the_stub_tells_the_same_names() -> None:
    assert sorted(stub()) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(fl))


@pytest.mark.parametrize("name", sorted(stub()))
def test_every_public_name_is_there_and_is_the_one_in_the_stub(name: str) -> None:
    thing = getattr(fl, name)
    if isinstance(thing, ModuleType):
        assert thing is import_module(f"fedlab.{name}")
        return
    home = import_module(f"fedlab.{stub()[name]}")
    assert thing is getattr(home, name)
    assert thing.__doc__


MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_lists_it_has(name: str) -> None:
    module = import_module(name)
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public)
    assert module.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="FedMagic"):
        getattr(fl, "FedMagic")  # noqa: B009
