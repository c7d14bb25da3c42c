"""From a model to finished accounts: planted kernels come back, and the caller's model stays as it was."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.errors import (
    ClipTooSmall,
    DeviceFull,
    LayerNotFound,
    ModelUnusable,
    SettingInvalid,
    UnitOutOfRange,
)
from kinetoscope.inquiry import run, settle
from kinetoscope.inquiry.request import Options
from kinetoscope.inquiry.settle import request_for
from kinetoscope.synthetic.networks import MotionEnergy

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

ACTIVATIONS = {
    "optimal",
    "random_input",
    "reconstruction",
    "static_only",
    "flat_colour",
    "reversed",
    "shuffled",
    "slowed",
    "sped_up",
    "grey",
}
CARD = ks.ModelCard(clip=(6, 16, 20), class_names=("near", "far", "up"), output_layer="head")


class Small(nn.Module):
    """A network with a batch norm, an in-place ReLU behind the first layer, and a class output."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.first = nn.Conv3d(3, 10, 3, padding=1)
            self.norm = nn.BatchNorm3d(10)
            self.second = nn.Conv3d(10, 4, 3)
            self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu_(self.norm(self.first(x)))
        return self.head(torch.relu_(self.second(x)).mean(dim=(2, 3, 4)))


def fingerprint(model):
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    flags = [(p.requires_grad, p.grad is None) for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    hooks = [
        len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        for module in model.modules()
    ]
    return state, flags, modes, hooks


def assert_untouched(model, before):
    after = fingerprint(model)
    assert before[1:] == after[1:]
    for name, tensor in before[0].items():
        assert torch.equal(tensor, after[0][name]), name


@pytest.mark.parametrize(("direction", "speed"), [(0, 1.0), (135, 2.0), (270, 1.0)])
def test_a_planted_kernel_shows_its_direction_and_speed(direction, speed):
    how = {"size": (10, 40, 48), "seeds": 1, "motion": ks.DecomposeSettings()}
    model = MotionEnergy([(direction, speed)], size=(5, 9))
    (result,) = ks.visualize(model, layer="energy", units=[0], **how)
    off = (result.motion.direction_deg - direction + 180) % 360 - 180
    assert abs(off) <= 10
    assert result.motion.speed_px_per_frame == pytest.approx(speed, rel=0.25)
    assert result.activation["optimal"] > 1.5 * result.activation["reversed"]
    assert result.indices["motion_dependence"] > 0.3  # slow kernels answer to a still grating as well
    assert result.confidence is None


def test_a_batch_too_large_for_memory_is_halved_until_it_fits(monkeypatch):
    settings = replace(settle.OPTIMAL_PRESETS["default"], together=4)
    monkeypatch.setitem(settle.OPTIMAL_PRESETS, "default", settings)
    sizes, find_optima = [], run.find_optima

    def scarce(forward, objectives, *rest, **more):
        sizes.append(len(objectives))
        if len(objectives) > 1:
            raise torch.OutOfMemoryError("no room")
        return find_optima(forward, objectives, *rest, **more)

    options = {"card": CARD, "steps": 2, "seeds": 1}
    whole = ks.visualize(Small(), "first", range(4), **options)
    monkeypatch.setattr(run, "find_optima", scarce)
    halved = ks.visualize(Small(), "first", range(4), **options)
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert [result.record["unit"] for result in halved] == list(range(4))
    for one, other in zip(whole, halved, strict=True):
        torch.testing.assert_close(one.video, other.video, atol=1e-4, rtol=0)

    def none(*_, **__):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(run, "find_optima", none)
    with pytest.raises(DeviceFull, match="cpu has too little memory for one clip of 6x16x20; give a smaller"):
        ks.visualize(Small(), "first", [0], **options)


def test_results_are_complete():
    (result,) = ks.visualize(Small(), layer="first", units=[2], card=CARD, steps=5, seed=4, seeds=2)
    assert set(result.activation) == ACTIVATIONS
    assert result.optimal.video.shape == (6, 3, 16, 20)
    assert result.decomposition.velocity.shape == (5, 2, 16, 20)
    assert result.record["objective"] == "channel-relu"
    assert result.record["unit"] == 2
    request = request_for(Small(), "first", [2], Options(card=CARD, steps=5, seed=4, seeds=2))
    assert {**result.record, **request.to_json(2)} == result.record
    assert {"kinetoscope", "torch", "python"} == set(result.record["versions"])


def test_seeds_are_compared_and_change_nothing_else():
    told = []
    options = {"card": CARD, "steps": 8, "seed": 5}
    (alone,) = ks.visualize(Small(), "first", [3], **options, seeds=1)
    (compared,) = ks.visualize(
        Small(), "first", [3], **options, seeds=3, progress=lambda *step: told.append(step)
    )
    assert torch.equal(compared.optimal.video, alone.optimal.video)
    assert compared.activation == alone.activation
    assert alone.confidence is None
    assert (compared.confidence.seeds, compared.confidence.repeat_steps) == ((5, 6, 7), 2)
    assert compared.confidence.directions_deg[0] == pytest.approx(compared.motion.direction_deg, abs=1e-3)
    assert len(set(compared.confidence.speeds_px_per_frame)) > 1  # the others are other runs
    steps = [step for _, step, _ in told]
    assert steps == sorted(set(steps))  # a second ascent that is not needed is passed over
    assert told[-1] == (0, 12, 12)
    assert compared.record["seconds"]["confidence"] > 0


def test_a_caller_without_gradients_gets_the_same():
    options = {"card": CARD, "steps": 2, "seeds": 1}
    (usual,) = ks.visualize(Small(), "first", [1], **options)
    with torch.no_grad():
        (found,) = ks.visualize(Small(), "first", [1], **options)
    assert torch.equal(found.optimal.video, usual.optimal.video)
    assert torch.equal(found.decomposition.velocity, usual.decomposition.velocity)


def test_class_outputs_go_by_name():
    results = ks.visualize(Small(), layer="head", units=["up", 0], card=CARD, steps=2, seeds=1)
    assert [r.record["unit"] for r in results] == [2, 0]
    assert [r.record["unit_name"] for r in results] == ["up", "near"]
    assert results[0].record["objective"] == "channel"


def test_a_batch_equals_single_runs_and_itself():
    model = Small()
    options = {"card": CARD, "steps": 10, "seed": 1, "seeds": 1}
    together = ks.visualize(model, "first", [0, 3, 7], **options)
    for result in together:
        (alone,) = ks.visualize(model, "first", [result.record["unit"]], **options)
        assert torch.equal(result.optimal.video, alone.optimal.video)
        assert torch.equal(result.decomposition.displacement, alone.decomposition.displacement)


def test_seeds_differ():
    options = {"card": CARD, "steps": 3, "seeds": 1, "start": "noise"}
    one, two = (ks.visualize(Small(), "first", [0], seed=seed, **options)[0] for seed in (0, 1))
    assert not torch.equal(one.optimal.video, two.optimal.video)


def test_activation_is_the_clean_response():
    model = Small().eval()
    (result,) = ks.visualize(model, "second", [1], card=CARD, steps=4, objective="channel", seeds=1)
    with torch.no_grad():
        clip = result.optimal.video.transpose(0, 1)[None]
        response = model.second(model.norm(model.first(clip)).relu())[0, 1].mean()
    assert result.activation["optimal"] == pytest.approx(float(response), abs=1e-5)


def test_bf16_is_close_to_fp32():
    runs = [
        ks.visualize(Small(), "second", [1], card=CARD, steps=8, precision=p, seeds=1)[0]
        for p in ("fp32", "bf16")
    ]
    assert runs[1].activation["optimal"] == pytest.approx(runs[0].activation["optimal"], rel=0.1, abs=0.02)


def test_the_model_comes_back_after_success_failure_and_interruption():
    model = Small().train()
    model.first.weight.requires_grad_(False)
    before = fingerprint(model)
    ks.visualize(model, "second", [0], card=CARD, steps=2, seeds=2)
    assert_untouched(model, before)

    def interrupt(unit, step, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ks.visualize(model, "second", [0], card=CARD, steps=3, progress=interrupt)
    assert_untouched(model, before)
    with pytest.raises(ClipTooSmall):
        ks.visualize(model, "second", [0], card=CARD, size=(2, 16, 20))
    assert_untouched(model, before)
    unfinished = ks.visualize_each(model, "second", [0, 1], card=CARD, steps=2, seeds=1)
    next(unfinished)
    unfinished.close()
    assert_untouched(model, before)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"layer": "frist"}, LayerNotFound, "first"),
        ({"units": [10]}, UnitOutOfRange, "0 to 9"),
        ({"units": ["up"]}, UnitOutOfRange, ""),
        ({"units": []}, UnitOutOfRange, "no units"),
        ({"size": (1, 16, 20)}, ClipTooSmall, "at least two"),
        ({"size": (6, 4, 20)}, ClipTooSmall, "8x8"),
        ({"preset": "fast"}, SettingInvalid, "strong or paper"),
        ({"objective": "neuron"}, SettingInvalid, "channel-relu"),
        ({"position": (0, 0, 99), "objective": "unit"}, UnitOutOfRange, "99"),
        ({"precision": "fp8"}, SettingInvalid, "bf16"),
        ({"steps": 0}, SettingInvalid, "steps"),
        ({"seeds": 0}, SettingInvalid, "at least 1"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_computed(change, error, words):
    arguments = {"layer": "first", "units": [0], "card": CARD, "steps": 1, **change}
    with pytest.raises(error) as caught:
        ks.visualize_each(Small(), **arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_named():
    model = Small()
    with torch.no_grad():
        model.first.weight[0, 0, 0, 0, 0] = float("nan")
    with pytest.raises(ModelUnusable, match=r"first\.weight"):
        ks.visualize(model, "first", [0], card=CARD, steps=1)


def test_a_copy_gives_the_same_arrays():
    model = Small()
    one, two = (
        ks.visualize(m, "first", [5], card=CARD, steps=4, seeds=1)[0] for m in (model, copy.deepcopy(model))
    )
    assert torch.equal(one.optimal.video, two.optimal.video)
    assert one.record["weights_sha256"] == two.record["weights_sha256"]
