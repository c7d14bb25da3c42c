"""The order of the house: imports run one way, file by file; sampling grids are known to one file only."""

import ast
import re
import subprocess
import sys
from functools import cache
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
        "version",
        "presenting",
        "files",
        "records",
        "results",
        "reading",
        "schedule",
        "metric",
        "spectrum",
        "stimuli",
        "card",
        "processes",
    },
    {"clips", "units", "render", "weights", "tconv"},
    {"zoo"},
    {"optimal", "motion", "filters", "activations", "attribution", "tuning", "synthetic", "natural"},
    {"inquiry"},
    {"training", "evaluation", "bearings"},
    {"atlas", "gallery"},
    {"cli"},
    {"__main__", "__init__"},
)
GRIDS = {"meshgrid", "affine_grid", "grid_sample"}
FILES = sorted(ROOT.rglob("*.py"))


def module_of(path: Path) -> str:
    """A file's dotted name in the package; "__init__" for the package's own."""
    pieces = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(pieces[:-1] if pieces[-1] == "__init__" else pieces) or "__init__"


MODULES = {module_of(path): path for path in FILES}


def room_of(module: str) -> str:
    return module.partition(".")[0]


def known(base: list[str], names: list[str]) -> set[str]:
    """The modules that `from base import names` takes: submodules by name, else the package's own file."""
    here = ".".join(base)
    inside = {".".join([*base, name]) for name in names}
    found = inside & MODULES.keys()
    whole = {here or "__init__"} & MODULES.keys() if len(found) < len(names) else set()
    return found | whole


def imported(source: str, path: Path) -> set[str]:
    """The modules that a file imports: anywhere in it, for type checkers only, or by a name in a string."""
    package = list(path.relative_to(ROOT).parent.parts)
    tree, found = ast.parse(source), set()
    by_name = any(isinstance(node, ast.alias) and node.name == "import_module" for node in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            pieces = [*base, *(piece for piece in (node.module or "").split(".") if piece)]
            if node.level or pieces[:1] == ["kinetoscope"]:
                found |= known(pieces if node.level else pieces[1:], [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {".".join(name[1:]) or "__init__" for name in names if name[0] == "kinetoscope"}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= named(node.value, package, by_name)
    return (found & MODULES.keys()) - {module_of(path)}


def named(text: str, package: list[str], by_name: bool) -> set[str]:
    """The modules that a string names: in full, or as a file that imports by name may write them."""
    match = re.fullmatch(r"(\.*)(\w+(?:\.\w+)*)(?::\w+)?", text)
    if match is None:
        return set()
    dots, name = match.groups()
    if name.startswith("kinetoscope."):
        return {name.partition(".")[2]}
    if not by_name:
        return set()
    here = package[: len(package) - max(len(dots), 1) + 1]
    meant = {".".join([*here, name]), "" if dots else name} & MODULES.keys()
    return {module for module in meant if MODULES[module].stem == module.rpartition(".")[2]} - {"__main__"}


def names_in(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    return attributes | plain | {node.name for node in nodes if isinstance(node, ast.alias)}


@cache
def graph() -> dict[str, set[str]]:
    """Every arrow from file to file."""
    return {module: imported(path.read_text(), path) for module, path in MODULES.items()}


def circle_in(arrows: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as cycle:
        return cycle.args[1]
    return []


def test_every_room_has_its_tier() -> None:
    rooms = {room_of(module) for module in MODULES}
    assert rooms == set().union(*TIERS), "give the new room a place in TIERS"


def test_imports_run_one_way() -> None:
    tier = {room: number for number, rooms in enumerate(TIERS) for room in rooms}
    arrows = [(a, b) for a, others in graph().items() for b in others]
    assert [(a, b) for a, b in arrows if tier[room_of(b)] > tier[room_of(a)]] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle_in(graph()) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for module, others in graph().items():
        room = room_of(module)
        rooms.setdefault(room, set()).update({room_of(other) for other in others} - {room})
    assert circle_in(rooms) == []


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name != "warp.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_warp_knows_sampling_grids(path: Path) -> None:
    assert not names_in(path.read_text()) & GRIDS


def test_the_checks_see_what_they_look_for() -> None:
    deep = ROOT / "motion" / "losses.py"
    assert imported("from ..render.files import save_unit\nfrom . import summary", deep) == {
        "render.files",
        "motion.summary",
    }
    assert imported("def f():\n    from ..inquiry import given, __version__", deep) == {
        "inquiry.given",
        "inquiry",
    }
    assert imported("if TYPE_CHECKING:\n    from ..cli.run import Run", deep) == {"cli.run"}
    assert imported("import kinetoscope.cli.run\nfrom kinetoscope import warp", deep) == {"cli.run", "warp"}
    assert imported("load('kinetoscope.zoo.c3d:build_c3d')", deep) == {"zoo.c3d"}
    by_name = "from importlib import import_module\n"
    assert imported(f"{by_name}import_module('.summary', __package__)", deep) == {"motion.summary"}
    assert imported(f"{by_name}MODULES = ('summary', 'zoo.c3d')", deep) == {"motion.summary", "zoo.c3d"}
    assert imported("MODULES = ('summary', 'zoo.c3d')", deep) == set()
    assert {"zoo.c3d", "zoo.networks_3t"} <= graph()["zoo.entries"]
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (["b", "c", "b"], ["c", "b", "c"])
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
