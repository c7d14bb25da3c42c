"""Run the tutorials from clean, each in a kernel and a folder of its own, and leave them as pages.

python docs/tutorials/run.py build/tutorials [NAME ...]

A page is Markdown with its outputs in it; pictures lie beside it. Any error ends the run.
"""

import sys
import tempfile
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

HERE = Path(__file__).parent
SECONDS = 1200
"""For one cell: usually a few, on a busy machine many."""


def run(source: Path, out: Path) -> float:
    """Execute one tutorial and write `out`/NAME.md and its pictures; returns the seconds it took."""
    began = time.perf_counter()
    notebook = jupytext.read(source)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python", "language": "python"}
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=SECONDS, startup_timeout=SECONDS, resources=place).execute()
    resources = {"unique_key": source.stem, "output_files_dir": f"{source.stem}_files"}
    text, kept = MarkdownExporter().from_notebook_node(notebook, resources=resources)
    for name, data in kept.get("outputs", {}).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    (out / f"{source.stem}.md").write_text(text, encoding="utf-8")
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    """Run those that are named, or all."""
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    names = arguments[1:] or sorted(path.stem for path in HERE.glob("*.py") if path.name != "run.py")
    for name in names:
        print(f"{name}: {run(HERE / f'{name}.py', out):.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
