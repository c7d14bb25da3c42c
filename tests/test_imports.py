"""The order of the house: imports run one way, and sampling grids are known to one file only."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import kinetoscope

ROOT = Path(kinetoscope.__file__).parent
TIERS = (
    {
        "errors",
        "types",
        "warp",
        "brief",
        "records",
        "results",
        "reading",
        "schedule",
        "metric",
        "stimuli",
        "extents",
        "apng",
    },
    {"models", "units", "render", "arrays", "decoders", "films", "video"},
    {"optimal", "motion", "filters", "truth", "activations", "attribution", "tconv", "tuning"},
    {"request", "account", "pipeline", "given", "training", "evaluation", "studies"},
    {"cli", "__main__"},
)
# results save, draw and show themselves for people at a prompt; who does it is looked up when it is asked for
LATE = {("results", "render"), ("results", "given")}
GRIDS = {"meshgrid", "affine_grid", "grid_sample"}
FILES = sorted(ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(source: str, path: Path) -> set[str]:
    """Which parts of the package a file imports, wherever in the file."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [piece for piece in base if piece]
            found |= {base[0]} if base else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            pieces = (node.module or "").split(".")
            if pieces[0] == "kinetoscope":
                found |= {pieces[1]} if len(pieces) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {name[1] for name in names if name[0] == "kinetoscope" and len(name) > 1}
    return {name for name in found if not name.startswith("__")}


def names_in(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    return attributes | plain | {node.name for node in nodes if isinstance(node, ast.alias)}


def graph() -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for path in FILES:
        part = part_of(path)
        if part != "__init__":
            edges.setdefault(part, set()).update(imported_parts(path.read_text(), path) - {part})
    return {part: {other for other in others if (part, other) not in LATE} for part, others in edges.items()}


def test_every_part_has_its_tier() -> None:
    known = set().union(*TIERS)
    assert set(graph()) <= known, "give the new part a place in TIERS"


def test_imports_run_one_way() -> None:
    tier = {part: number for number, parts in enumerate(TIERS) for part in parts}
    upward = [(a, b) for a, others in graph().items() for b in others if tier.get(b, 99) > tier.get(a, 99)]
    assert upward == []
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as cycle:
        pytest.fail(f"parts import each other in a circle: {cycle.args[1]}")


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name != "warp.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_warp_knows_sampling_grids(path: Path) -> None:
    assert not names_in(path.read_text()) & GRIDS


def test_the_checks_see_what_they_look_for() -> None:
    deep = ROOT / "motion" / "losses.py"
    assert imported_parts("from ..render.files import save_unit\nfrom . import x", deep) == {
        "render",
        "motion",
    }
    assert imported_parts("def f():\n    from .. import pipeline, __version__", deep) == {"pipeline"}
    assert imported_parts("import kinetoscope.cli.run\nfrom kinetoscope import video", deep) == {
        "cli",
        "video",
    }
    assert names_in("import torch.nn.functional as F\nF.grid_sample(x)") & GRIDS == {"grid_sample"}
    assert names_in("from torch import meshgrid as grid") & GRIDS == {"meshgrid"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = (
        "import sys, kinetoscope\n"
        "assert 'load_model' in dir(kinetoscope)\n"
        "print([m for m in ('torch', 'numpy', 'av', 'matplotlib', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", kinetoscope.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(kinetoscope, name) is not None


def test_public_names_are_the_ones_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(kinetoscope.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = kinetoscope.no_such_name
