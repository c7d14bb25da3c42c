"""Cards of naturalness, and what they leave on disk: numbers, arrays, pictures and a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from jaxtyping import Float
from torch import Tensor

from ..files import plain, unit_directory, write_bytes_atomically, write_json
from ..records import write_arrays
from ..render.natural import Drawn, draw_card, draw_cards
from ..render.templates import template
from ..render.words import number, title_of
from ..results import UnitResult
from ..types import Video
from .cards import NaturalCard

RECORD, ARRAYS, FIGURE = "naturalness.json", "naturalness.safetensors", "naturalness.png"
COLUMNS = (
    "unit",
    "response, of best natural",
    "percentile",
    "spectrum gap [dB]",
    "at limits",
    "colour",
    "way: share",
    "way: percentile",
    "second network: percentile",
)


@dataclass(frozen=True, eq=False, repr=False)
class Naturalness:
    """How natural optimal inputs are, unit by unit.

    Attributes:
        cards: one per result, in their order.
        results: that were looked at.
        best_clips: of each the natural clip that its unit answers to most, (T, C, H, W) in [0, 1].
        bins: (2, bins), spatial frequency in cycles per pixel and temporal in cycles per frame.
        natural_profiles: (clips, bins), spectra of the natural clips, decibels about their mean.
        record: what else `naturalness.json` holds, plain JSON values.
    """

    cards: tuple[NaturalCard, ...]
    results: tuple[UnitResult, ...]
    best_clips: tuple[Video, ...]
    bins: Float[Tensor, "2 bin"]
    natural_profiles: Float[Tensor, "clip bin"]
    record: dict[str, Any]

    def __repr__(self) -> str:
        lines = [f"naturalness of {len(self.cards)} units among {self.record['natural_clips']} natural clips"]
        for card in self.cards:
            lines.append(
                f"  {card.layer} unit {card.unit}: {number(card.ratio_to_best)} of the best natural, "
                f"spectrum {number(card.spectrum_gap_db.value, '{:.1f}', 'dB')} off, "
                f"way {number(card.way_percentile, '{:.0f}')} %"
            )
        return "\n".join(lines)

    def save(self, directory: str | Path) -> Path:
        """Write numbers, arrays, pictures and a page; returns the page's path.

        Raises:
            OutputUnwritable: a file cannot be written.
        """
        page = write_parts(self, Path(directory), {})
        write_json(Path(directory) / RECORD, document(self, {}))
        return page


def document(found: Naturalness, named: Mapping[str, Any]) -> dict[str, Any]:
    """What `naturalness.json` holds; `named`: how model and weights were named."""
    return plain({**named, **found.record, "units": [card.to_json() for card in found.cards]}, RECORD)


def write_parts(found: Naturalness, directory: Path, named: Mapping[str, Any]) -> Path:
    """Write all files but `naturalness.json`; returns the page's path."""
    arrays = {
        "profiles": torch.stack([card.profile for card in found.cards]),
        "responses": torch.stack([card.natural_responses for card in found.cards]),
        "natural_profiles": found.natural_profiles,
        "bins": found.bins,
    }
    write_arrays(directory / ARRAYS, arrays)
    drawn = [_drawn(found, index, named) for index in range(len(found.cards))]
    folders = [unit_directory(directory, card.layer, card.unit) for card in found.cards]
    for folder, each in zip(folders, drawn, strict=True):
        write_bytes_atomically(folder / FIGURE, draw_card(each))
    title = f"Naturalness of {named.get('model') or found.record['network']}"
    count = found.record["natural_clips"]
    write_bytes_atomically(directory / FIGURE, draw_cards(drawn, title, count))
    size = " x ".join(map(str, found.record["size"]))
    paths = (folder.relative_to(directory).as_posix() for folder in folders)
    bases = [quote(path, safe="/", errors="surrogatepass") for path in paths]
    html = template("natural.html.j2").render(
        title=title,
        facts=f"{len(found.cards)} optimal inputs of {size} (frames x height x width) among {count} natural "
        f"clips of {len(found.record['files'])} files; layers of the way: "
        f"{', '.join(found.record['way_layers'])}.",
        columns=COLUMNS if found.record["second_weights_sha256"] else COLUMNS[:-1],
        rows=list(zip(bases, [each.title for each in drawn], map(_cells, found.cards), strict=True)),
    )
    return write_bytes_atomically(directory / "index.html", html.encode("utf-8", "backslashreplace"))


def _drawn(found: Naturalness, index: int, named: Mapping[str, Any]) -> Drawn:
    card, rings = found.cards[index], len(found.bins[0].unique())
    difference = card.profile - found.natural_profiles.mean(dim=0)
    return Drawn(
        title=title_of(
            {**found.record, **named, "layer": card.layer, "unit": card.unit, "unit_name": card.name}
        ),
        row=card.to_json(),
        video=found.results[index].video,
        best=found.best_clips[index],
        responses=card.natural_responses,
        difference=difference.view(rings, -1).T,
        space=found.bins[0].view(rings, -1)[:, 0],
        time=found.bins[1].view(rings, -1)[0],
    )


def _cells(card: NaturalCard) -> Sequence[str]:
    cells = [
        f"{card.layer} {card.unit} {card.name}".strip(),
        number(card.ratio_to_best),
        number(card.response.percentile, "{:.0f}"),
        number(card.spectrum_gap_db.value, "{:.1f}"),
        number(card.limits.value),
        number(None if card.colour is None else card.colour.value),
        number(card.way_share),
        number(card.way_percentile, "{:.0f}"),
    ]
    return cells if card.transfer is None else [*cells, number(card.transfer.percentile, "{:.0f}")]
