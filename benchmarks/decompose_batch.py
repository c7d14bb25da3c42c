"""Clips taken apart together, beside one after the other: seconds, processor time, launches, differences.

    python benchmarks/decompose_batch.py [--size 16x64x64] [--threads 2] [--counted 16x32x40]

Eight drifting textures are timed. Launches are torch's operators that compute or copy (views are none), on
planted clips of all families, mixed.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kinetoscope.evaluation.cases import clip_cases
from kinetoscope.inquiry.request import versions
from kinetoscope.motion.decompose import decompose, decompose_all
from kinetoscope.synthetic.planted import noise_texture, planted_clip, translation
from kinetoscope.units.unit import parse_size

TOGETHER = 8
COUNTED = (1, 8, 32)


class Launches(TorchDispatchMode):
    """Counts operators whose result is no view of what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        returned = func._schema.returns
        view = any(value.alias_info is not None and not value.alias_info.is_write for value in returned)
        self.count += not view and "empty" not in str(func) and "_unsafe_view" not in str(func)
        return func(*args, **(kwargs or {}))


def drifting(size: tuple[int, int, int]) -> Tensor:
    """Eight clips, each with a texture and a direction of its own."""
    _, height, width = size
    clips = []
    for seed in range(TOGETHER):
        texture = noise_texture(height + 80, width + 80, torch.Generator().manual_seed(seed))
        clips.append(planted_clip(texture, translation(45.0 * seed, 1.0), *size).video)
    return torch.stack(clips)


def planted(size: tuple[int, int, int]) -> Iterator[Tensor]:
    for seed in range(8):
        for case in clip_cases(seed, size):
            yield case.clip.video


def best(work: Callable[[], Any], times: int) -> tuple[float, float]:
    """Least seconds by the clock and by the processor."""
    rows = []
    for _ in range(times):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        rows.append((time.perf_counter() - clock, time.process_time() - processor))
    return min(row[0] for row in rows), min(row[1] for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="16x64x64", help="clips that are timed, TxHxW")
    parser.add_argument("--counted", default="16x32x40", help="clips whose launches are counted")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clips = drifting(parse_size(options.size))
    print(f"{options.size}, {options.threads} threads, load {os.getloadavg()[0]:.1f}, {versions()}")
    decompose(clips[0])
    singles = [best(lambda clip=clip: decompose(clip), 2) for clip in clips]  # type: ignore[misc]
    one = [sum(row[k] for row in singles) / len(singles) for k in (0, 1)]
    together = best(lambda: decompose_all(clips), 2)
    pairs = zip(clips, decompose_all(clips), strict=True)
    apart = max(float((found.velocity - decompose(clip).velocity).abs().max()) for clip, found in pairs)
    print(
        f"one clip {one[0]:.2f} s, {one[1]:.2f} s of processor time (mean of eight); eight together "
        f"{together[0]:.2f} s, {together[1]:.2f} s: {together[0] / one[0]:.2f} and "
        f"{together[1] / one[1]:.2f} times; velocities differ by at most {apart:.2g} px"
    )
    mixed = torch.stack(list(islice(planted(parse_size(options.counted)), 1, 1 + max(COUNTED))))
    for count in COUNTED:
        with Launches() as launches:
            found = decompose_all(mixed[:count])
        keys = sorted({len(parts.texture_times) for parts in found})
        print(f"{count} clips: {launches.count / count:.0f} launches a clip; {keys} key textures", flush=True)


if __name__ == "__main__":
    main()
