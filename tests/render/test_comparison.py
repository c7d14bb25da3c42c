"""The comparison figure prints every variant beside its numbers, in its group."""

import io

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from kinetoscope.render.comparison import Row, draw_comparison

COLUMNS = ("kept", "motion")


def row(group, name, velocity=(0.8, 0.0), shape=(5, 12, 20), cells=("0.93", "right\n0.80 px/fr.")):
    time, height, width = shape
    field = torch.tensor(velocity).view(1, 2, 1, 1).expand(time - 1, 2, height, width)
    video = torch.rand(time, 3, height, width, generator=torch.Generator().manual_seed(0))
    return Row(group, name, "a note that is long enough to be wrapped", video, video[0], field, cells)


def printed(monkeypatch, rows, **more):
    """The figure's words, and its picture."""
    from kinetoscope.render import comparison

    words = []
    text = comparison.Sheet.text

    def keep(self, x, y, said, *rest, **options):
        words.append(said)
        text(self, x, y, said, *rest, **options)

    monkeypatch.setattr(comparison.Sheet, "text", keep)
    data = draw_comparison("Title", "facts", COLUMNS, rows, ("a line below",), **more)
    with PillowImage.open(io.BytesIO(data)) as image:
        return words, np.asarray(image.convert("RGB"))


def test_every_row_has_its_words_and_numbers(monkeypatch):
    rows = [row("first", "one"), row("first", "two", cells=("0.10", "up")), row("second", "three")]
    words, picture = printed(monkeypatch, rows, scale=3.0)
    for expected in ("Title", "facts", "one", "two", "three", "0.93", "0.10", "up", "kept", "a line below"):
        assert expected in words
    assert words.count("first") == words.count("second") == 1
    assert any("3.0 px/frame" in line for line in words)
    assert picture.shape[1] == 1600


@pytest.mark.parametrize("shape", [(2, 30, 9), (7, 9, 40)])
def test_clips_of_any_shape_and_without_motion_are_drawn(monkeypatch, shape):
    words, picture = printed(monkeypatch, [row("g", "still", (0.0, 0.0), shape)])
    assert "still" in words
    assert picture.std() > 5
