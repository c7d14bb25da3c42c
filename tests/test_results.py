"""Results are short to print, equal to themselves only, and lists of them stay lists."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.activations.maps import Block
from kinetoscope.brief import brief
from kinetoscope.errors import SettingInvalid
from kinetoscope.evaluation.sanity import Check
from kinetoscope.files import finished_units
from kinetoscope.results import Results, UnitResult

pytestmark = pytest.mark.usefixtures("quick_motion", "blank_summaries")  # of optima

Factory = Callable[..., UnitResult]


def test_a_result_tells_what_it_is_on_one_line(result_factory: Factory) -> None:
    assert repr(result_factory()) == (
        "UnitResult(motion13 / conv2.0 / unit 7 (up-right): up-right; response 4.2, kept 0.93, "
        "motion dependence 0.83, coherent 0.71, PSNR 31.2 dB)"
    )
    given = replace(result_factory(layer=None, video="clip.mp4"), optimal=None, activation={}, indices={})
    assert repr(given) == (
        "UnitResult(Decomposition of clip.mp4: up-right; speed 0.90 px/frame, carried –, coherent 0.71, "  # noqa: RUF001
        "PSNR 31.2 dB)"
    )


def test_no_name_makes_it_long_or_breaks_the_line(result_factory: Factory) -> None:
    result = result_factory(layer="a\nb" * 500, unit_name="\x1b[31m" * 500, model=None, network="Net")
    assert len(repr(result)) < 250
    assert repr(result).isprintable()
    assert repr(result).startswith("UnitResult(Net / a ba b")


def test_parts_of_results_are_short_too(result_factory: Factory) -> None:
    result = result_factory()
    assert repr(result.optimal) == (
        "Optimal(video=float32 (5, 3, 24, 32), history=<200 values>, steps=200, seconds=6.5, notes=None, "
        "alpha=None, given=None)"
    )
    assert repr(result.decomposition) == (
        "Decomposition(5 frames of 32 x 24 px: coherent 0.71, light 0.05, jitter 0.12, residual 0.12, "
        "PSNR 31.2 dB)"
    )
    check = Check("the unit", "second seed", "other random numbers", result, {"response": 1.0})
    assert repr(check) == (
        "Check(group='the unit', name='second seed', note='other random numbers', result=UnitResult(…), "
        "numbers=<1 entries>)"
    )
    clip = torch.rand(5, 3, 12, 17)
    assert (
        len(repr(ks.attribute(Small(), clip, "conv:1", "gradient", card=ks.ModelCard(clip=(5, 12, 17)))))
        < 600
    )
    assert brief((1, 2.5)) == "(1, 2.5)"
    assert brief("x" * 99) == f"'{'x' * 39}…'"


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 2, 3)

    def forward(self, clips):
        return self.conv(clips)


def test_comparing_and_hashing_work(result_factory: Factory) -> None:
    one, other = result_factory(), result_factory()
    for a, b in ((one, other), (one.optimal, other.optimal), (one.decomposition, other.decomposition)):
        assert a == a
        assert a != b
        assert len({a, b, a}) == 2
    block = Block(one.video, one.video)
    assert block == block
    assert block in {block}
    assert one.motion == other.motion  # numbers and words compare by value
    assert [one, other].index(other) == 1


def test_a_list_of_results_stays_a_list(result_factory: Factory) -> None:
    one, two = result_factory(unit=1), result_factory(unit=2)
    results = Results([one, two])
    assert isinstance(results, list)
    assert results == [one, two]
    (first, second) = results
    assert (first, second, results[-1], len(results)) == (one, two, two, 2)
    for other in (results[:1], results + [one], [*results] and results[::-1]):  # noqa: RUF005
        assert isinstance(other, Results)
    results += [one]
    assert isinstance(results, Results)
    assert repr(results).splitlines() == ["3 results:", f"  {one!r}", f"  {two!r}", f"  {one!r}"]


def test_a_list_saves_every_unit_and_the_page(tmp_path: Path, result_factory: Factory) -> None:
    page = Results([result_factory(layer="fc", unit=unit) for unit in (2, 5)]).save(tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    assert [folder.name for folder in finished_units(tmp_path / "out")] == ["2", "5"]


def test_a_part_of_a_result_sends_to_the_whole(result_factory: Factory, tmp_path: Path) -> None:
    parts = result_factory().decomposition
    for use in (lambda: parts.save(tmp_path), parts.plot, parts.show):
        with pytest.raises(SettingInvalid, match="part of a unit's result"):
            use()
    assert parts._repr_html_() is None


def test_visualize_gives_such_a_list() -> None:
    card = ks.ModelCard(clip=(5, 12, 17))
    results = ks.visualize(Small(), "conv", [1], card=card, steps=2, seeds=1)
    assert isinstance(results, Results)
    assert repr(results[0]).startswith("UnitResult(Small / conv / unit 1: ")
    assert len(repr(results[0])) < 200
