"""What the site has beside this folder's pages: executed tutorials, and pages from elsewhere.

`make docs` runs the tutorials into build/tutorials first. Links that lead out of this folder, as they do in a
clone, lead to the site's own copies; links to a tutorial's source lead to its executed page.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel

DOCS = Path(__file__).parent
ROOT = DOCS.parent
TUTORIALS = ROOT / "build" / "tutorials"
LINK = re.compile(r"\]\(([^)\s:#]+)((?:#[^)]*)?)\)")
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md")
"""Pages of the repository's root that stand in the navigation."""


def on_files(files: Files, config: Any) -> Files:
    """Add what lies elsewhere."""
    executed = sorted(path for path in TUTORIALS.rglob("*") if path.is_file())
    if not executed:
        raise PluginError("the tutorials have not been run; `make docs` does that first")
    for path in executed:
        files.append(
            File.generated(config, f"tutorials/{path.relative_to(TUTORIALS)}", abs_src_path=str(path))
        )
    for name in BESIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for path in sorted(_outside()):
        text = path.read_text(encoding="utf-8")
        body = f"# {path.name}\n\n```{path.suffix[1:]}\n{text}```\n" if path.suffix != ".md" else text
        hidden = InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, _place(path), content=body, inclusion=hidden))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links to where their pages stand here."""
    inside = page.file.src_uri.startswith("elsewhere/") or page.file.src_uri in BESIDE

    def led(match: re.Match[str]) -> str:
        target, anchor = match.groups()
        if inside:
            return f"]({target.removeprefix('docs/')}{anchor})"
        path = (DOCS / page.file.src_uri).parent.joinpath(target).resolve()
        if path.suffix == ".py" and path.parent == DOCS / "tutorials":
            return f"]({target.removesuffix('.py')}.md{anchor})"
        up = "../" * page.file.src_uri.count("/")
        return match[0] if path.is_relative_to(DOCS) else f"]({up}{_place(path)}{anchor})"

    return LINK.sub(led, markdown)


def _outside() -> set[Path]:
    """Files outside this folder that its pages link to."""
    found = set()
    for page in DOCS.glob("*.md"):
        for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            if path.is_file() and not path.is_relative_to(DOCS):
                found.add(path)
    return found


def _place(path: Path) -> str:
    """Where a file of the repository stands on the site."""
    if path.parent == ROOT and path.name in BESIDE:
        return path.name
    name = str(path.relative_to(ROOT)).replace("/", "-")
    return f"elsewhere/{name.removesuffix('.md')}.md"
