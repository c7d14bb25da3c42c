"""What does computing the kernel cost? Training steps of Conv3T and Conv3d in turn, on the CPU.

    python benchmarks/conv3t.py [--clip 30x150x224] [--batch 4] [--rounds 9] [--threads 1] [--json FILE]

Prints a row per layer of ResNet18 on clips of that size: median processor times of forward and backward, and
of their ratio; other work on the machine counts little.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.units.unit import parse_size

# channels in and out, kernel, stride, and how often the clip has been halved before
LAYERS = {
    "conv1": (3, 64, 7, 2, 0),
    "conv2": (64, 64, 3, 1, 2),
    "conv7": (64, 128, 3, 2, 2),
    "conv8": (128, 128, 3, 1, 3),
    "conv13": (256, 256, 3, 1, 4),
    "conv17": (256, 512, 3, 2, 4),
    "conv18": (512, 512, 3, 1, 5),
}


def seconds(layer: nn.Module, clip: torch.Tensor) -> float:
    start = time.process_time()
    layer(clip).sum().backward()
    taken = time.process_time() - start
    layer.zero_grad()
    clip.grad = None
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", default="30x150x224", help="TxHxW")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    rows = []
    for name, (channels, out, kernel, stride, halved) in LAYERS.items():
        shape = [-(-size // 2**halved) for size in parse_size(options.clip)]
        about = {"stride": stride, "padding": kernel // 2, "bias": False}
        pair = [kind(channels, out, kernel, **about) for kind in (nn.Conv3d, ks.Conv3T)]
        clip = torch.randn(options.batch, channels, *shape, requires_grad=True)
        taken = [[seconds(layer, clip) for layer in pair] for _ in range(options.rounds + 1)][1:]
        plain, ours = (statistics.median(column) for column in zip(*taken, strict=True))
        ratio = statistics.median(b / a for a, b in taken)
        rows.append({"layer": name, "conv3d_s": plain, "conv3t_s": ours, "ratio": ratio})
        print(f"{name:8} {1000 * plain:8.1f} ms  {1000 * ours:8.1f} ms  ratio {ratio:.2f}", flush=True)
    total = [sum(row[key] for row in rows) for key in ("conv3d_s", "conv3t_s")]
    print(f"together {1000 * total[0]:8.1f} ms  {1000 * total[1]:8.1f} ms  ratio {total[1] / total[0]:.2f}")
    if options.json:
        options.json.write_text(json.dumps({**vars(options), "json": None, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
