"""A compass, and what it leaves on disk: numbers, the probe, every clip taken apart, a figure, a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..brief import Brief
from ..files import plain, write_bytes_atomically, write_json
from ..records import write_arrays
from ..render.compass import Shown, draw_compass
from ..render.files import save_decomposition
from ..render.templates import template
from ..render.words import number
from ..tuning.agreement import NEAR_DEG
from .needle import PROBE, SHUFFLED, Needle
from .probe import Probe, Score

RECORD, ARRAYS, FIGURE = "compass.json", "probe.safetensors", "compass.png"
COLUMNS = ("asked", "recovered", "off", "read by the probe", "speed [px/frame]", "film", "coherent share")
KIND_WORDS = {PROBE: "the probe", SHUFFLED: "shuffled probes"}


@dataclass(frozen=True, eq=False, repr=False)
class Reading(Brief):
    """What a layer's probe reads in clips that it was not trained on.

    Attributes:
        score: of the probe.
        dealt: of the probes whose directions were dealt anew, one per angle.
        knows: whether the layer has a plane of direction (`probe.knows_direction`).
        planted_deg, read_deg: (clips,), truth and reading of the held-out clips, degrees.
        probe: the two linear functions.
    """

    score: Score
    dealt: tuple[Score, ...]
    knows: bool
    planted_deg: Tensor
    read_deg: Tensor
    probe: Probe


@dataclass(frozen=True, eq=False, repr=False)
class Compass:
    """A layer's plane of motion direction, and whether its pictures point where they were asked to.

    Attributes:
        layer: dotted name.
        shape: of the clips, (C, T, H, W).
        reading: of held-out clips by the probe.
        needles: one per angle, those of the probe first, then those of the shuffled ones; none where the
            probe reads no direction.
        score: recovered against asked angles, of the probe; None without needles. `shuffled`: of the control.
        record: what else `compass.json` holds, plain JSON values.
    """

    layer: str
    shape: tuple[int, int, int, int]
    reading: Reading
    needles: tuple[Needle, ...]
    score: Score | None
    shuffled: Score | None
    record: dict[str, Any]

    def __repr__(self) -> str:
        return f"compass of {self.layer}: {verdict(self)}"

    def save(self, directory: str | Path) -> Path:
        """Write numbers, the probe, every clip, a figure and a page; returns the page's path.

        Raises:
            OutputUnwritable: a file cannot be written.
        """
        directory = Path(directory)
        for needle in self.needles:
            save_needle(needle, directory)
        page = write_parts(self, directory, {})
        write_json(directory / RECORD, document(self, {}))
        return page


def verdict(compass: Compass) -> str:
    """What came out, in a sentence."""
    read = compass.reading.score
    reads = (
        f"on held-out clips its probe is {number(read.median_error_deg, '{:.0f}°')} off (chance 90°), "
        f"mean cosine {number(read.mean_cosine)}"
    )
    if compass.score is None or compass.shuffled is None:
        return f"no plane of direction here: {reads}; no clips were made"
    return (
        f"{reads}; asked for {len(compass.needles) // 2} angles its clips go "
        f"{number(compass.score.median_error_deg, '{:.0f}°')} beside them, circular correlation "
        f"{number(compass.score.circular_correlation)} (shuffled probes "
        f"{number(compass.shuffled.circular_correlation)})"
    )


def needle_folder(directory: Path, kind: str, asked_deg: float) -> Path:
    """Where a clip and its account lie: `directory`/KIND/ANGLE."""
    return directory / kind / f"{asked_deg:06.2f}"


def save_needle(needle: Needle, directory: Path) -> Path:
    """Write one clip and its account, the files of `visualize`; returns their folder.

    Raises:
        OutputUnwritable: a file cannot be written.
    """
    return save_decomposition(needle.result, needle_folder(directory, needle.kind, needle.asked_deg))


def document(compass: Compass, named: Mapping[str, Any]) -> dict[str, Any]:
    """What `compass.json` holds; `named`: how model and weights were named."""
    reading = compass.reading
    return plain(
        {
            **named,
            **compass.record,
            "verdict": verdict(compass),
            "probe": {
                "knows_direction": reading.knows,
                "channels": reading.probe.weights.shape[1],
                "penalty": reading.probe.penalty,
                "held_out": reading.score,
                "held_out_shuffled": reading.dealt,
            },
            "recovered": {
                PROBE: _with_share(compass, compass.score, PROBE),
                SHUFFLED: _with_share(compass, compass.shuffled, SHUFFLED),
            },
            "needles": [_row(needle) for needle in compass.needles],
        },
        RECORD,
    )


def _with_share(compass: Compass, score: Score | None, kind: str) -> dict[str, Any] | None:
    own = [needle for needle in compass.needles if needle.kind == kind]
    if score is None:
        return None
    return {
        "median_error_deg": score.median_error_deg,
        "circular_correlation": score.circular_correlation,
        "within_45_deg": sum(needle.error_deg <= NEAR_DEG for needle in own) / len(own),
        "shown_still": sum(needle.recovered_deg is None for needle in own),
    }


def _row(needle: Needle) -> dict[str, Any]:
    result = needle.result
    return {
        "kind": needle.kind,
        "asked_deg": needle.asked_deg,
        "recovered_deg": needle.recovered_deg,
        "error_deg": needle.error_deg,
        "read_deg": needle.read_deg,
        "speed_px_per_frame": result.motion.speed_px_per_frame,
        "coherence": result.motion.coherence,
        "label": result.motion.label,
        "variance_explained": result.decomposition.variance_explained,
        "folder": needle_folder(Path(), needle.kind, needle.asked_deg).as_posix(),
    }


def write_parts(compass: Compass, directory: Path, named: Mapping[str, Any]) -> Path:
    """Write all files but the clips and `compass.json`; returns the page's path."""
    probe, reading = compass.reading.probe, compass.reading
    arrays = {
        "weights": probe.weights,
        "offset": probe.offset,
        "planted_deg": reading.planted_deg,
        "read_deg": reading.read_deg,
    }
    write_arrays(directory / ARRAYS, arrays)
    title = f"Compass of {named.get('model') or compass.record['network']} / {compass.layer}"
    held = document(compass, named)
    shown = [Shown(row, needle.result) for row, needle in zip(held["needles"], compass.needles, strict=True)]
    places = torch.stack([reading.planted_deg, reading.read_deg], dim=1).tolist()
    write_bytes_atomically(directory / FIGURE, draw_compass(shown, held, places, title))
    html = template("compass.html.j2").render(
        title=title,
        verdict=held["verdict"],
        facts=_facts(held),
        knows=reading.knows,
        columns=COLUMNS,
        tables=[
            (words, [(row["folder"], _cells(row)) for row in held["needles"] if row["kind"] == kind])
            for kind, words in KIND_WORDS.items()
        ],
    )
    return write_bytes_atomically(directory / "index.html", html.encode("utf-8", "backslashreplace"))


def _facts(held: Mapping[str, Any]) -> str:
    size = " x ".join(map(str, held["size"]))
    clips = held["clips"]
    return (
        f"Clips of {size} (frames x height x width); the probe was trained on {clips['trained_on']} planted "
        f"clips and scored on {clips['held_out']} others; {held['probe']['channels']} channels; seed "
        f"{held['seed']}."
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        number(row["asked_deg"], "{:g}°"),
        number(row["recovered_deg"], "{:.0f}°"),
        number(row["error_deg"], "{:.0f}°"),
        number(row["read_deg"], "{:.0f}°"),
        number(row["speed_px_per_frame"]),
        row["label"],
        number(row["variance_explained"].get("coherent")),
    ]
