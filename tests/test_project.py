"""The files around the package agree with each other and give nothing away."""

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec, Version, VersionSpec

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
# The lock starts here, and so does the conda environment.
OLDEST_PYTHON = PROJECT["requires-python"].removeprefix(">=")
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
THE_PACKAGE = "-e .[data]"
LOCK = (ROOT / "requirements.lock").read_text("utf-8")

TARGETS = {"help", "lab", "test", "lint", "bench", "fuzz", "lock", "notebooks", "clean"}
TOP_LEVEL = {
    *(".ci", ".gitattributes", ".gitignore", ".pre-commit-config.yaml"),
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md"),
    *("Makefile", "environment.yml", "pyproject.toml", "requirements.lock"),
    *("fedlab", "notebooks", "tests"),
}


def runtime() -> list[Requirement]:
    return [Requirement(text) for text in PROJECT["dependencies"]]


def wanted() -> list[Requirement]:
    """What the package, its extras and its build ask for."""
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    groups = [text for texts in PYPROJECT["dependency-groups"].values() for text in texts]
    return [*runtime(), *map(Requirement, extras + groups)]


def locked() -> dict[str, set[str]]:
    """The versions of each package in the lock: more than one where they differ by platform."""
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for line in re.findall(r"^\w.*==.*", LOCK, re.MULTILINE):
        pin = Requirement(line.rstrip("\\ "))
        versions[canonicalize_name(pin.name)] |= {spec.version for spec in pin.specifier}
    return dict(versions)


def environment() -> tuple[dict[str, str], dict[str, SpecifierSet]]:
    """The versions that environment.yml asks of conda and of pip, by package."""
    conda: dict[str, str] = {}
    pip: dict[str, SpecifierSet] = {}
    for entry in ENVIRONMENT["dependencies"]:
        if isinstance(entry, str):
            spec = MatchSpec(entry)
            assert spec.name is not None
            conda[spec.name.normalized] = spec.version or "*"
        else:
            requirements = [Requirement(line) for line in entry["pip"] if line != THE_PACKAGE]
            pip |= {canonicalize_name(each.name): each.specifier for each in requirements}
    return conda, pip


def tracked() -> Iterator[Path]:
    """Every file that is, or is about to be, in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a git checkout can tell which files are its own")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return (path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_satisfies(requirement: Requirement) -> None:
    versions = locked()[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)


def test_every_pin_of_the_lock_has_a_hash() -> None:
    pins = re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]
    assert [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_locked_versions_satisfy_environment_yml() -> None:
    conda, pip = environment()
    pins = {**locked(), "python": {OLDEST_PYTHON}, "pip": set()}
    for name, spec in conda.items():
        assert all(VersionSpec(spec).matches(Version(version)) for version in pins[name]), name
    for name, specifier in pip.items():
        assert all(specifier.contains(version) for version in pins[name]), name


def test_environment_yml_names_every_runtime_dependency_with_its_bounds() -> None:
    conda, pip = environment()
    bounds = {name: SpecifierSet(spec) for name, spec in conda.items() if spec[0] in "<>"} | pip
    for requirement in runtime():
        assert bounds[canonicalize_name(requirement.name)] == requirement.specifier


def test_environment_yml_installs_the_package_with_its_data_sets() -> None:
    assert THE_PACKAGE in ENVIRONMENT["dependencies"][-1]["pip"]


def test_binder_accepts_environment_yml() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("jupyter-repo2docker"), "--no-build", "--debug", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    # Binder falls back to an older Python, with a mere warning, when it cannot read ours.
    assert f"Building conda environment for python={OLDEST_PYTHON}" in run.stderr


def test_no_file_names_a_package_registry_or_a_machine_path() -> None:
    # In pieces, since this file is one of those searched.
    hosts = [
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("registry", "npmjs"),
        ("deb", "debian"),
    ]
    hosts += [("conda", "anaconda")]
    forbidden = "|".join(map(re.escape, map(".".join, hosts)))
    forbidden += r"|(?<![\w.])/(?:work|root|home/[a-z]+|tmp/[a-z]+_jobs|Users/[a-z]+)/"
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        for match in re.finditer(forbidden, path.read_text("utf-8", errors="ignore"))
    ]
    assert found == []


def test_the_lock_names_no_index() -> None:
    assert not re.search(r"^\s*--(?!hash)|://", LOCK, re.MULTILINE)


def test_the_top_level_holds_nothing_unexpected() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_make_help_lists_the_targets() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^  make (\w+)", shown.stdout, re.MULTILINE)
    assert set(targets) == TARGETS
