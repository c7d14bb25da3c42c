"""A whole network on whatever GPU is there: seconds per unit, units an hour, memory, share of the bf16 peak.

    python benchmarks/gpu.py [--out FILE.md] [--minutes 8]
    python benchmarks/gpu.py --device cpu --precision fp32 --size 4x16x16 --steps 2 --most 2 --layers conv1

Every layer gets an equal part of the time. Its bank is shown once, for all of its units; one batch of units,
as many as half of the free memory holds, is searched for, taken apart and re-driven; what that takes is
multiplied by the number of units. Pictures are not drawn: other processes do that while the device computes.
The aim is 15 minutes for all 2,752 channels of C3D on one H200.
"""

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kinetoscope.inquiry.redrive import redrive
from kinetoscope.inquiry.request import Options, versions
from kinetoscope.inquiry.run import Inquiry
from kinetoscope.inquiry.settle import request_for
from kinetoscope.motion.decompose import decompose_all
from kinetoscope.motion.findings import STILL_VARIANCE
from kinetoscope.motion.metrics import temporal_variance
from kinetoscope.optimal.ascend import Forward, unit_generator
from kinetoscope.optimal.beginnings import Beginning
from kinetoscope.optimal.objective import Objective
from kinetoscope.units.unit import parse_size
from kinetoscope.zoo.registry import load_model

LAYERS = "conv1,conv2,conv3a,conv3b,conv4a,conv4b,conv5a,conv5b"
GOAL_MINUTES = 15.0
PASSES = 1.6
"""Passes that a search makes for each of its steps: contrasts, banked starts and calming included."""

REDRIVEN = 4
"""Units of a batch whose re-driving is timed."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """What one batch of units took.

    Attributes:
        batch: how many units.
        changing: for how many of them the optimum changes over time; what stands still costs nothing to take
            apart.
        search, decompose, redrive: seconds for one of them.
        memory_gib: most in use.
        tflops: operations a second in a pass there and back.
    """

    batch: int
    changing: int
    search: float
    decompose: float
    redrive: float
    memory_gib: float
    tflops: float


@dataclass(frozen=True)
class Row(Batch):
    """One layer, by one batch of its units; `bank`: seconds for all of its units."""

    layer: str
    units: int
    bank: float

    @property
    def seconds(self) -> float:
        """Per unit, everything."""
        return self.bank / self.units + self.search + self.decompose + self.redrive


class Device:
    """Clock and memory of where is computed."""

    def __init__(self, name: str) -> None:
        self.torch = torch.device(name)
        self.cuda = self.torch.type == "cuda"

    def timed(self, work: Callable[[], Result]) -> tuple[Result, float]:
        """What work gives, and the seconds until the device has done it."""
        self._wait()
        began = time.perf_counter()
        result = work()
        self._wait()
        return result, time.perf_counter() - began

    def _wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.torch)

    def forget_peak(self) -> None:
        """Count memory from here on."""
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.torch)

    def peak(self) -> int:
        """Most memory in use, bytes; on a processor, of the process so far."""
        if self.cuda:
            return torch.cuda.max_memory_allocated(self.torch)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def free(self) -> int | None:
        """Bytes that are free; None where nobody says."""
        return torch.cuda.mem_get_info(self.torch)[0] if self.cuda else None

    def describe(self) -> str:
        """Its name and size."""
        if not self.cuda:
            return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
        found = torch.cuda.get_device_properties(self.torch)
        return f"{found.name}, {found.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"

    def matrix_peak(self) -> float:
        """Operations a second of a large bf16 matrix product, the best of ten."""
        size = 8192 if self.cuda else 256
        left, right = (torch.randn(size, size, device=self.torch, dtype=torch.bfloat16) for _ in range(2))
        return max(2 * size**3 / self.timed(lambda: left @ right)[1] for _ in range(10))


def gradient(forward: Forward, objectives: list[Objective], clips: Tensor) -> Tensor:
    """One pass there and back, each clip for a unit of its own."""
    clips = clips.requires_grad_()
    output = forward(clips)
    heights = [objective(output[k : k + 1]).sum() for k, objective in enumerate(objectives)]
    return torch.autograd.grad(torch.stack(heights).sum(), clips)[0]


def passes_of(inquiry: Inquiry, units: list[int], device: Device) -> tuple[float, int, float]:
    """Seconds of a pass of these units, peak memory in bytes, and operations of one clip."""
    with inquiry.listening(units) as (forward, objectives):
        clips = torch.rand(len(units), *inquiry.request.shape, device=device.torch)
        with FlopCounterMode(display=False) as counter:
            gradient(forward, objectives, clips.clone())
        device.forget_peak()
        seconds = min(device.timed(lambda: gradient(forward, objectives, clips.clone()))[1] for _ in range(3))
    return seconds, device.peak(), counter.get_total_flops() / len(units)


def batch_for(inquiry: Inquiry, units: list[int], device: Device, most: int, seconds: float) -> int:
    """How many units are searched for together: what memory holds, and time allows.

    Args:
        seconds: that one search may take.
    """
    spent, one, _ = passes_of(inquiry, units[:1], device)
    _, two, _ = passes_of(inquiry, units[:2], device)
    free = device.free()
    held = most if free is None else int(free / 2 / max(two - one, 1))
    in_time = int(seconds / (PASSES * inquiry.request.optimal.steps * spent))
    return max(1, min(most, len(units), held, in_time))


def searched(inquiry: Inquiry, units: list[int], banked: list[Beginning]) -> list[Tensor]:
    """The optimal inputs, (T, C, H, W) each."""
    with inquiry.listening(units) as (forward, objectives):
        generators = [unit_generator(inquiry.request.seed, unit) for unit in units]
        found = inquiry.optima(forward, objectives, inquiry.request.optimal, generators, banked)
    return [optimal.video for optimal in found]


def redriven(inquiry: Inquiry, units: list[int], videos: list[Tensor], parts: list[Any]) -> None:
    """Responses to what was made of some optima."""
    with inquiry.listening(units) as (forward, objectives):
        for unit, objective, video, part in zip(units, objectives, videos, parts, strict=True):
            redrive(forward, objective, video, part, inquiry.first_clip(unit))


def measured(inquiry: Inquiry, units: list[int], banked: list[Beginning], device: Device) -> Batch:
    """One batch searched for, taken apart and re-driven."""
    batch = len(units)
    step, _, flops = passes_of(inquiry, units, device)
    videos, search = device.timed(lambda: searched(inquiry, units, banked))
    together = torch.stack(videos)
    parts, decompose = device.timed(lambda: decompose_all(together))
    some = slice(min(REDRIVEN, batch))
    _, again = device.timed(lambda: redriven(inquiry, units[some], videos[some], parts[some]))
    each = (search / batch, decompose / batch, again / len(videos[some]))
    changing = sum(temporal_variance(video) >= STILL_VARIANCE for video in videos)
    return Batch(batch, changing, *each, device.peak() / 2**30, batch * flops / step / 1e12)


def row_of(model: nn.Module, layer: str, options: argparse.Namespace, device: Device, seconds: float) -> Row:
    """One layer's row, in about so many seconds."""
    size = None if options.size is None else parse_size(options.size)
    wanted = list(range(model.get_submodule(layer).weight.shape[0]))
    asked = Options(
        size=size, steps=options.steps, seeds=1, device=options.device, precision=options.precision
    )
    inquiry = Inquiry(request_for(model, layer, wanted, asked))
    units = list(inquiry.request.units)
    banked, bank = device.timed(lambda: inquiry.beginnings(units))
    batch = batch_for(inquiry, units, device, options.most, seconds / 3)
    while True:
        try:
            found = measured(inquiry, units[:batch], banked[:batch], device)
            return Row(**asdict(found), layer=layer, units=len(units), bank=bank)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
        batch //= 2  # out here the failed batch is let go of


def report(rows: list[Row], missing: list[str], options: argparse.Namespace, facts: dict[str, Any]) -> str:
    """The results as a page."""
    names = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines = [
        f"# A whole network on one device, {facts['date']}",
        "",
        f"{facts['device']}; {names}; "
        f"{options.precision}, {options.model} with weights `{options.weights}`, {facts['steps']} steps, "
        f"clips of {facts['size']}. Peak of a bf16 matrix product here: {facts['peak_tflops']:.4g} TFLOP/s.",
        f"Whole run {facts['seconds']:.0f} s. Pictures are not drawn. One seed a unit.",
        "",
        "| layer | units | batch | changing | bank, s a layer | search, s | decompose, s | re-drive, s | "
        "s a unit | units an hour | memory, GiB | TFLOP/s of a pass | of the peak |",
        "|" + "---|" * 13,
    ]
    lines += [
        f"| {row.layer} | {row.units} | {row.batch} | {row.changing} | {row.bank:.2f} | {row.search:.3f} | "
        f"{row.decompose:.3f} | {row.redrive:.3f} | {row.seconds:.3f} | {3600 / row.seconds:.0f} | "
        f"{row.memory_gib:.2f} | {row.tflops:.4g} | {row.tflops / facts['peak_tflops']:.0%} |"
        for row in rows
    ]
    units, minutes = sum(row.units for row in rows), sum(row.units * row.seconds for row in rows) / 60
    goal = f"aim for C3D's 2,752 on one H200: {GOAL_MINUTES:g}"
    lines += ["", f"All {units} units of these layers: {minutes:.1f} minutes ({goal})."]
    if missing:
        lines += ["", f"Not measured, for want of time: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="c3d")
    parser.add_argument("--weights", default="random", help="default, random or a file")
    parser.add_argument("--layers", default=LAYERS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="bf16", choices=("fp32", "bf16"))
    parser.add_argument("--size", help="clip, TxHxW; the model's own if left out")
    parser.add_argument("--steps", type=int, help="of a search; the default's if left out")
    parser.add_argument("--most", type=int, default=64, help="units together at most")
    parser.add_argument("--minutes", type=float, default=8.0, help="that the whole run may take")
    parser.add_argument("--out", type=Path, help="write the page here, and the numbers beside it as JSON")
    options = parser.parse_args(words)
    began, device = time.perf_counter(), Device(options.device)
    model = load_model(options.model, weights=options.weights, seed=0)
    decompose_all(torch.rand(2, 16, 3, 32, 32, device=device.torch))  # the first call loads kernels
    peak, rows, names = device.matrix_peak(), [], options.layers.split(",")
    for index, layer in enumerate(names):
        left = 60 * options.minutes - (time.perf_counter() - began)
        if rows and left < (time.perf_counter() - began) / len(rows) / 2:
            break
        rows.append(row_of(model, layer, options, device, left / (len(names) - index)))
        print(json.dumps(asdict(rows[-1])), flush=True)
    request = request_for(model, names[0], [0], Options(steps=options.steps))
    facts = {
        "date": date.today().isoformat(),
        "device": device.describe(),
        "versions": versions(),
        "steps": request.optimal.steps,
        "size": options.size or "x".join(map(str, request.shape[1:])),
        "peak_tflops": peak / 1e12,
        "seconds": time.perf_counter() - began,
    }
    page = report(rows, names[len(rows) :], options, facts)
    print(page)
    if options.out:
        options.out.write_text(page)
        numbers = {**facts, "rows": [{**asdict(row), "seconds": row.seconds} for row in rows]}
        options.out.with_suffix(".json").write_text(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
