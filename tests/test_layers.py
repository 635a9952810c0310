"""Imports go down the list of layers, and never round in a circle.

Displays sit right above the core: a figure takes computed arrays and asks nobody, while each result
offers ``.plot()`` and so imports its figure.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
# Top to bottom; the second entry is one layer, the analyst's verbs.
LAYERS = (
    "widgets",
    "asking attacks audit beside comparison contributions coordinator cox_inference datasets"
    " deidentification estimates judging"
    " evaluation export federation gap history inference mask_lesson partitioning"
    " personal_evaluation pooled pooled_rows preprocessing quality replay rounds run_figure saves"
    " scan secure_sum single_sites spend standing stepping sum_steps survival training",
    "engines",
    "strategies",
    "site",
    "queries",
    "privacy",
    "displays",
    "core",
    "errors",
)
DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names.split()}
HEAVY = ["plotly", "ipywidgets", "dp_accounting", "flwr", "nvflare", "sklearn", "anywidget"]


class Import(NamedTuple):
    """One module of the package that another one names; ``runs`` is false if only for types."""

    target: str
    line: int
    runs: bool


def sources(package: Path) -> list[tuple[str, Path]]:
    """Every file of the package with its module's name; a stub counts as its module."""
    files = sorted(path for path in package.rglob("*") if path.suffix in {".py", ".pyi"})
    parts = [(file.relative_to(package.parent).with_suffix("").parts, file) for file in files]
    return [(".".join(p[:-1] if p[-1] == "__init__" else p), file) for p, file in parts]


def statements(node: ast.AST, runs: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import below a node, at any depth."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, runs
    for name, value in ast.iter_fields(node):
        guarded = (
            isinstance(node, ast.If)
            and name == "body"
            and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        )
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from statements(child, runs and not guarded)


def imports(module: str, file: Path, modules: set[str]) -> Iterator[Import]:
    """The modules of the same package that a file imports."""
    package = module.split(".")
    if file.stem != "__init__":
        package.pop()
    root = module.split(".")[0]
    for node, runs in statements(ast.parse(file.read_text("utf-8")), file.suffix == ".py"):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            inner = {alias.name: f"{origin}.{alias.name}" for alias in node.names}
            names = [path if path in modules else origin for path in inner.values()]
        for name in names:
            if name.split(".")[0] == root:
                yield Import(name, node.lineno, runs)


def faults(package: Path) -> list[str]:
    """What breaks the layers of a package, in words."""
    files = sources(package)
    modules = {name for name, _ in files}
    graph: dict[str, set[str]] = {name: set() for name in modules}
    found = []
    for module, file in files:
        if module == package.name:
            continue  # the front door may import anything
        layer = module.split(".")[1]
        if layer not in DEPTH:
            found.append(f"{module} is in no layer. Add {layer!r} to LAYERS, or move the module.")
            continue
        for target, line, runs in imports(module, file, modules):
            place = f"{file.relative_to(package.parent)}:{line}"
            below = [*target.split("."), ""][1]
            if DEPTH.get(below, -1) < DEPTH[layer]:
                found.append(f"{place}: {module} imports {target}, which is above it.")
            if runs:
                graph[module].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append("Modules import each other in a circle: " + " -> ".join(error.args[1]))
    return found


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a package `lab` of the given files."""
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "lab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / "lab"


def test_imports_of_fedlab_go_down_and_never_round() -> None:
    found = faults(ROOT / "fedlab")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"core/a.py": "from lab.site import door", "site/door.py": ""}, "above"),
        ({"core/a.py": "def f():\n    from ..site.door import x", "site/door.py": ""}, "above"),
        ({"core/a.py": "import lab.widgets", "widgets.py": ""}, "above"),
        ({"core/a.py": "from lab import Site"}, "above"),
        ({"errors.py": "if TYPE_CHECKING:\n    from lab.core import a", "core/a.py": ""}, "above"),
        ({"core/__init__.pyi": "from ..site import door", "site/door.py": ""}, "above"),
        ({"core/a.py": "from . import b", "core/b.py": "import lab.core.a"}, "circle"),
        ({"export.py": "import lab.saves", "saves.py": "def f(): import lab.export"}, "circle"),
        ({"core/a.py": "from . import x", "core/__init__.py": "from .a import y"}, "circle"),
        ({"helpers.py": ""}, "no layer"),
    ],
)
def test_a_breach_of_the_layers_is_found(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    (found,) = faults(write(tmp_path, files))
    assert fault in found


def test_sound_layers_pass(tmp_path: Path) -> None:
    package = write(
        tmp_path,
        {
            "__init__.py": "from .widgets import Workbench",
            "widgets.py": "import json\nfrom lab import errors, training",
            "training.py": "from .displays.figures import draw\nfrom .export import save",
            "export.py": "if TYPE_CHECKING:\n    from .training import Training",
            "displays/figures.py": "from ..errors import Wrong",
            "errors.py": "",
        },
    )
    assert faults(package) == []


def test_importing_fedlab_loads_nothing_heavy() -> None:
    code = f"import sys, fedlab; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.split() == []
