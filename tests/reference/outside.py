"""Where data lie that are no part of the project."""

import os
from pathlib import Path

import pytest


def outside(name: str) -> Path:
    """The folder `name` in the one KINETOSCOPE_DATA names, in `data` there, or beside it; may be missing."""
    root = Path(os.environ.get("KINETOSCOPE_DATA", "absent")).absolute()
    places = [place / name for place in (root, root / "data", root.parent)]
    return next((place for place in places if place.is_dir()), places[0])


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test where the folder is missing, and say why."""
    return pytest.mark.skipif(
        not outside(name).is_dir(), reason=f"KINETOSCOPE_DATA names no folder with {name}"
    )
