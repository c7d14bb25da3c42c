"""The command line run inside the test process, with its arithmetic replaced."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from kinetoscope.cli import main


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def quick_verbs(quick_motion: None, blank_summaries: None) -> None:
    """What verbs leave is tested here, not what they find, nor how it is drawn."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command and give its status, stdout and stderr."""
    import fake_run

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # main replaces it
    monkeypatch.setattr("kinetoscope.cli.run.Inquiry", fake_run.FakeInquiry)
    monkeypatch.setattr("kinetoscope.inquiry.given.taken_apart", fake_run.fake_decompose)

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Outcome(status, *capsys.readouterr())

    return call
