"""The paper's loss terms, against their equations written out."""

import torch

from kinetoscope.motion.paper import PaperSettings, consistency

T, H, W = 5, 12, 17


def test_consistency_is_eq_6_to_8():
    draw = torch.Generator().manual_seed(3)
    image, first = (torch.rand(1, 3, H, W, generator=draw) for _ in range(2))
    fractions = torch.randn(T, 2, H, W, generator=draw)
    weights = PaperSettings(deformation=2.0, smoothness=3.0, similarity=5.0)
    by_hand = (
        2 * sum(fractions.diff(dim=axis).abs().mean() for axis in (0, 2, 3))
        + 3 * sum(image.diff(dim=axis).abs().mean() for axis in (2, 3))
        + 5 * (image - first).pow(2).mean()
    )
    torch.testing.assert_close(consistency(image, fractions, first, weights), by_hand)
