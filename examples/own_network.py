"""Look inside a network of your own: a factory that the command line takes, and the same in Python.

kinetoscope visualize examples/own_network.py:factory features.0 --units 0,1 --out out
python examples/own_network.py --out out
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

import kinetoscope as ks


class TinyNet(nn.Module):
    """Two convolutions and a linear layer; stands in for a network that you have trained."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv3d(3, 6, 5, padding=2), nn.ReLU(), nn.Conv3d(6, 8, 3, padding=1))
        self.head = nn.Linear(8, 2)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Give two scores for clips (B, 3, T, H, W)."""
        return self.head(self.features(clips).mean(dim=(2, 3, 4)))


def factory() -> tuple[nn.Module, ks.ModelCard]:
    """What `path/to/file.py:factory` calls: the network, and how it wants its clips."""
    card = ks.ModelCard(
        clip=(8, 24, 32),
        mean=(0.45, 0.45, 0.45),
        std=(0.225, 0.225, 0.225),
        class_names=("waving", "standing"),
        output_layer="head",
    )
    torch.manual_seed(0)  # here you would load your weights
    return TinyNet(), card


def main(arguments: Sequence[str] | None = None) -> None:
    """Visualize two units of the first layer and one class, and save them."""
    parser = argparse.ArgumentParser(description="Look inside a network of your own.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    parser.add_argument("--steps", type=int, default=64, help="of the optimization")
    given = parser.parse_args(arguments)

    model, card = factory()
    results = ks.visualize(model, "features.0", [0, 1], card=card, steps=given.steps)
    results += ks.visualize(model, "head", ["waving"], card=card, steps=given.steps)
    for result in results:
        motion, parts = result.motion, result.decomposition
        print(
            f"{result.record['layer']} unit {result.record['unit']}: {motion.label}, "
            f"{motion.mean_speed_px_per_frame:.2f} px/frame, {parts.psnr_db:.1f} dB, "
            f"in {result.save(given.out)}"
        )


if __name__ == "__main__":
    main()
