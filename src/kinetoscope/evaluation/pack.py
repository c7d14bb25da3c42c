"""A pack of planted clips with their truth, and a score for velocities that any program finds in them."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..errors import SettingInvalid
from ..files import write_json
from ..records import read_arrays, write_arrays
from ..types import Velocity
from .cases import Size, clip_cases
from .planted import Errors, compare

INDEX = "pack.json"


def write_pack(folder: Path, size: Size, seeds: Sequence[int]) -> None:
    """Leave one `NAME.safetensors` per clip, and `pack.json`, which lists them with their families.

    Each file holds `video` (T, 3, H, W) in [0, 1], `velocity` (T-1, 2, H, W), pixels per frame: content at p
    in frame t is at p + velocity_t(p) in frame t+1, and `texture` (3, H, W), the first frame.

    Args:
        size: (T, H, W).
        seeds: those from `planted.TUNING` on are for choosing settings, others for reporting.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for seed in seeds:
        for number, case in enumerate(clip_cases(seed, size)):
            name = f"{seed}-{number:02d}"
            clip = case.clip
            arrays = {"video": clip.video, "velocity": clip.velocity, "texture": clip.texture}
            write_arrays(folder / f"{name}.safetensors", arrays)
            listed.append({"clip": name, "family": case.family, "name": case.name, "seed": seed})
    write_json(folder / INDEX, {"size": list(size), "clips": listed})


def score(folder: Path, found: dict[str, Velocity]) -> dict[str, Errors]:
    """Errors of the velocities that were found, by clip.

    Args:
        folder: of a pack.
        found: (T-1, 2, H, W) by the clip's name in `pack.json`; clips that are missing are not judged.

    Raises:
        SettingInvalid: a name that the pack does not hold, or a velocity of another shape.
    """
    names = {row["clip"] for row in json.loads((folder / INDEX).read_text())["clips"]}
    errors = {}
    for name, velocity in found.items():
        if name not in names:
            raise SettingInvalid(f"the pack has no clip {name!r}; its names stand in {INDEX}")
        truth = read_arrays(folder / f"{name}.safetensors")["velocity"]
        if velocity.shape != truth.shape:
            raise SettingInvalid(
                f"{name}: a velocity is {tuple(truth.shape)}, steps, x and y, height, width, "
                f"not {tuple(velocity.shape)}"
            )
        errors[name] = compare(velocity, truth)
    return errors
