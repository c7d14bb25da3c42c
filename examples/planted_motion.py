"""Decompose clips whose motion is known, with both formulations, and compare with the truth.

python examples/planted_motion.py
"""

import argparse
import math
from collections.abc import Sequence

import torch
from torch import Tensor

import kinetoscope as ks


def moving_waves(waves: Tensor, phases: Tensor, velocity: tuple[float, float], size: Sequence[int]) -> Tensor:
    """A sum of sine waves that drifts as a whole, (T, 3, H, W) in [0, 1].

    Args:
        waves: (K, 2), radians per pixel along x and y.
        phases: (3, K), radians, one set per colour.
        velocity: (x, y), pixels per frame.
        size: (T, H, W).
    """
    frames, height, width = size
    axes = (torch.arange(n, dtype=torch.float32) for n in (frames, height, width))
    t, y, x = torch.meshgrid(*axes, indexing="ij")
    along_x, along_y = (w.view(-1, 1, 1, 1) for w in waves.unbind(dim=1))
    angles = along_x * (x - velocity[0] * t) + along_y * (y - velocity[1] * t)
    colours = [torch.cos(angles + phase.view(-1, 1, 1, 1)).sum(dim=0) for phase in phases]
    video = torch.stack(colours, dim=1) * 0.35 / math.sqrt(len(waves))
    return (0.5 + video).clamp(0, 1)


def planted(size: Sequence[int]) -> dict[str, tuple[Tensor, tuple[float, float]]]:
    """Clips by name, each with its true velocity (x, y), pixels per frame."""
    draw = torch.Generator().manual_seed(0)
    grating = torch.tensor([[2 * math.pi / 9, 0.0]])
    texture = torch.randn(40, 2, generator=draw) * 0.5
    phases = torch.rand(3, 40, generator=draw) * 2 * math.pi
    right, up_left = (0.75, 0.0), (-0.8, -0.6)
    return {
        "grating, 9 px a stripe": (moving_waves(grating, torch.zeros(3, 1), right, size), right),
        "texture": (moving_waves(texture, phases, up_left, size), up_left),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row per clip and formulation."""
    parser = argparse.ArgumentParser(description="Decompose clips whose motion is known.")
    parser.add_argument("--size", type=int, nargs=3, default=(16, 48, 64), metavar=("T", "H", "W"))
    given = parser.parse_args(arguments)
    print(f"{'clip':24}{'formulation':13}{'velocity x':>11}{'y':>7}{'PSNR dB':>9}{'TV of D':>9}{'s':>6}")
    for name, (video, truth) in planted(given.size).items():
        print(f"{name:24}{'(truth)':13}{truth[0]:11.2f}{truth[1]:7.2f}")
        for formulation in ("layered", "paper"):
            parts = ks.decompose(video, ks.DecomposeSettings(formulation=formulation))
            x, y = parts.velocity.mean(dim=(0, 2, 3)).tolist()
            print(
                f"{'':24}{formulation:13}{x:11.2f}{y:7.2f}{parts.psnr_db:9.1f}"
                f"{parts.displacement_tv:9.4f}{parts.seconds:6.1f}"
            )


if __name__ == "__main__":
    main()
