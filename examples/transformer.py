"""A video transformer of the library `transformers`, what a probe finds in it, and what that looks for.

python examples/transformer.py --out out                    # VideoMAE, trained for 400 steps first
python examples/transformer.py --out out --steps 0          # with random weights
python examples/transformer.py --out out --family vjepa2

leaves out/network.safetensors, out/probe.safetensors and the optimal inputs of the probe's four directions.
Needs `pip install transformers`; nothing is downloaded.
"""

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import kinetoscope as ks
from kinetoscope.synthetic.motions import ClipSettings, make_clips
from kinetoscope.synthetic.textures import Split
from kinetoscope.types import MOTION_LABELS
from kinetoscope.units.vectors import Vectors

FRAMES, SIDE, WIDTH = 16, 32, 64
NAMES = ("right", "up", "left", "down")
CARD = ks.ModelCard(
    clip=(FRAMES, SIDE, SIDE), mean=(0.5,), std=(0.25,), class_names=NAMES, output_layer="head"
)
FAMILIES, LAYER = ("videomae", "vjepa2"), "body.encoder.layer.1"
SPEEDS = ClipSettings(clip=(FRAMES, SIDE, SIDE), texture_size=64, speed=(0.7, 2.0)).clean()


class Network(nn.Module):
    """A transformer of tubelets of 4 x 8 x 8, and a linear head on the mean of its tokens."""

    def __init__(self, family: str = "videomae") -> None:
        super().__init__()
        import transformers

        sizes = {"hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 4}
        sizes |= {"patch_size": 8, "tubelet_size": 4, "initializer_range": 0.07}
        if family == "videomae":
            config = transformers.VideoMAEConfig(
                image_size=SIDE, num_frames=FRAMES, intermediate_size=2 * WIDTH, **sizes
            )
            self.body, self.options = transformers.VideoMAEModel(config), {}
        else:
            config = transformers.VJEPA2Config(
                crop_size=SIDE,
                frames_per_clip=FRAMES,
                mlp_ratio=2.0,
                pred_hidden_size=WIDTH,
                pred_num_hidden_layers=1,
                pred_num_attention_heads=4,
                **sizes,
            )
            self.body, self.options = transformers.VJEPA2Model(config), {"skip_predictor": True}
        self.head = nn.Linear(WIDTH, len(NAMES))

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, 4); these transformers take frames before channels."""
        return self.head(self.body(clips.transpose(1, 2), **self.options).last_hidden_state.mean(dim=1))


def factory(family: str = "videomae") -> tuple[nn.Module, ks.ModelCard]:
    """For the command: `--weights out/network.safetensors` fills it."""
    torch.manual_seed(0)
    return Network(family), CARD


vjepa2 = partial(factory, "vjepa2")


def planted(count: int, seed: int, split: Split = "train") -> tuple[Tensor, Tensor]:
    """Clips (B, 3, T, H, W) of textures that drift in one of four directions, and which, from 0."""
    draw = torch.Generator().manual_seed(seed)
    which = torch.randint(len(NAMES), (count,), generator=draw)
    labels = torch.tensor([MOTION_LABELS.index(name) for name in NAMES])[which]
    return make_clips(labels, draw, SPEEDS, split).video, which


def train(net: nn.Module, steps: int, count: int = 800, batch: int = 48) -> None:
    """Teach all of it to tell the four directions, in clips turned and reversed at random."""
    clips, which = planted(max(1, min(count, batch * steps)), seed=0)
    draw = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.02)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1, pct_start=0.15)
    for step in range(steps):
        chosen = torch.randint(len(clips), (batch,), generator=draw)
        quarters, backwards = (int(torch.randint(n, (1,), generator=draw)) for n in (4, 2))
        shown = torch.rot90(clips[chosen], quarters, (3, 4))
        shown = shown.flip(2) if backwards else shown
        wanted = (which[chosen] + quarters + 2 * backwards) % len(NAMES)
        loss = F.cross_entropy(net.train()(CARD.normalize(shown)), wanted)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        rates.step()
        if step % 50 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.2f}", flush=True)


def activations(net: nn.Module, layer: str, clips: Tensor) -> Tensor:
    """The mean over a layer's tokens, (B, C)."""
    with ks.tap(net, layer) as forward, torch.no_grad():
        return torch.cat([forward(CARD.normalize(part)).flatten(2).mean(dim=2) for part in clips.split(32)])


def probe(net: nn.Module, layer: str, count: int) -> tuple[Tensor, float]:
    """One row of a layer's channels per direction by ridge regression, and its accuracy on other textures."""
    clips, which = planted(count, seed=10_000)
    seen = activations(net, layer, clips)
    middle = seen.mean(dim=0)
    centred, wanted = seen - middle, F.one_hot(which, len(NAMES)).float() - 1 / len(NAMES)
    ridge = 1e-2 * centred.square().sum() / centred.shape[1] * torch.eye(centred.shape[1])
    rows = torch.linalg.solve(centred.T @ centred + ridge, centred.T @ wanted).T.contiguous()
    clips, which = planted(count // 2, seed=20_000, split="held-out")
    guessed = ((activations(net, layer, clips) - middle) @ rows.T).argmax(dim=1)
    return rows, float((guessed == which).float().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, probe, visualize, and print what came of it."""
    parser = argparse.ArgumentParser(description="What a probe of a video transformer looks for.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--family", choices=FAMILIES, default="videomae")
    parser.add_argument("--steps", type=int, default=400, help="of training")
    parser.add_argument("--clips", type=int, default=512, help="that the probe learns from")
    parser.add_argument("--search", type=int, default=None, help="steps of each optimal input")
    given = parser.parse_args(arguments)
    net, _ = factory(given.family)
    train(net, given.steps)
    rows, accuracy = probe(net.eval(), LAYER, given.clips)
    given.out.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(net.state_dict(), given.out / "network.safetensors")
    safetensors.torch.save_file({"directions": rows}, given.out / "probe.safetensors")
    print(f"probe of {LAYER}: {accuracy:.0%} of held-out clips, chance is {1 / len(NAMES):.0%}")
    found = ks.visualize(
        net,
        LAYER,
        list(range(len(NAMES))),
        card=CARD,
        vectors=Vectors(rows, "directions"),
        steps=given.search,
        seeds=1,
    )
    found.save(given.out / "seen")
    print(f"{'planted':10}{'label':14}{'degrees':>8}{'px/frame':>9}{'coherence':>10}{'reversed':>10}")
    for name, result in zip(NAMES, found, strict=True):
        motion, answers = result.motion, result.activation
        kept = answers["reversed"] / answers["optimal"] if answers["optimal"] else math.nan
        print(
            f"{name:10}{motion.label:14}{motion.direction_deg:8.0f}{motion.speed_px_per_frame:9.2f}"
            f"{motion.coherence:10.2f}{kept:10.2f}"
        )


if __name__ == "__main__":
    main()
