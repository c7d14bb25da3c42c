"""Whole networks beside a second, plain account of what their authors' code computes.

Every network runs on its own modules with an eighth of its channels, two clips at once, at sizes of no
published digest; beside it the same numbers go through functions alone.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from kinetoscope.zoo.c3d import build_c3d
from kinetoscope.zoo.i3d_r50 import build_i3d_r50
from kinetoscope.zoo.inception_i3d_hassony2 import build_inception_i3d_hassony2
from kinetoscope.zoo.inception_i3d_piergiaj import build_inception_i3d_piergiaj
from kinetoscope.zoo.vqvae import VQVAE

State = dict[str, Tensor]
Found = dict[str, Tensor]


def narrow(model: nn.Module) -> State:
    """Random values for all tensors of a network, with an eighth of its channels."""
    generator = torch.Generator().manual_seed(7)
    state = {}
    for name, tensor in model.state_dict().items():
        shape = [n if axis > 1 or n == 3 else -(n // -8) for axis, n in enumerate(tensor.shape)]
        value = torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            value = 1 + 0.3 * value.abs()
        elif tensor.ndim > 1:
            value *= (2 / value[0].numel()) ** 0.5
        elif name.endswith("weight"):
            value = 1 + 0.1 * value
        else:
            value *= 0.1
        state[name] = value if tensor.is_floating_point() else torch.tensor(0)
    return state


def run(model: nn.Module, state: State, clip: Tensor, layers: list[str]) -> tuple[object, Found]:
    """The output, and those of some layers."""
    found: Found = {}
    for name in layers:

        def note(module: nn.Module, args: object, output: Tensor, name: str = name) -> None:
            found[name] = output.clone()

        model.get_submodule(name).register_forward_hook(note)
    with torch.no_grad():
        return functional_call(model.eval(), state, clip), found


def clip_of(*size: int) -> Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(3))


def norm(s: State, name: str, x: Tensor, eps: float) -> Tensor:
    shape = (1, -1, 1, 1, 1)
    mean, var, scale, shift = (
        s[f"{name}.{part}"].view(shape) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + eps).sqrt() * scale + shift


def c3d(s: State, x: Tensor) -> Found:
    found: Found = {}
    for name in ("conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"):
        found[name] = F.conv3d(x, s[f"{name}.weight"], s[f"{name}.bias"], padding=1)
        x = found[name].relu()
        if not name.endswith("a"):
            # borders that never win, and an odd last row that no window reaches
            x = F.pad(x, (1, 1, 1, 1), value=-torch.inf) if name == "conv5b" else x
            x = F.max_pool3d(x, (1, 2, 2) if name == "conv1" else 2)
            found[f"pool{name[4]}"] = x
    x = x.flatten(1)
    for name in ("fc6", "fc7", "fc8"):
        found[name] = x @ s[f"{name}.weight"].T + s[f"{name}.bias"]
        x = found[name].relu()
    return found | {"": found["fc8"].exp() / found["fc8"].exp().sum(1, keepdim=True)}


def i3d_r50(s: State, x: Tensor) -> Found:
    found: Found = {}

    def convolve(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = s[f"{name}.weight"]
        pads = [k // 2 for k in reversed(weight.shape[2:]) for _ in range(2)]
        return F.conv3d(F.pad(x, pads), weight, stride=(1, stride, stride))

    stem = "s1.pathway0_stem"
    x = norm(s, f"{stem}.bn", convolve(f"{stem}.conv", x, 2), 1e-5).relu()
    x = F.max_pool3d(F.pad(x, (1, 1, 1, 1)), (1, 3, 3), (1, 2, 2))  # zeros, since all is rectified
    found[stem] = x
    for stage, blocks in enumerate((3, 4, 6, 3), start=2):
        for i in range(blocks):
            block = f"s{stage}.pathway0_res{i}"
            stride = 2 if stage > 2 and i == 0 else 1
            y = norm(s, f"{block}.branch2.a_bn", convolve(f"{block}.branch2.a", x), 1e-5).relu()
            y = norm(s, f"{block}.branch2.b_bn", convolve(f"{block}.branch2.b", y, stride), 1e-5).relu()
            y = norm(s, f"{block}.branch2.c_bn", convolve(f"{block}.branch2.c", y), 1e-5)
            if i == 0:
                x = norm(s, f"{block}.branch1_bn", convolve(f"{block}.branch1", x, stride), 1e-5)
            x = (x + y).relu()
            found[block] = x
        if stage == 2:
            x = torch.maximum(x[:, :, 0 : x.shape[2] // 2 * 2 : 2], x[:, :, 1::2])
            found["pathway0_pool"] = x
    x = x.unfold(2, 4, 1).unfold(3, 7, 1).unfold(4, 7, 1).mean((5, 6, 7)).movedim(1, -1)
    found["head.projection"] = x @ s["head.projection.weight"].T + s["head.projection.bias"]
    return found | {"": found["head.projection"].softmax(-1).mean((1, 2, 3))}


def same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros in front and behind, as TensorFlow counts them."""
    total = max((-(size // -stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def inception(
    s: State, x: Tensor, branches: dict[str, str], small: bool, bn: str, adapts: tuple[bool, bool, bool]
) -> Found:
    """Both ports: `branches` names a block's layers, `small` first letters, `adapts` whose size counts."""
    found: Found = {}

    def padded(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        pads: list[int] = []
        for n, k, step, known in zip(x.shape[2:], kernel, stride, adapts, strict=True):
            pads = [*same(n if known else 2 * step, k, step), *pads]
        return F.pad(x, pads)

    def unit(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = s[f"{name}.conv3d.weight"]
        x = F.conv3d(padded(x, weight.shape[2:], (stride,) * 3), weight, stride=stride)
        return norm(s, f"{name}.{bn}", x, 1e-3).relu()

    def pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        return F.max_pool3d(padded(x, kernel, stride), kernel, stride, ceil_mode=not all(adapts))

    def block(name: str, x: Tensor) -> Tensor:
        b = {key: f"{name}.{layer}" for key, layer in branches.items()}
        pooled = pool(x, (3, 3, 3), (1, 1, 1))
        parts = [unit(b["0"], x), unit(b["1b"], unit(b["1a"], x)), unit(b["2b"], unit(b["2a"], x))]
        return torch.cat([*parts, unit(b["3b"], pooled)], dim=1)

    steps: list[tuple[str, Callable[[str, Tensor], Tensor]]] = [
        ("Conv3d_1a_7x7", lambda name, x: unit(name, x, 2)),
        ("MaxPool3d_2a_3x3", lambda _, x: pool(x, (1, 3, 3), (1, 2, 2))),
        ("Conv3d_2b_1x1", unit),
        ("Conv3d_2c_3x3", unit),
        ("MaxPool3d_3a_3x3", lambda _, x: pool(x, (1, 3, 3), (1, 2, 2))),
        *((f"Mixed_{name}", block) for name in ("3b", "3c")),
        ("MaxPool3d_4a_3x3", lambda _, x: pool(x, (3, 3, 3), (2, 2, 2))),
        *((f"Mixed_4{name}", block) for name in "bcdef"),
        ("MaxPool3d_5a_2x2", lambda _, x: pool(x, (2, 2, 2), (2, 2, 2))),
        *((f"Mixed_{name}", block) for name in ("5b", "5c")),
    ]
    for name, step in steps:
        name = name[0].lower() + name[1:] if small else name
        x = found[name] = step(name, x)
    last = "conv3d_0c_1x1.conv3d" if small else "logits.conv3d"
    pooled = x.unfold(2, 2, 1).unfold(3, 7, 1).unfold(4, 7, 1).mean((5, 6, 7))
    found["logits"] = torch.einsum("bcthw,kc->bkthw", pooled, s[f"{last}.weight"][..., 0, 0, 0])
    found["logits"] += s[f"{last}.bias"].view(1, -1, 1, 1, 1)
    return found


def piergiaj(s: State, x: Tensor) -> Found:
    names = {"0": "b0", "1a": "b1a", "1b": "b1b", "2a": "b2a", "2b": "b2b", "3b": "b3b"}
    found = inception(s, x, names, False, "bn", (True, True, True))
    return found | {"": found["logits"][..., 0, 0]}


def hassony2(s: State, x: Tensor) -> Found:
    names = {f"{i}{'ab'[j]}": f"branch_{i}.{j}" for i in (1, 2, 3) for j in (0, 1)} | {"0": "branch_0"}
    found = inception(s, x, names, True, "batch3d", (True, False, False))
    logits = found.pop("logits")[..., 0, 0].mean(2)
    return found | {"": torch.stack([logits.softmax(1), logits])}


NETWORKS = {
    "c3d": (build_c3d, c3d, (17, 99, 101)),
    "i3d_r50": (build_i3d_r50, i3d_r50, (9, 195, 226)),
    "piergiaj": (build_inception_i3d_piergiaj, piergiaj, (11, 195, 202)),
    "hassony2": (build_inception_i3d_hassony2, hassony2, (11, 195, 203)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_whole_network_computes_what_is_written_about_it(name: str) -> None:
    build, recompute, size = NETWORKS[name]
    with torch.device("meta"):
        model = build()
    state, clip = narrow(model), clip_of(*size)
    wanted = recompute(state, clip)
    output, found = run(model, state, clip, [layer for layer in wanted if layer])
    found[""] = torch.stack(output) if isinstance(output, tuple) else output
    for layer, tensor in wanted.items():
        apart = (found[layer] - tensor).abs().max() / tensor.square().mean().sqrt()
        assert found[layer].shape == tensor.shape, layer
        assert apart < 1e-4, layer


def vqvae(s: State, clip: Tensor) -> tuple[Tensor, Tensor]:
    """Codes of clips, and the clips made from them, by the convolutions and attentions alone."""

    def convolve(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = s[f"{name}.conv.weight"]
        return F.conv3d(x, weight, s.get(f"{name}.conv.bias"), stride, padding=weight.shape[2] // 3)

    def attend(name: str, x: Tensor, axis: int) -> Tensor:
        x = x.movedim(1, -1).movedim(axis, -2)  # (B, two other axes, places, C)
        q, k, v = ((x @ s[f"{name}.w_{p}s.weight"].T).unflatten(-1, (2, -1)).transpose(-2, -3) for p in "qkv")
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(-2, -3).flatten(-2)
        return (mixed @ s[f"{name}.fc.weight"].T + s[f"{name}.fc.bias"]).movedim(-2, axis).movedim(-1, 1)

    def residual(stack: str, x: Tensor) -> Tensor:
        for i in range(2):
            b = f"{stack}.{i}.block"
            y = convolve(f"{b}.2", norm(s, f"{b}.0", x, 1e-5).relu())
            y = norm(s, f"{b}.6", convolve(f"{b}.5", norm(s, f"{b}.3", y, 1e-5).relu()), 1e-5).relu()
            x = x + sum(attend(f"{b}.8.attn_{a}", y, 1 + "thw".index(a)) for a in "wht")
        return norm(s, f"{stack}.2", x, 1e-5).relu()

    x = convolve("encoder.convs.0", clip, 2).relu()
    x = convolve("encoder.conv_last", convolve("encoder.convs.1", x, 2).relu())
    z = convolve("pre_vq_conv", residual("encoder.res_stack", x)).movedim(1, -1)
    codes = (z[..., None, :] - s["codebook.embeddings"]).square().sum(-1).argmin(-1)
    x = convolve("post_vq_conv", s["codebook.embeddings"][codes].movedim(-1, 1))
    x = residual("decoder.res_stack", x)
    for i, layer in enumerate(("decoder.convts.0.convt", "decoder.convts.1.convt")):
        x = F.conv_transpose3d(x.relu() if i else x, s[f"{layer}.weight"], s[f"{layer}.bias"], 2, 1)
    return codes, x


def test_the_vq_vae_computes_what_is_written_about_it() -> None:
    with torch.device("meta"):
        model = VQVAE(embedding_dim=48, n_codes=160, n_hiddens=64, n_res_layers=2)
    state, clip = narrow(model), clip_of(8, 12, 20)
    codes, rebuilt = vqvae(state, clip)
    (loss, found, quantized), _ = run(model, state, clip, [])
    assert len(codes.unique()) > 4
    assert quantized["encodings"].equal(codes)
    torch.testing.assert_close(found, rebuilt, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(loss, (rebuilt - clip).square().mean() / 0.06)
