"""A unit's own texture as a stimulus: does it want to move the way the picture says?

Which speed it wants is asked in every second direction; the other directions, and the texture without its
colours, are shown at that speed.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from torch import Tensor

from ..stimuli import Shape, Stimulus, without_seam
from ..types import Image
from .listen import Shown
from .sets import TEXTURE_DIRECTIONS, TEXTURE_SPEEDS, Block, cropped

KIND = "own texture"


def at_all_speeds(shape: Shape, image: Image) -> Block:
    """A unit's own texture, as it is shown, drifting in eight directions at every speed.

    Args:
        image: (C, H, W) in [0, 1].
    """
    return _drifts(KIND, "own_texture_speeds", shape, image, TEXTURE_SPEEDS, TEXTURE_DIRECTIONS[::2])


def between(shape: Shape, image: Image, speed: float) -> Block:
    """The eight directions between those, at one speed."""
    return _drifts(KIND, "between", shape, image, (speed,), TEXTURE_DIRECTIONS[1::2])


def all_directions(shape: Shape, image: Image, speed: float) -> Block:
    """The sixteen directions at one speed."""
    return _drifts(KIND, "own_texture", shape, image, (speed,), TEXTURE_DIRECTIONS)


def without_colour(shape: Shape, image: Image, speed: float) -> Block:
    """The same in grey."""
    grey = image.mean(dim=0, keepdim=True).expand_as(image)
    return _drifts(f"{KIND} in grey", "own_texture_grey", shape, grey, (speed,), TEXTURE_DIRECTIONS)


def standing(shape: Shape, image: Image) -> Block:
    """The texture in every frame."""
    clip = (image - 0.5)[:, None].expand(shape)
    return Block("own_texture_still", (), (Shown(KIND, f"{KIND}, still", lambda: clip, None),))


def _drifts(
    kind: str, key: str, shape: Shape, image: Image, speeds: Sequence[float], directions: Sequence[float]
) -> Block:
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
        for s, d in product(speeds, directions)
    ]
    axes = (len(speeds), len(directions)) if len(speeds) > 1 else (len(directions),)
    return Block(key, axes, tuple(shown))


def _tinted(make: Callable[[], Stimulus], mean: Tensor) -> Stimulus:
    return (make() + mean[:, None]).clamp(-0.5, 0.5)
