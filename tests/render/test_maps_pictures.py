"""Maps, kernels and attributions are drawn where they belong, with signs and scales that can be read."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from kinetoscope.errors import SettingInvalid
from kinetoscope.render.animation import (
    GIF_FRAMES,
    _fitted,
    draw_panels,
    heat_scale,
    save_animation,
    signed_rgb,
)
from kinetoscope.render.attribution import (
    MeanCurve,
    draw_attribution,
    focus_frames,
    leading_frames,
    overlay_frames,
    overlay_pictures,
    softened,
)
from kinetoscope.render.colour import font
from kinetoscope.render.hits import hit_pictures
from kinetoscope.render.kernels import MOST, colour_picture, draw_kernels, kernel_pictures, kernel_scales
from kinetoscope.render.maps import MOST as MOST_MAPS
from kinetoscope.render.maps import map_pictures
from kinetoscope.units.receptive.span import Span


def test_signs_have_colours_and_zero_is_neutral() -> None:
    low, zero, high, beyond, nan = signed_rgb(torch.tensor([[-2.0, 0.0, 2.0, 9.0, float("nan")]]), 2.0)[0]
    assert low[2] > low[0] + 50
    assert high[0] > high[2] + 50
    assert zero.min() > 240
    assert np.array_equal(beyond, high)
    assert np.array_equal(nan, zero)
    assert signed_rgb(torch.zeros(2, 3), 0.0).min() > 240


def hottest(picture: np.ndarray) -> tuple[int, int]:
    """(x, y) of the reddest spot's middle."""
    redness = picture[..., 0].astype(int) - picture[..., 2]
    ys, xs = np.nonzero(redness >= redness.max() - 2)
    return round(xs.mean()), round(ys.mean())


def test_a_value_is_drawn_where_its_place_looks() -> None:
    # kernel 3 x 5 x 7, no padding: place (1, 2, 3) looks at the middle of frames 1-3, rows 2-6, columns 3-9
    clip = torch.zeros(6, 3, 32, 40)
    maps = torch.zeros(4, 1, 28, 34)
    maps[1, 0, 2, 3] = 1.0
    spans = (Span(3, 1, 0), Span(5, 1, 0), Span(7, 1, 0))
    pictures = list(map_pictures(clip, maps, spans, ["m"], [1.0]))
    assert len(pictures) == 6
    redness = [int((p[..., 0].astype(int) - p[..., 2]).max()) for p in pictures]
    bar = redness[0]  # the colour bar is red in every frame
    panel = pictures[2][:-40, pictures[2].shape[1] // 2 :]
    factor = 320 / 40
    x, y = hottest(panel)
    left = 4  # half of the gap between the panels
    assert x == pytest.approx(left + (6 + 0.5) * factor, abs=2)
    assert y == pytest.approx(8 + 18 + (4 + 0.5) * factor, abs=2)
    assert int((pictures[4][:-40, ..., 0].astype(int) - pictures[4][:-40, ..., 2]).max()) < bar


def test_scales_are_shared_or_each_maps_own() -> None:
    clip, maps = torch.zeros(2, 1, 10, 12), torch.zeros(2, 2, 10, 12)
    maps[:, 0], maps[:, 1] = 1.0, 0.1
    spans = (Span(1, 1, 0),) * 3
    shared, own = (
        next(map_pictures(clip, maps, spans, ["strong", "weak"], [1.0, 0.1], scale=scale))
        for scale in ("shared", "per-map")
    )
    reddest = np.array([103, 0, 31])
    assert (np.abs(own.astype(int) - reddest).max(axis=2) < 6).sum() > 1.8 * (
        np.abs(shared.astype(int) - reddest).max(axis=2) < 6
    ).sum()
    with pytest.raises(SettingInvalid, match="per-map"):
        next(map_pictures(clip, maps, spans, ["a", "b"], [1.0, 1.0], scale="log"))
    many = torch.zeros(2, MOST_MAPS + 9, 10, 12)
    names = [str(n) for n in range(MOST_MAPS + 9)]
    assert next(map_pictures(clip, many, spans, names, [0.0] * len(names))).ndim == 3


def test_one_wild_moment_does_not_make_the_rest_pale() -> None:
    clip, maps = torch.zeros(500, 1, 10, 12), torch.zeros(500, 1, 10, 12)
    maps[:, 0, 4:6] = 1.0
    maps[250] = 100.0
    spans = (Span(1, 1, 0),) * 3
    first = next(map_pictures(clip, maps, spans, ["m"], [100.0]))
    reddest = np.abs(first[:-40].astype(int) - np.array([103, 0, 31])).max(axis=2) < 6
    assert reddest.any()
    speck = torch.zeros(2, 1, 10, 12)
    speck[1, 0, 3, 4] = 2.0  # less than half a percent: full colour is the peak
    _, second = map_pictures(clip[:2], speck, spans, ["m"], [2.0])
    assert (np.abs(second[:-40].astype(int) - np.array([103, 0, 31])).max(axis=2) < 6).any()


def test_gifs_keep_zero_neutral(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    page = draw_panels([("a", noise), ("b", signed_rgb(torch.zeros(64, 64), 1.0))], 2)
    save_animation(tmp_path, "x", [page, page[::-1]], 2)
    with PillowImage.open(tmp_path / "x.gif") as gif:
        zero = np.asarray(gif.convert("RGB"))[60, 120].astype(int)
    assert zero.max() - zero.min() <= 4
    assert zero.min() > 240


def test_long_films_are_whole_and_gifs_short(tmp_path: Path) -> None:
    count = 2 * GIF_FRAMES + 10

    def bar(t: int) -> np.ndarray:
        picture = np.zeros((32, 46, 3), np.uint8)
        picture[:, t // 3 % 46] = 255
        return picture

    save_animation(tmp_path, "x", (bar(t) for t in range(count)), count, fps=20)
    with av.open(str(tmp_path / "x.mp4")) as container:
        columns = [int(f.to_ndarray(format="rgb24")[5, :, 0].argmax()) for f in container.decode(video=0)]
    assert columns == [t // 3 % 46 for t in range(count)]
    with PillowImage.open(tmp_path / "x.gif") as gif:
        assert gif.size == (46, 32)
        assert gif.n_frames == -(-count // 3)
        assert gif.info["duration"] == 150


def test_panels_stand_in_rows_with_cut_captions() -> None:
    cell = np.full((20, 30, 3), 255, np.uint8)
    page = draw_panels([("a" * 99, cell), ("b", cell), ("c", cell)], 2, bar="words", scale=1.5)
    assert page.shape[1] == 2 * 38 + 8
    white = (page.min(axis=2) == 255).sum()
    assert white >= 3 * 20 * 30


def test_kernels_keep_their_signs(written: list[str]) -> None:
    weights = torch.zeros(2, 3, 2, 3, 4)
    weights[0, 0, 1], weights[1, 2, 0] = 0.5, -0.5
    page = draw_kernels(weights, 0.5, ["l:0", "l:1"], ["", ""])
    red, blue = np.array([103, 0, 31]), np.array([5, 48, 97])
    for colour in (red, blue):
        found = np.abs(page.astype(int) - colour).max(axis=2) < 6
        assert 44 * 33 * 0.9 < found.sum() < 44 * 33 * 1.6  # one cell, and the end of the colour bar
    assert colour_picture(torch.zeros(3, 3, 4), 0.5).tolist() == [[[128] * 3] * 4] * 3
    assert len(list(kernel_pictures(weights, 0.5, ["a", "b"]))) == 2
    written.clear()
    draw_kernels(weights, 0.5, ["l:0", "l:1"], ["one", "two"], "a layer")
    assert {"a layer", "l:0", "l:1", "one", "two"} <= set(written)
    many = torch.randn(MOST + 2, 7, 1, 3, 3)
    assert draw_kernels(many, 1.0, ["n"] * len(many), [""] * len(many)).shape[0] > MOST * 44
    assert len(list(kernel_pictures(many, 1.0, ["n"] * len(many)))) == 1


def test_overlays_show_for_and_against_and_focus_dims_the_rest() -> None:
    video, map_ = torch.full((3, 1, 8, 10), 0.6), torch.zeros(3, 8, 10)
    map_[1, 2, 3], map_[1, 5, 6] = 1.0, -1.0
    assert heat_scale(map_) == 1.0
    assert heat_scale(torch.zeros(2, 3, 4)) == 1.0
    _, overlay, last = overlay_frames(video, map_, 1.0)
    assert overlay[2, 3, 0] > overlay[2, 3, 2] + 80
    assert overlay[5, 6, 2] > overlay[5, 6, 0] + 80
    assert len(np.unique(last)) == 1
    focus = list(focus_frames(video, map_, 1.0))[1]
    assert focus[2, 3, 0] == focus[5, 6, 0] == 153
    assert focus[0, 0, 0] < 60
    assert len(list(overlay_pictures(video, map_, "t"))) == 3


def test_focus_is_softened_and_nothing_is_said_to_be_nothing(written: list[str]) -> None:
    map_ = torch.zeros(2, 64, 80)
    map_[1, 32, 40] = -25.0
    soft = softened(map_)
    assert float(soft[1, 32, 40]) == float(soft[1, 30, 42]) == pytest.approx(1.0)
    assert float(soft[1, 32, 43]) == float(soft[0].max()) == 0.0
    for heat, said in ((0 * map_, "nothing counted: zero everywhere"), (map_, "red for, blue against")):
        written.clear()
        next(overlay_pictures(torch.zeros(2, 3, 64, 80), heat, "t"))
        assert any(words.startswith(said) for words in written)


def test_the_figure_shows_the_leading_frame_of_each_part() -> None:
    importance = [0.0, 0.1, 0.0, 0.4, 0.0, 0.0, 0.2, 0.3, 0.0, 0.0]
    assert leading_frames(importance, 3) == [1, 3, 7]
    assert leading_frames(importance, 12) == list(range(10))


@pytest.mark.parametrize("curves", [{}, {"insertion": MeanCurve((0.0, 1.0), (0.0, 1.0), 0.5)}])
def test_the_figure_is_drawn_with_and_without_curves(curves: dict[str, MeanCurve]) -> None:
    video, map_ = torch.rand(5, 3, 8, 14), torch.rand(5, 8, 14)
    png = draw_attribution(video, map_, [0.2] * 5, curves, title="$t", facts="f")
    with PillowImage.open(io.BytesIO(png)) as figure:
        assert figure.width == 1600
        strips = np.asarray(figure.convert("RGB"))[150:, 170:]
    assert strips.std() > 20
    curve = strips[-230:-20, 910:].astype(int)
    assert ((curve.max(axis=2) - curve.min(axis=2)).max() > 60) == bool(curves)


def test_hits_of_any_size_play_side_by_side() -> None:
    clips = [("a", torch.rand(4, 3, 5, 7)), ("b", torch.rand(2, 1, 300, 9))]
    pictures = list(hit_pictures(clips))
    assert len(pictures) == 4
    assert len({p.shape for p in pictures}) == 1
    cells = [p[:, pictures[0].shape[1] // 2 :] for p in pictures]
    assert np.array_equal(cells[0], cells[2])
    assert not np.array_equal(cells[0], cells[1])


def test_kernels_that_one_scale_would_hide_get_their_own() -> None:
    torch.manual_seed(0)
    weights = torch.randn(6, 3, 2, 5, 5)
    even = kernel_scales(weights, float(weights.abs().max()))
    assert even == [float(weights.abs().max())] * 6
    weights[1:] *= 0.02
    scales = kernel_scales(weights, float(weights.abs().max()))
    assert scales == weights.abs().amax(dim=(1, 2, 3, 4)).tolist()
    assert kernel_scales(weights, 4.0, per_kernel=False) == [4.0] * 6
    assert kernel_scales(torch.zeros(2, 1, 1, 3, 3), 0.0, per_kernel=True) == [1.0] * 2
    names, notes = ["n"] * 6, [""] * 6
    shared, own = (draw_kernels(weights, s, names, notes)[:-40, 150:].astype(int) for s in (even, scales))
    row = slice(64 + 48, 64 + 2 * 48)  # of the second kernel
    assert np.ptp(own[row]) > 3 * np.ptp(shared[row]) > 0 or np.ptp(own[row]) == 255
    assert np.array_equal(own[64:108, :90], shared[64:108, :90]) == (scales[0] == even[0])
    assert len(list(kernel_pictures(weights, scales, names))) == 2


def test_names_with_what_cannot_be_drawn_are_drawn_all_the_same() -> None:
    strange, plain = (_fitted(name, 200) for name in ("a\nb\x1b[31m.npy", "a b [31m.npy"))
    assert strange == plain
    font(12).getlength(strange)  # raised for a line break
    assert _fitted("x" * 400, 50).endswith("…")
