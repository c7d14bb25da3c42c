"""The command line with arithmetic replaced: results come at once, or as slowly as FAKE_DELAY says.

Imported by the tests for `FakeInquiry`; where a test needs a process of its own, `as_command` or `begin` is
what that does.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import torch

from kinetoscope.cli import main, run
from kinetoscope.inquiry import given
from kinetoscope.inquiry.request import Request
from kinetoscope.motion.decompose import DecomposeSettings
from kinetoscope.results import Decomposition, MotionSummary, Optimal, UnitResult, one_texture
from kinetoscope.types import Video

T, H, W = 3, 12, 16


def decomposed(seed: int) -> tuple[Decomposition, MotionSummary]:
    draw = torch.Generator().manual_seed(seed)
    parts = Decomposition(
        static_image=torch.rand(3, H, W, generator=draw),
        displacement=torch.randn(T, 2, H, W, generator=draw),
        velocity=torch.randn(T - 1, 2, H, W, generator=draw),
        coherent_velocity=torch.zeros(T - 1, 2, H, W),
        reconstruction=torch.rand(T, 3, H, W, generator=draw),
        psnr_db=30.0,
        single_psnr_db=30.0,
        static_psnr_db=20.0,
        displacement_tv=0.1,
        variance_explained={"coherent": 0.5, "light": 0.1, "jitter": 0.2, "residual": 0.2},
        change_share=0.9,
        settings={},
        seconds=0.1,
        **one_texture(torch.rand(3, H, W, generator=draw), torch.rand(T, 3, H, W, generator=draw)),
    )
    return parts, MotionSummary(45.0, 1.0, 1.5, 2 / 3, 0.0, 0.0, "up-right")


class FakeInquiry:
    """In the place of `Inquiry`: the request is real, and so is what the records say of it."""

    def __init__(self, request: Request, progress: Any) -> None:
        self.request, self.progress = request, progress

    def results(self, units: list[int]) -> Iterator[UnitResult]:
        for index, unit in enumerate(units):
            for step in range(3):
                time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
                self.progress(index, step + 1, 3)
            if os.environ.get("FAKE_FAULT") == str(unit):
                raise ZeroDivisionError("odd\nnumbers")
            parts, motion = decomposed(unit)
            draw = torch.Generator().manual_seed(self.request.seed)
            optimal = Optimal(torch.rand(T, 3, H, W, generator=draw), (0.0, 1.0), steps=2, seconds=0.2)
            responses = {"optimal": 2.0, "random_input": 1.0}
            yield UnitResult(
                optimal.video, parts, motion, optimal, responses, record=self.request.to_json(unit)
            )


def fake_decompose(video: Video, settings: DecomposeSettings, *, seed: int) -> Decomposition:
    """In the place of `decompose`: what is said of it is real."""
    return decomposed(seed)[0]


def as_command(words: list[str] | None = None) -> NoReturn:
    """The command, of this process."""
    run.Inquiry = FakeInquiry
    given.taken_apart = fake_decompose
    sys.exit(main(words))


def begin(words: list[str], environment: dict[str, str], out: Path, err: Path) -> NoReturn:
    """The command in a process that has begun as a copy of another, with stdout and stderr into files."""
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    as_command(words)
