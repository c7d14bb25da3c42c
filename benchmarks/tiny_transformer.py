"""A video transformer of a few tens of thousands of weights, trained on planted motion in a minute.

    python benchmarks/tiny_transformer.py --out DIR [--seed 0]

leaves DIR/tiny_transformer.safetensors and prints the error on held-out clips. Tubelets of 4 x 8 x 8 become
tokens; three blocks of attention and MLP follow; the head gives cosine and sine of the direction in which the
clip drifts. Use it as `benchmarks/tiny_transformer.py:build` with `--weights`.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

import kinetoscope as ks
from kinetoscope.bearings.probe import FAMILIES, score
from kinetoscope.synthetic.motions import ClipSettings, draw_motions, render_clips
from kinetoscope.synthetic.textures import Split, make_textures, split_generator

CLIP, TUBELET, WIDTH, BLOCKS = (16, 32, 32), (4, 8, 8), 64, 3
CARD = ks.ModelCard(clip=CLIP, value_range=(-1.0, 1.0), class_names=("cosine", "sine"), output_layer="head")


class Block(nn.Module):
    """Attention and MLP, each on what a layer norm gives, each added to its input."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width) to the same."""
        normed = self.before(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        return tokens + self.mlp(self.after(tokens))


class TinyTransformer(nn.Module):
    """Tubelets, blocks, mean, head: clips (B, 3, 16, 32, 32) to cosine and sine of a direction, (B, 2)."""

    def __init__(self) -> None:
        super().__init__()
        places = [size // part for size, part in zip(CLIP, TUBELET, strict=True)]
        self.embed = nn.Conv3d(3, WIDTH, TUBELET, stride=TUBELET)
        self.place = nn.Parameter(0.02 * torch.randn(1, places[0] * places[1] * places[2], WIDTH))
        self.blocks = nn.Sequential(*(Block(WIDTH) for _ in range(BLOCKS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, clips: Tensor) -> Tensor:
        """Normalized clips to cosine and sine."""
        tokens = self.embed(clips).flatten(2).transpose(1, 2) + self.place
        return self.head(self.norm(self.blocks(tokens)).mean(dim=1))


def build() -> tuple[nn.Module, ks.ModelCard]:
    """The network with random weights, and its card."""
    return TinyTransformer(), CARD


def clips(count: int, seed: int, split: Split) -> tuple[Tensor, Tensor]:
    """Planted clips as 8-bit numbers, (B, 3, T, H, W), and their directions in radians."""
    settings = replace(ClipSettings(clip=CLIP, texture_size=64).clean(), direction_jitter_deg=22.5)
    generator = split_generator(seed, split)
    made, angles = [], []
    for start in range(0, count, 64):
        some = min(64, count - start)
        motions = draw_motions(torch.randint(8, (some,), generator=generator), generator, settings)
        textures = make_textures(some, settings.texture_size, generator, split, FAMILIES)
        video = render_clips(textures, motions, CLIP, generator).clamp(0, 1)
        made.append((255 * video).round().to(torch.uint8))
        angles.append(torch.atan2(-motions.velocity[:, 1], motions.velocity[:, 0]))
    return torch.cat(made), torch.cat(angles)


def turned(video: Tensor, angle: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The same clips, turned by quarters, mirrored, backwards or negative, and their new directions."""
    quarters, mirror, back, negative = (
        int(torch.randint(n, (1,), generator=generator)) for n in (4, 2, 2, 2)
    )
    video, angle = torch.rot90(video, quarters, (3, 4)), angle + quarters * torch.pi / 2
    if mirror:
        video, angle = video.flip(4), torch.pi - angle
    if back:
        video, angle = video.flip(2), angle + torch.pi
    return (1 - video if negative else video), angle


def train(seed: int, steps: int, count: int) -> nn.Module:
    """Train on `count` clips, each step on 64 of them, turned at random."""
    torch.manual_seed(seed)
    model, _ = build()
    video, angle = clips(count, seed, "train")
    generator = torch.Generator().manual_seed(seed)
    rule = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    pace = torch.optim.lr_scheduler.OneCycleLR(rule, 2e-3, total_steps=steps, pct_start=0.15)
    for step in range(steps):
        chosen = torch.randint(count, (64,), generator=generator)
        shown, true = turned(video[chosen].float() / 255, angle[chosen], generator)
        found = model(CARD.normalize(shown))
        loss = (found - torch.stack([true.cos(), true.sin()], dim=1)).square().mean()
        rule.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rule.step()
        pace.step()
        if step % 50 == 49:
            print(f"step {step + 1}: loss {float(loss.detach()):.3f} (0.5 knows nothing)", flush=True)
    return model.eval()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--clips", type=int, default=1200)
    asked = parser.parse_args()
    began = time.perf_counter()
    model = train(asked.seed, asked.steps, asked.clips)
    video, angle = clips(256, asked.seed, "held-out")
    with torch.no_grad():
        cosine, sine = model(CARD.normalize(video.float() / 255)).unbind(dim=1)
    read = torch.rad2deg(torch.atan2(sine, cosine)).remainder(360).tolist()
    told = score(torch.rad2deg(angle).remainder(360).tolist(), read)
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "tiny_transformer.safetensors"
    safetensors.torch.save_file(model.state_dict(), file)
    count = sum(p.numel() for p in model.parameters())
    print(f"{count} weights, {time.perf_counter() - began:.0f} s; held-out clips: {told}\n{file}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
