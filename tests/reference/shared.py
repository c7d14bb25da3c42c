"""What tests share: results with a known answer, to be drawn and saved; how little is computed and painted
where nobody looks; and one thread for each of several test processes.
"""

import gc
import math
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from itertools import islice
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import checked
import pytest
import torch
from hypothesis import settings
from matplotlib.figure import Figure
from quick import DECOMPOSITIONS, searches
from white import leave_white, white_page

from kinetoscope.inquiry import run, settle
from kinetoscope.processes import keep_freed_memory
from kinetoscope.render import frames, maps
from kinetoscope.results import (
    DEAD,
    Confidence,
    Decomposition,
    MotionSummary,
    Optimal,
    UnitResult,
    one_texture,
)
from kinetoscope.stimuli import bank

TESTS = Path(__file__).parents[1]

if "PYTEST_XDIST_WORKER" in os.environ:  # the processors are shared out already, to child processes too
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def pytest_runtest_setup() -> None:
    checked.begin()


def pytest_collection() -> None:
    """On a fresh clone every process would compile every file; every second one begins with the last."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0")[-1] in "13579":
        for path in sorted(TESTS.rglob("test_*.py"), reverse=True):
            sys.path.insert(0, str(path.parent))
            with suppress(pytest.skip.Exception):
                import_module(path.stem)


def pytest_collection_finish() -> None:
    """What is imported by now stays: collecting garbage goes through what is made from here on, not all."""
    gc.collect()
    gc.freeze()


keep_freed_memory()

settings.register_profile("house", deadline=None)  # a busy machine is no failure
settings.load_profile("house")


def grating(
    frames: int, height: int, width: int, velocity: tuple[float, float], channels: int = 3
) -> torch.Tensor:
    """A coloured grating that drifts by `velocity` (x, y) pixels per frame, (T, C, H, W) in [0, 1]."""
    t = torch.arange(frames, dtype=torch.float32)[:, None, None]
    y = torch.arange(height, dtype=torch.float32)[None, :, None] - velocity[1] * t
    x = torch.arange(width, dtype=torch.float32)[None, None, :] - velocity[0] * t
    waves = [
        torch.sin(2 * math.pi * (x / 16 + y / (20 + 6 * c)) + c)
        * torch.exp(-(((y - height / 2) / height) ** 2))
        for c in range(channels)
    ]
    return 0.5 + 0.45 * torch.stack(waves, dim=1)


def make_result(
    frames: int = 5,
    height: int = 24,
    width: int = 32,
    velocity: tuple[float, float] = (0.75, -0.5),
    channels: int = 3,
    jitter: float = 0.0,
    **record: Any,
) -> UnitResult:
    """A unit whose video is a drifting grating, decomposed without error."""
    video = grating(frames, height, width, velocity, channels)
    u = torch.tensor(velocity).view(1, 2, 1, 1).expand(frames - 1, 2, height, width)
    t = torch.arange(frames, dtype=torch.float32).view(-1, 1, 1, 1)
    noise = jitter * torch.randn(u.shape, generator=torch.Generator().manual_seed(0))
    speed = math.hypot(*velocity)
    parts = Decomposition(
        static_image=video[0],
        displacement=(-t * torch.tensor(velocity).view(1, 2, 1, 1))
        .expand(frames, 2, height, width)
        .contiguous(),
        velocity=u + noise,
        coherent_velocity=u.contiguous(),
        reconstruction=video * 0.98,
        psnr_db=31.24,
        single_psnr_db=31.24,
        static_psnr_db=14.75,
        displacement_tv=0.0123,
        variance_explained={"coherent": 0.71, "light": 0.05, "jitter": 0.12, "residual": 0.12},
        change_share=0.9,
        settings={"steps": 320},
        seconds=2.5,
        **one_texture(video[0], video * 0.98),
    )
    direction = math.degrees(math.atan2(-velocity[1], velocity[0])) % 360.0
    motion = MotionSummary(direction, speed, speed, 1.0, 0.001, -0.002, "up-right" if speed else "still")
    facts = {
        "model": "motion13",
        "weights": "default",
        "layer": "conv2.0",
        "unit": 7,
        "unit_name": "up-right",
        "objective": "channel-relu",
        "seed": 0,
        "settings": {"steps": 200},
        "versions": {"kinetoscope": "0.1.0", "torch": "2.13.0", "python": "3.12"},
        "device": "cpu",
        "precision": "fp32",
    }
    return UnitResult(
        video=video,
        decomposition=parts,
        motion=motion,
        optimal=Optimal(video, tuple(4.2 * (1 - 0.97**step) for step in range(200)), 200, 6.5),
        activation={
            "optimal": 4.2,
            "random_input": 0.11,
            "reconstruction": 3.9,
            "static_only": 0.8,
            "flat_colour": 0.2,
            "reversed": -0.6,
            "shuffled": 1.1,
            "slowed": 2.2,
            "sped_up": 1.7,
        },
        record={**facts, **record},
        indices={"reconstruction_kept": 0.93, "motion_dependence": 0.83, "direction_index": 0.74},
        confidence=Confidence(
            seeds=(0, 1, 2),
            repeat_steps=50,
            labels=("up-right", "up-right", "right"),
            label_agreement=2 / 3,
            directions_deg=(34.0, 30.0, 20.0),
            speeds_px_per_frame=(0.9, 1.0, 1.1),
            speed_spread_px_per_frame=0.08,
            circular_variance=0.012,
            field_circular_variance=0.34,
        ),
    )


def make_dead(frames: int = 4, height: int = 24, width: int = 32) -> UnitResult:
    """A unit that found nothing: flat grey, no motion, an exact fit, unknown responses."""
    result = make_result(frames, height, width, (0.0, 0.0))
    grey = torch.full_like(result.video, 0.5)
    parts = replace(
        result.decomposition,
        static_image=grey[0],
        reconstruction=grey,
        psnr_db=float("inf"),
        static_psnr_db=float("inf"),
        variance_explained={"coherent": 0.0, "light": 0.0, "jitter": 0.0, "residual": 0.0},
    )
    motion = MotionSummary(120.0, 0.7, 0.9, 0.8, 0.0, 0.0, DEAD)  # the numbers of noise
    return replace(
        result,
        video=grey,
        optimal=Optimal(grey, (), 200, 6.5),
        decomposition=parts,
        motion=motion,
        activation={"optimal": 0.0, "random_input": 0.0, "reconstruction": float("nan")},
        indices={"reconstruction_kept": None, "motion_dependence": None, "direction_index": None},
        confidence=None,
    )


@pytest.fixture(scope="session")
def result_factory() -> Callable[..., UnitResult]:
    return make_result


@pytest.fixture(scope="session")
def dead_factory() -> Callable[..., UnitResult]:
    return make_dead


@pytest.fixture(scope="session")
def copies() -> None:
    """Processes that tests begin are copies of one that has imported what they need and draws nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([*sys.path, str(TESTS / "cli")]))
        forkserver.set_forkserver_preload(["copied"])
        forkserver.ensure_running()


@pytest.fixture
def quick_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optima are taken apart in few steps."""
    monkeypatch.setattr(settle, "DECOMPOSE_PRESETS", DECOMPOSITIONS)


@pytest.fixture
def few_stimuli(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every thirtieth stimulus of the bank is shown to a unit before its search."""
    monkeypatch.setattr(run, "bank", lambda shape: islice(bank(shape), 0, None, 30))


@pytest.fixture(autouse=True)
def white_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are laid out but not painted, and films not enlarged: most of the time of what saves results.

    Those of the tests of pictures are, and of any test that is marked `painted`.
    """
    if not request.node.get_closest_marker("painted"):
        monkeypatch.setattr(Figure, "savefig", leave_white)
        monkeypatch.setattr(frames, "VIEW_SIZE", 1)
        monkeypatch.setattr(maps, "_PAGE", 64)


@pytest.fixture
def blank_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary of a unit is a white page as wide as usual, and not laid out either."""
    for room in ("render", "tuning"):
        monkeypatch.setattr(f"kinetoscope.{room}.files.draw_summary", lambda *_, **__: white_page())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, few_stimuli: None, blank_summaries: None) -> None:
    """Optima are searched for in few steps, taken apart as quickly as can be, and saved without a figure."""
    paper = DECOMPOSITIONS["paper"]
    monkeypatch.setattr(settle, "DECOMPOSE_PRESETS", dict.fromkeys(DECOMPOSITIONS, paper))
    monkeypatch.setattr(settle, "OPTIMAL_PRESETS", searches(2))
