"""Objectives as text: what is read, and what is refused with its place named."""

import pytest

from kinetoscope.errors import SettingInvalid
from kinetoscope.optimal.expression import Said, is_expression, read_expression


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conv3b:5", [Said(1.0, "conv3b", 5)]),
        ("-conv3b:5", [Said(-1.0, "conv3b", 5)]),
        ("conv3b:5@1,2,3", [Said(1.0, "conv3b", 5, None, ((1, 1), (2, 2), (3, 3)))]),
        ("conv3b:5@0-2,*,4", [Said(1.0, "conv3b", 5, None, ((0, 2), None, (4, 4)))]),
        ("fc:left - fc:right", [Said(1.0, "fc", "left"), Said(-1.0, "fc", "right")]),
        ("fc:up-right - fc:down-left", [Said(1.0, "fc", "up-right"), Said(-1.0, "fc", "down-left")]),
        ("0.5*conv3b:5+2 * a.b.0:1", [Said(0.5, "conv3b", 5), Said(2.0, "a.b.0", 1)]),
        ("- 1e-2*0:3", [Said(-0.01, "0", 3)]),
        ("logits:'riding a bike'", [Said(1.0, "logits", "riding a bike")]),
        ("conv3b:* - mean(fc:3)", [Said(1.0, "conv3b", None), Said(-1.0, "fc", 3, "channel")]),
        ("relu(block@1:7)", [Said(1.0, "block@1", 7, "channel-relu")]),
        ("vector:2", [Said(1.0, "vector", 2)]),
    ],
)
def test_terms_are_read_as_written(text: str, said: list[Said]) -> None:
    assert is_expression(text)
    assert read_expression(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "conv3b:5 conv3b:6", "conv3b:5 -", "- - conv3b:5", "2*3*conv3b:5", "mean(conv3b:5", "conv3b:5)",
        "mean(mean(a:1))", "conv3b:", ":5", "conv3b:5 * 2", "mean()", "2*", "conv3b:5@", "mean(a:1 + a:2)",
        "a:1 mean(a:2)", "a:1 2*a:2",
    ],
)  # fmt: skip
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match=r"cannot be read at .*write a sum such as"):
        read_expression(text)


@pytest.mark.parametrize("text", ["a:1@1,", "a:1@3-1", "a:1@-1,2,3", "a:1@1--2"])
def test_an_odd_place_is_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match="one per axis"):
        read_expression(text)
