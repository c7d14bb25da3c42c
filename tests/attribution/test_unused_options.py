"""An option that the method makes nothing of is refused, not passed over."""

import pytest

from kinetoscope.cli import main

WORDS = ("attribute", "c.npy", "--out", "o", "--model", "motion13", "--target", "up")


@pytest.mark.parametrize(
    ("method", "option", "value"),
    [
        ("gradient", "--steps", "4"),
        ("occlusion", "--samples", "4"),
        ("integrated-gradients", "--occlude", "2x3x4"),
        ("smoothgrad", "--cam-layer", "conv1"),
        ("grad-cam", "--steps", "4"),
    ],
)
def test_an_option_of_another_method_is_refused(
    method: str, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--method", method, option, value]) == 2
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert option in told
    assert f"it cannot be used with --method {method}; leave it out" in told
