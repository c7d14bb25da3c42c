"""A unit's own texture as a stimulus: does it want to move the way the picture says?"""

from collections.abc import Callable
from functools import partial
from itertools import product

from torch import Tensor

from ..stimuli import Shape, Stimulus, without_seam
from ..types import Image
from .listen import Shown
from .sets import TEXTURE_DIRECTIONS, TEXTURE_SPEEDS, Block, cropped


def own_texture(shape: Shape, image: Image) -> list[Block]:
    """A unit's own texture, as it is shown, drifting in sixteen directions, and standing.

    Args:
        image: (C, H, W) in [0, 1].
    """
    return [*_drifts("own texture", "own_texture", shape, image), _standing(shape, image)]


def grey_texture(shape: Shape, image: Image) -> list[Block]:
    """The same without its colours."""
    grey = image.mean(dim=0, keepdim=True).expand_as(image)
    return _drifts("own texture in grey", "own_texture_grey", shape, grey)


def _drifts(kind: str, key: str, shape: Shape, image: Image) -> list[Block]:
    mean = image.mean(dim=(1, 2), keepdim=True)
    planes = without_seam(image - mean)
    shown = [
        Shown(
            kind,
            f"{kind}, to {d:g} deg, {s:g} px/frame",
            partial(_tinted, partial(cropped, shape, planes, d, s), mean - 0.5),
            None,
            d,
        )
        for s, d in product(TEXTURE_SPEEDS, TEXTURE_DIRECTIONS)
    ]
    return [Block(key, (len(TEXTURE_SPEEDS), len(TEXTURE_DIRECTIONS)), tuple(shown))]


def _standing(shape: Shape, image: Image) -> Block:
    clip = (image - 0.5)[:, None].expand(shape)
    return Block("own_texture_still", (), (Shown("own texture", "own texture, still", lambda: clip, None),))


def _tinted(make: Callable[[], Stimulus], mean: Tensor) -> Stimulus:
    return (make() + mean[:, None]).clamp(-0.5, 0.5)
