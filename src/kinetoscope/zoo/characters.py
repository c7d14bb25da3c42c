"""The hand-built character network of Rafegas & Vanrell 2015 (supplement, section 6): nothing is trained.

Three convolutions and one pooling build letters out of strokes: 4 strokes of 5x5 pixels, 14 shapes of two or
more strokes (seen as 9x9), 8 letters of 3x3 shapes (seen as 14x14). Layers carry the paper's numbers.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard

STROKES = {
    "-": ((0, -1), (0, 0), (0, 1)),
    "|": ((-1, 0), (0, 0), (1, 0)),
    "\\": ((-1, -1), (0, 0), (1, 1)),
    "/": ((-1, 1), (0, 0), (1, -1)),
}
"""Pixels (row, column) of each stroke, from the filter's centre."""

SHAPES = {
    "┌": ("- 0 1", "- 0 2", "| 1 0", "| 2 0"),
    "┐": ("- 0 -1", "- 0 -2", "| 1 0", "| 2 0"),
    "└": ("- 0 1", "- 0 2", "| -1 0", "| -2 0"),
    "┘": ("- 0 -1", "- 0 -2", "| -1 0", "| -2 0"),
    "├": ("- 0 1", "- 0 2", "| -1 0", "| 1 0"),
    "┤": ("- 0 -1", "- 0 -2", "| -1 0", "| 1 0"),
    "┬": ("- 0 -1", "- 0 1", "| 1 0", "| 2 0"),
    "─": ("- 0 -1", "- 0 1"),
    "│": ("| -1 0", "| 1 0"),
    "╴": ("- 0 -1", "- 0 -2"),
    "╷": ("| 1 0", "| 2 0"),
    "╵": ("| -1 0", "| -2 0"),
    "╮": ("- 0 -2", "\\ 1 -1", "| 2 0"),
    "╯": ("- 0 -2", "/ -1 -1", "| -2 0"),
}
"""Strokes of each shape, with the row and column of their centres from the shape's."""

LETTERS = {
    "C": ("┌ ╴", "│  ", "└ ╴"),
    "D": ("┌ ╮", "│ │", "└ ╯"),
    "E": ("┌ ╴", "├ ╴", "└ ╴"),
    "F": ("┌ ╴", "├ ╴", "╵  "),
    "H": ("╷ ╷", "├ ┤", "╵ ╵"),
    "P": ("┌ ┐", "├ ┘", "╵  "),
    "T": ("─┬─", " │ ", " ╵ "),
    "U": ("╷ ╷", "│ │", "└ ┘"),
}
"""Shapes of each letter, two pixels apart."""

VETO = 0.4
"""How much a letter minds a shape that another letter has where it has none."""

CARD = ModelCard(
    clip=(1, 14, 14),
    channels=1,
    class_names=tuple(LETTERS),
    output_layer="conv4",
    suggested_layers=("conv1", "conv2", "conv4"),
    citation="after Rafegas & Vanrell 2015, supplementary material",
)


class Characters(nn.Module):
    """Takes pictures (B, 1, H, W) of at least 14 x 14 pixels, or clips of one frame (B, 1, 1, H, W).

    Gives (B, 8, ...), a map for each letter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, bias=False)
        self.conv2 = nn.Conv2d(4, 14, 5, bias=False)
        self.pool3 = nn.MaxPool2d(2)
        self.conv4 = nn.Conv2d(14, 8, 3, bias=False)

    def forward(self, pictures: Float[Tensor, "batch 1 *frame rows columns"]) -> Float[Tensor, "batch 8 _ _"]:
        """How much of each letter is where."""
        x = pictures.squeeze(2) if pictures.ndim == 5 else pictures
        return self.conv4(self.pool3(self.conv2(self.conv1(x))))


def build_characters() -> Characters:
    """The network with random weights, from torch's global generator."""
    return Characters()


def built_by_hand() -> Characters:
    """The network with strokes, shapes and letters written into its filters, in evaluation mode."""
    model = Characters()
    with torch.no_grad():
        model.conv1.weight.copy_(_stroke_filters())
        model.conv2.weight.copy_(_shape_filters())
        model.conv4.weight.copy_(_letter_filters(model.conv1.weight, model.conv2.weight))
    return model.eval()


def _stroke_filters() -> Float[Tensor, "4 1 5 5"]:
    filters = torch.zeros(len(STROKES), 1, 5, 5)
    for filter, pixels in zip(filters, STROKES.values(), strict=True):
        for row, column in pixels:
            filter[0, 2 + row, 2 + column] = 1
    return _unit(filters - filters.mean((2, 3), keepdim=True))  # blank paper is nothing


def _shape_filters() -> Float[Tensor, "14 4 5 5"]:
    filters = torch.zeros(len(SHAPES), len(STROKES), 5, 5)
    for filter, strokes in zip(filters, SHAPES.values(), strict=True):
        for stroke, row, column in map(str.split, strokes):
            filter[list(STROKES).index(stroke), 2 + int(row), 2 + int(column)] = 1
    return _unit(filters)


def _letter_filters(strokes: Tensor, shapes: Tensor) -> Float[Tensor, "8 14 3 3"]:
    """Scaled so that all letters, drawn with these strokes and shapes, are equally loud."""
    own = torch.zeros(len(LETTERS), len(SHAPES), 3, 3)
    for filter, rows in zip(own, LETTERS.values(), strict=True):
        for row, names in enumerate(rows):
            for column, shape in enumerate(names):
                if shape != " ":
                    filter[list(SHAPES).index(shape), row, column] = 1
    filters = own - VETO * (own.amax(0) - own)
    drawn = F.interpolate(filters, scale_factor=2, mode="bilinear")
    drawn = F.conv_transpose2d(F.conv_transpose2d(drawn, shapes), strokes)
    return filters / _lengths(drawn)


def _unit(filters: Tensor) -> Tensor:
    """Filters of length 1, so that none answers louder than its neighbours."""
    return filters / _lengths(filters)


def _lengths(filters: Tensor) -> Float[Tensor, "filter 1 1 1"]:
    return filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
