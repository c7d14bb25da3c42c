"""The default search beside the published procedure: activation reached, seconds, and their ratio.

    python benchmarks/speed.py c3d conv1 conv2 [--weights random] [--fed 32x224x224] [--json FILE]
    python benchmarks/speed.py motion13 conv2 conv3b fc --fed native
    python benchmarks/speed.py i3d_inception_piergiaj Mixed_3c Mixed_4c --weights FILE --size 16x64x64

The published procedure feeds its clip enlarged, runs the whole network, computes gradients for the weights
and throws them away. That is timed step by step and multiplied by 1500; what it reaches is computed by the
same steps on the network's own clip, without the waste, which is timed too: the second ratio. `agreement`
checks the two against each other.
"""

import argparse
import json
import statistics
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from kinetoscope.card import ModelCard, card_of
from kinetoscope.errors import ModelUnusable
from kinetoscope.inquiry.request import Options, versions
from kinetoscope.inquiry.run import Inquiry
from kinetoscope.inquiry.settle import request_for
from kinetoscope.optimal.ascend import PAPER, normalize, start_values, unit_generator
from kinetoscope.optimal.parameters import SigmoidParameters
from kinetoscope.optimal.transforms import draw, transform
from kinetoscope.units.layout import first_tensor
from kinetoscope.units.unit import parse_size
from kinetoscope.zoo.registry import load_model

Size = tuple[int, int, int]


def published(
    model: nn.Module, card: ModelCard, layer: str, unit: int, kind: str, steps: int, fed: Size | None
) -> tuple[torch.Tensor, list[float]]:
    """Some steps of the procedure as published: the clip (C, T, H, W) they leave, and the seconds of each."""
    settings = PAPER
    shape, generator = (card.channels, *card.clip), unit_generator(0, unit)
    parameters = SigmoidParameters(start_values(settings, shape, generator)[None])
    draws = draw(settings.transforms, settings.steps, generator)
    optimizer = torch.optim.Adam([parameters.values], lr=settings.rate)
    caught: list[torch.Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda _, given, out: caught.append(first_tensor(out))
    )
    model.eval().requires_grad_()
    seconds = []
    for step in range(steps):
        began = time.perf_counter()
        clip = normalize(transform(parameters.video(), draws[step : step + 1]), card)
        if fed is not None:
            clip = F.interpolate(clip, size=fed, mode="trilinear", align_corners=False)
        with suppress(RuntimeError):  # C3D's linear layers take no clip of 32x224x224
            model(clip)
        values = caught.pop()[:, unit].reshape(1, -1)
        (values.relu() if kind == "channel-relu" else values).mean().neg().backward()
        optimizer.step()
        optimizer.zero_grad()
        model.zero_grad()
        seconds.append(time.perf_counter() - began)
    hook.remove()
    return parameters.video().detach()[0], seconds


def reached(model: nn.Module, layer: str, unit: int, **options: Any) -> tuple[float, float, int]:
    """Clean activation in fp32 of the optimum that a preset finds, seconds it took, and steps."""
    inquiry = Inquiry(request_for(model, layer, [unit], Options(**options)))
    began = time.perf_counter()
    known = inquiry.beginnings([unit])
    with inquiry.listening([unit]) as (forward, objectives):
        (found,) = inquiry.optima(
            forward, objectives, inquiry.request.optimal, [unit_generator(0, unit)], known
        )
        seconds = time.perf_counter() - began
    judge = Inquiry(request_for(model, layer, [unit], Options(**{**options, "precision": "fp32"})))
    with judge.listening([unit]) as (forward, (objective,)), torch.no_grad():
        clean = float(objective(forward(found.video.transpose(0, 1)[None])))
    return clean, seconds, found.steps


def agreement(model: nn.Module, card: ModelCard, layer: str, unit: int, kind: str, steps: int = 12) -> float:
    """Greatest difference between the clips that the procedure leaves as published and as computed here.

    As a share of how far the clip has moved; both are fed the network's own size.
    """
    clip, _ = published(model, card, layer, unit, kind, steps, None)
    asked = Options(card=card, preset="paper", objective=kind)
    inquiry = Inquiry(request_for(model, layer, [unit], asked))
    settings = PAPER
    with inquiry.listening([unit]) as (forward, objectives):
        generator = unit_generator(0, unit)
        parameters = SigmoidParameters(start_values(settings, inquiry.request.shape, generator)[None])
        draws = draw(settings.transforms, settings.steps, generator)
        rule, start = parameters.rule(parameters.values), parameters.video().detach()
        for step in range(steps):
            height = objectives[0](forward(transform(parameters.video(), draws[step : step + 1]))).sum()
            rule.step(torch.autograd.grad(height, parameters.values)[0], settings.rate)
    found = parameters.video().detach()
    return float((found[0] - clip).abs().max() / (found - start).abs().max())


def matrix_share(model: nn.Module, layer: str, unit: int, repeats: int = 5) -> dict[str, float]:
    """GFLOP/s of one bf16 step, forward to the layer and back to the clip, beside those of a matrix product.

    Operations are counted by torch's FlopCounterMode: two for each multiplication of a convolution or matrix
    product, forward and backward; all else counts as none.
    """
    matrices = [torch.randn(4096, 4096, dtype=torch.bfloat16) for _ in range(2)]
    peak, best = 0.0, float("inf")
    inquiry = Inquiry(request_for(model, layer, [unit], Options(precision="bf16")))
    clip = torch.rand(1, *inquiry.request.shape).requires_grad_()
    with inquiry.listening([unit]) as (forward, (objective,)):
        counter = FlopCounterMode(display=False)
        with counter:
            torch.autograd.grad(objective(forward(clip)).sum(), clip)
        for _ in range(repeats):
            began = time.perf_counter()
            matrices[0] @ matrices[1]
            peak = max(peak, 2 * 4096**3 / (time.perf_counter() - began))
            began = time.perf_counter()
            torch.autograd.grad(objective(forward(clip)).sum(), clip)
            best = min(best, time.perf_counter() - began)
    rate = counter.get_total_flops() / best
    return {"gflops": rate / 1e9, "peak_gflops": peak / 1e9, "share": rate / peak, "step_seconds": best}


def curves(model: nn.Module, layer: str, unit: int) -> list[dict[str, Any]]:
    """Clean activation and seconds after so many steps: by default, each a whole run, and as published."""
    kind, rows = request_for(model, layer, [unit]).objective, []
    for preset, counts in (("default", (10, 20, 40, 80, 160)), ("paper", (40, 80, 160, 320, 640, 1500))):
        for count in counts:
            clean, seconds, _ = reached(model, layer, unit, preset=preset, objective=kind, steps=count)
            rows.append(
                {"layer": layer, "preset": preset, "steps": count, "reached": clean, "seconds": seconds}
            )
            print(
                "{layer:10s} {preset:8s} {steps:5d} steps {reached:9.4g} {seconds:6.1f} s".format(**rows[-1])
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("layers", nargs="+")
    parser.add_argument("--unit", type=int, default=3)
    parser.add_argument("--weights", default="default", help="default, random or a file")
    parser.add_argument("--size", help="of the clip, TxHxW; the network's own unless given")
    parser.add_argument("--fed", default="32x224x224", help="what the published procedure feeds, or native")
    parser.add_argument("--timed", type=int, default=3, help="published steps that are timed, after one more")
    parser.add_argument("--reference", choices=("fp32", "bf16"), default="fp32", help="published, computed")
    parser.add_argument("--matrix", action="store_true", help="only the share of the matrix peak, in bf16")
    parser.add_argument("--curves", action="store_true", help="only activation against steps and seconds")
    parser.add_argument("--known", type=Path, help="an earlier --json: what the published steps reach")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    fed = None if options.fed == "native" else parse_size(options.fed)
    model = load_model(options.model, weights=options.weights, seed=0)
    card = card_of(model)
    if options.size is not None:
        card = replace(card, clip=parse_size(options.size))
    rows = []
    print(f"{options.model}, {torch.get_num_threads()} threads, {versions()}")
    for layer in options.layers:
        if options.curves:
            rows += curves(model, layer, options.unit)
            continue
        if options.matrix:
            row = {"layer": layer, **matrix_share(model, layer, options.unit)}
            print("{layer:10s} {gflops:6.0f} of {peak_gflops:6.0f} GFLOP/s, {share:.0%}".format(**row))
        else:
            row = compared(model, card, layer, options, fed)
            print(
                "{layer:10s} {objective:12s} reached {reached:9.4g} of {published:9.4g} = {share:.3f}, "
                "{seconds:6.1f} s ({steps} steps) of {published_step:6.3f} s x 1500 = "
                "{published_seconds:6.0f} s, ratio {ratio:5.0f}; without waste {native_seconds:6.0f} s, "
                "ratio {native_ratio:5.1f}; agreement {agreement:.1g}".format(**row),
                flush=True,
            )
        rows.append(row)
    if options.json:
        options.json.write_text(json.dumps({"versions": versions(), "rows": rows}, indent=2))


def compared(
    model: nn.Module, card: ModelCard, layer: str, options: argparse.Namespace, fed: Size | None
) -> dict[str, Any]:
    """One layer's row."""
    kind = request_for(model, layer, [options.unit], Options(card=card)).objective
    clean, seconds, steps = reached(model, layer, options.unit, card=card)
    reference, native = known(options.known, layer, options.unit)
    if reference is None:
        reference, native, _ = reached(
            model,
            layer,
            options.unit,
            card=card,
            preset="paper",
            objective=kind,
            precision=options.reference,
        )
    if not reference > 0:
        raise ModelUnusable(f"unit {options.unit} of {layer!r} answers to nothing; choose another --unit")
    _, timed = published(model, card, layer, options.unit, kind, 1 + options.timed, fed)
    step = statistics.median(timed[1:])
    return {
        "layer": layer,
        "unit": options.unit,
        "objective": kind,
        "clip": list(card.clip),
        "fed": options.fed,
        "reached": clean,
        "published": reference,
        "share": clean / reference,
        "seconds": seconds,
        "steps": steps,
        "published_step": step,
        "published_seconds": 1500 * step,
        "ratio": 1500 * step / seconds,
        "native_seconds": native,
        "native_ratio": native / seconds,
        "agreement": agreement(model, card, layer, options.unit, kind),
    }


def known(rows: Path | None, layer: str, unit: int) -> tuple[float | None, float]:
    """What the published steps reached in an earlier run, and their seconds; or None."""
    found = [] if rows is None else json.loads(rows.read_text())["rows"]
    same = (row for row in found if (row["layer"], row["unit"]) == (layer, unit))
    return next(((row["published"], row["native_seconds"]) for row in same), (None, 0.0))


if __name__ == "__main__":
    main()
