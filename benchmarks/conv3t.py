"""What does computing the kernel cost? Training steps of Conv3T and Conv3d in turn, on the CPU.

    python benchmarks/conv3t.py [--network resnet18] [--clip 30x150x224] [--batch 4] [--json FILE]

Prints a row per layer of the 3T network on clips of that size: the least processor times of forward and
backward, and their ratio. Layers of the same shape are measured once. Steps of both kinds take turns, and the
least of many counts: other work on the machine only ever adds to a time.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.units.unit import parse_size
from kinetoscope.zoo import networks_3t

LEAST_ROUNDS = 7


def layers_of(name: str, clip: tuple[int, ...]) -> dict[str, tuple[ks.Conv3T, tuple[int, ...]]]:
    """The 3T layers of a network that differ in shape, and what each is given, (channels, t, y, x)."""
    with torch.device("meta"):
        network = getattr(networks_3t, f"build_{name}_3t")()
        if name == "googlenet":  # its heads then take clips of any size
            network.avgpool1 = network.avgpool2 = nn.AdaptiveAvgPool3d((1, 2, 3))
        found: dict[str, tuple[ks.Conv3T, tuple[int, ...]]] = {}
        for path, layer in network.named_modules():
            if isinstance(layer, ks.Conv3T):
                layer.register_forward_hook(
                    lambda layer, given, _, path=path: found.update({path: (layer, given[0].shape[1:])})
                )
        network(torch.empty(2, 3, *clip))
    seen: dict[object, str] = {}
    for path, (layer, shape) in found.items():
        seen.setdefault((shape, layer.out_channels, layer.stride), path)
    return {path: found[path] for path in seen.values()}


def step(layer: nn.Module, clip: torch.Tensor) -> float:
    """Processor seconds of one forward and backward."""
    start = time.process_time()
    layer(clip).sum().backward()
    taken = time.process_time() - start
    layer.zero_grad()
    clip.grad = None
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("resnet18", "googlenet"), default="resnet18")
    parser.add_argument("--clip", default="30x150x224", help="TxHxW")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10, help="for each layer, at least")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    rows = []
    for name, (layer, shape) in layers_of(options.network, parse_size(options.clip)).items():
        about = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
        pair = [kind(*about, bias=False) for kind in (nn.Conv3d, ks.Conv3T)]
        clip = torch.randn(options.batch, *shape, requires_grad=True)
        [step(kind, clip) for kind in pair]  # the first ones allocate
        taken: list[list[float]] = []
        end = time.monotonic() + options.seconds
        while len(taken) < LEAST_ROUNDS or time.monotonic() < end:
            taken.append([step(kind, clip) for kind in pair])
        plain, ours = (min(column) for column in zip(*taken, strict=True))
        rows.append({"layer": name, "conv3d_s": plain, "conv3t_s": ours, "rounds": len(taken)})
        told = f"{layer.in_channels} to {layer.out_channels} on {'x'.join(map(str, shape[1:]))}"
        print(
            f"{name:8} {told:28} {1000 * plain:8.1f} ms {1000 * ours:8.1f} ms  ratio {ours / plain:.2f}",
            flush=True,
        )
    plain, ours = (sum(float(row[key]) for row in rows) for key in ("conv3d_s", "conv3t_s"))
    print(f"together {'':28} {1000 * plain:8.1f} ms {1000 * ours:8.1f} ms  ratio {ours / plain:.2f}")
    if options.json:
        about_run = {key: value for key, value in vars(options).items() if key != "json"}
        options.json.write_text(json.dumps({**about_run, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
