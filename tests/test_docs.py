"""What README and docs print is true: Python runs, commands parse, links lead somewhere."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import typer.main

import kinetoscope as ks
from kinetoscope.cli.app import app
from kinetoscope.inquiry.request import versions

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "src").rglob("*.md")])
TUTORIALS = sorted(path for path in (ROOT / "docs/tutorials").glob("*.py") if path.stem != "run")
PINNED = ("dev", "docs", "hf", "ray", "slurm", "train")
"""Extras whose packages are installed by the chores."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLE_LINES = re.compile(r"^    (\S.*)$", re.MULTILINE)


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [body for name, body in found if name == language]


def command_lines(text: str) -> Iterator[str]:
    """Lines of shell blocks and of indented ones, without comments."""
    shell = "\n".join(body for name, body in FENCE.findall(text) if name == "sh")
    for line in [*shell.splitlines(), *EXAMPLE_LINES.findall(FENCE.sub("", text))]:
        yield line.partition(" #")[0].strip()


def shown_commands(pages: list[Path]) -> list[str]:
    lines = (line for page in pages for line in command_lines(page.read_text(encoding="utf-8")))
    return sorted({line for line in lines if line.startswith("kinetoscope ")})


@cache
def whole_command() -> Any:
    return typer.main.get_command(app)


def parse(line: str) -> str:
    """Read a command as the command line does, without running it; gives the verb."""
    group = whole_command()
    context = group.make_context("kinetoscope", shlex.split(line)[1:])
    words = [*context._protected_args, *context.args]
    name, command, rest = group.resolve_command(context, words)
    command.make_context(name, rest, parent=context)
    return str(name)


@pytest.mark.parametrize("line", shown_commands([*PAGES, *ROOT.glob("examples/*.py")]))
def test_commands_parse(line: str) -> None:
    assert parse(line) == line.split()[1]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("kinetoscope visualise a b --units 0 --out c", "visualise"),
        ("kinetoscope demo --outt x", "--outt"),
        ("kinetoscope decompose a --out b --formulation own", "own"),
        ("kinetoscope layers", "model"),
    ],
)
def test_wrong_commands_do_not_parse(line: str, told: str) -> None:
    with pytest.raises(Exception, match=told):
        parse(line)


def options_of(command: Any) -> set[str]:
    own = {opt for parameter in command.params for opt in parameter.opts}
    return own.union(*(options_of(sub) for sub in getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_options_and_verbs_in_running_text_exist(page: Path) -> None:
    group = whole_command()
    known = options_of(group) | {"--help", "--install-completion"}
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text(encoding="utf-8")))
    ours = [span for span in spans if span.startswith(("--", "kinetoscope "))]
    named = {word for span in ours for word in re.findall(r"(?<!\S)--[a-z-]+", span)}
    verbs = {span.split()[1] for span in ours if span.startswith("kinetoscope ")} - known
    if page.name != "motion13.md":  # its options are the training command's
        assert named <= known
    assert verbs <= set(group.commands)


@pytest.mark.usefixtures("quick")  # that it runs is tested, not what it finds
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=page_id)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, Any] = {"__name__": "page"}
    for index, code in enumerate(blocks(page, "python")):
        exec(compile(code, f"{page.name}, block {index}", "exec"), names)
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_chores_and_modules_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "lint", "format", "clean"} <= rules
    assert set(re.findall(r"(?:^    |`|&& )make ([a-z]+)", text, re.MULTILINE)) <= rules
    for module in re.findall(r"python -m (kinetoscope[\w.]*)", text):
        assert find_spec(module) is not None, module
    for script in re.findall(r"python ((?:examples|docs)/\S+\.py)", text):
        assert (ROOT / script).is_file(), script


def test_every_page_under_docs_is_linked() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    for page in (ROOT / "docs").glob("*.md"):
        assert any(f"{page.name})" in text for text in texts), page.name


def test_the_reference_has_every_public_name() -> None:
    shown = re.findall(r"^::: kinetoscope\.(\w+)$", (ROOT / "docs/reference.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(set(ks.__all__) - {"Flow", "Video"}), "types are told in words there"


def test_the_site_shows_every_page_and_every_tutorial() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    own = {page.name for page in (ROOT / "docs").glob("*.md")} | {"CHANGELOG.md", "CONTRIBUTING.md"}
    assert listed == own | {f"tutorials/{path.stem}.md" for path in TUTORIALS}


@pytest.mark.parametrize("source", TUTORIALS, ids=lambda path: path.stem)
def test_what_tutorials_say_in_words_is_true(source: Path) -> None:
    cells = re.split(r"^# %%(.*)$", source.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    words = "\n".join(
        re.sub("^# ?", "", body, flags=re.MULTILINE)
        for head, body in zip(cells[::2], cells[1::2], strict=True)
        if "markdown" in head
    )
    assert words.startswith("\n# ")
    for target in re.findall(r"\]\(([^)#\s]+)", words):
        assert (source.parent / target).exists(), target
    for line in [line for line in command_lines(words) if line.startswith("kinetoscope ")]:
        parse(line)


def test_every_dependency_is_pinned_and_no_build_is_chosen() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    pins = dict(line.lower().replace("_", "-").split("==") for line in lines)
    extras = project["optional-dependencies"]
    wanted = {
        re.split(r"[<>=\[]", line)[0]
        for line in [*project["dependencies"], *(one for extra in PINNED for one in extras[extra])]
    }
    assert wanted - {"kinetoscope"} <= set(pins)
    assert [name for name, version in pins.items() if "+" in version] == []


def test_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert versions()["kinetoscope"] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
