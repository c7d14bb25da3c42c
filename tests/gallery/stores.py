"""Small atlases written as the atlas writes them, without a network: records, strips, `atlas.json`."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kinetoscope.files import digest_of, safe_component

FRAMES, CELL = 4, 24
SETTINGS = {"preset": "default", "size": [4, 24, 24]}


def strip(number: int) -> bytes:
    """Frames, texture and motion of one colour and grain each."""
    y, x = np.mgrid[:CELL, :CELL]
    cells = [
        np.stack([127 + 120 * np.sin((x * (1 + number % 3) + y * (number % 2) + t) / 2)] * 3, axis=-1)
        for t in range(FRAMES + 2)
    ]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(cells, axis=1).astype(np.uint8)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def record(layer: str, unit: int, tile: bytes | None, **changes: Any) -> dict[str, Any]:
    """A record; `label`, `direction`, `speed`, `need`, `agreement` and `name` as given."""
    label, speed = changes.pop("label", "right"), changes.pop("speed", 0.5)
    files = (
        {}
        if tile is None
        else {"tile.webp": {"bytes": len(tile), "sha256": hashlib.sha256(tile).hexdigest()}}
    )
    return {
        "schema": 1,
        "settings": SETTINGS,
        "layer": layer,
        "unit": unit,
        "unit_name": changes.pop("name", ""),
        "objective": "channel-relu",
        "model": "tiny",
        "activation": {"optimal": 2.0 + unit, "random_input": 0.0, "static_only": 1.0 + unit / 10},
        "indices": {"motion_dependence": changes.pop("need", 0.5), "direction_index": None},
        "confidence": {
            "seeds": [0, 1],
            "labels": [label, label],
            "label_agreement": changes.pop("agreement", 1.0),
            "field_circular_variance": 0.25,
        },
        "decomposition": {
            "psnr_db": 30.0,
            "variance_explained": {"coherent": 0.7, "light": 0.1, "jitter": 0.1, "residual": 0.1},
        },
        "motion": {
            "direction_deg": changes.pop("direction", 0.0),
            "speed_px_per_frame": speed,
            "mean_speed_px_per_frame": speed,
            "coherence": 1.0,
            "divergence_per_frame": 0.0,
            "rotation_per_frame": 0.0,
            "label": label,
        },
        "steps": 4,
        "seconds": {"optimize": 1.0},
        "history": [0.0, 1.0, 2.0 + unit],
        "render": {
            "motion_scale_px_per_frame": 2.0,
            "tile": {"frames": FRAMES, "cell_height": CELL, "cell_width": CELL},
        },
        "files": files,
        **changes,
    }


def add(root: Path, layer: str, unit: int, *, tile: bool = True, **changes: Any) -> Path:
    """Write a unit into an atlas; gives its folder."""
    content = strip(unit) if tile else None
    folder = root / safe_component(layer) / str(unit)
    folder.mkdir(parents=True)
    said = record(layer, unit, content, **changes)
    whole = {**said, "record_sha256": digest_of(said)}
    (folder / "unit.json").write_text(json.dumps(whole))
    if content is not None:
        (folder / "tile.webp").write_bytes(content)
    return folder


def about(root: Path, layers: Mapping[str, int], **changes: Any) -> Path:
    """Write what the atlas is of: layers and how many units each has."""
    said = {
        "schema": 1,
        "model": "tiny",
        "weights": "default",
        "weights_sha256": "0" * 64,
        "seed": 0,
        "settings": SETTINGS,
        "motion_scale_px_per_frame": 2.0,
        "layers": {name: {"units": count, "asked": list(range(count))} for name, count in layers.items()},
        **changes,
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "atlas.json").write_text(json.dumps(said))
    return root


DIRECTIONS = ("right", "up-right", "up", "up-left", "left", "down-left", "down", "down-right")


def tiny(root: Path, **changes: Any) -> Path:
    """Two layers: eight units that each move another way, and four named ones."""
    about(root, {"conv1": 8, "fc": 4}, **changes)
    for unit, label in enumerate(DIRECTIONS):
        add(root, "conv1", unit, label=label, direction=45.0 * unit, speed=0.2 + 0.1 * unit, need=unit / 7)
    for unit, name in enumerate(("cat", "dog", "zebra", "dead one")):
        add(root, "fc", unit, name=name, label="dead" if unit == 3 else "still", speed=0.01, need=0.1)
    return root
