import json

import pytest
import torch
from outside import needs, outside
from torch import nn
from torch.nn.functional import conv3d, pad

from kinetoscope.units.layers import list_layers
from kinetoscope.units.tap import tap
from kinetoscope.zoo.vqvae import (
    CARD,
    VQVAE,
    AxialAttention,
    Codebook,
    SamePadConv3d,
    SamePadConvTranspose3d,
    build_vqvae,
)
from parity import load_fill

FOLDER = outside("checkpoints")


def small() -> VQVAE:
    torch.manual_seed(5)
    net = VQVAE(embedding_dim=6, n_codes=9, n_hiddens=8, n_res_layers=1, downsample=(2, 4, 4)).eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return net


def test_names_and_sizes_are_the_published_ones() -> None:
    with torch.device("meta"):
        net = build_vqvae()
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert len(shapes) == 283
    assert sum(p.numel() for p in net.parameters()) == 21_141_619
    assert shapes["encoder.convs.0.conv.weight"] == (240, 3, 4, 4, 4)
    assert shapes["encoder.res_stack.3.block.8.attn_t.fc.bias"] == (240,)
    assert shapes["decoder.convts.1.convt.weight"] == (240, 3, 4, 4, 4)
    assert shapes["codebook.z_avg"] == shapes["codebook.embeddings"] == (2048, 256)


def test_the_odd_zero_is_in_front() -> None:
    torch.manual_seed(0)
    layer = SamePadConv3d(2, 3, 4, (1, 2, 3))  # 3, 2 and 1 zeros along t, y, x
    x = torch.randn(1, 2, 5, 6, 9)
    want = conv3d(pad(x, (1, 0, 1, 1, 2, 1)), layer.conv.weight, layer.conv.bias, (1, 2, 3))
    torch.testing.assert_close(layer(x), want)
    assert layer(x).shape == (1, 3, 5, 3, 3)


def test_the_transposed_convolution_doubles_where_its_stride_is_two() -> None:
    torch.manual_seed(0)
    layer = SamePadConvTranspose3d(2, 3, 4, (2, 2, 2))
    plain = nn.ConvTranspose3d(2, 3, 4, 2, padding=1)
    plain.load_state_dict(layer.convt.state_dict())
    x = torch.randn(1, 2, 3, 4, 5)
    torch.testing.assert_close(layer(x), plain(x))
    assert SamePadConvTranspose3d(2, 3, 4, (1, 2, 2))(x).shape == (1, 3, 3, 8, 10)


def test_attention_mixes_one_axis_only() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(2, 3, 4, 5, 6, 7, dtype=torch.float64) for _ in range(3)]
    for axis in (2, 3, 4):
        found = AxialAttention(axis)(*parts)
        q, k, v = (part.movedim(axis, -2).reshape(-1, part.shape[axis], 7) for part in parts)
        rows = [(q[i] @ k[i].T / 7**0.5).softmax(1) @ v[i] for i in range(len(q))]
        want = torch.stack(rows).view_as(parts[2].movedim(axis, -2)).movedim(-2, axis)
        torch.testing.assert_close(found, want)


def test_every_place_gets_the_nearest_code() -> None:
    torch.manual_seed(0)
    book = Codebook(11, 4).eval()
    z = torch.randn(2, 4, 3, 5, 6, requires_grad=True)
    found = book(z)
    places = z.detach().movedim(1, -1)
    want = torch.cdist(places.reshape(-1, 4), book.embeddings).argmin(1).view(2, 3, 5, 6)
    assert found["encodings"].equal(want)
    torch.testing.assert_close(found["embeddings"].movedim(1, -1), book.embeddings[want])
    loss = (places - book.embeddings[want]).square().mean() / 4
    torch.testing.assert_close(found["commitment_loss"], loss)
    counts = want.flatten().bincount(minlength=11) / want.numel()
    entropy = -(counts[counts > 0] * counts[counts > 0].log()).sum()
    torch.testing.assert_close(found["perplexity"], entropy.exp(), rtol=1e-4, atol=0)
    gradient = torch.randn_like(z)
    found["embeddings"].backward(gradient)
    assert z.grad.equal(gradient)  # straight through


def test_forward_is_encode_then_decode_and_changes_nothing() -> None:
    net = small()
    clip = torch.rand(2, 3, 6, 8, 12) - 0.5
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with torch.no_grad():
        loss, rebuilt, quantized = net(clip)
        codes = net.encode(clip)
        assert codes.shape == (2, 3, 2, 3)
        assert codes.equal(quantized["encodings"])
        torch.testing.assert_close(net.decode(codes), rebuilt, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(loss, (rebuilt - clip).square().mean() / 0.06)
        net.train()
        net.codebook(torch.rand(1, 6, 2, 3, 4))
    assert rebuilt.shape == clip.shape
    codebook = {name: tensor for name, tensor in net.state_dict().items() if name.startswith("codebook.")}
    assert all(tensor.equal(before[name]) for name, tensor in codebook.items())


def test_gradients_reach_the_clip_from_every_suggested_kind_of_layer() -> None:
    net = small()
    for layer in ("encoder.convs.0", "encoder.res_stack.0.block.8", "pre_vq_conv", "codebook", "decoder"):
        clip = (torch.rand(1, 3, 4, 8, 12) - 0.5).requires_grad_()
        with tap(net, layer) as forward:
            forward(clip)[:, 1].mean().backward()
        assert bool(clip.grad.isfinite().all())
        assert clip.grad.abs().max() > 0, layer


def test_the_card_names_layers_that_are_reached() -> None:
    with torch.device("meta"):
        rows = {row.name: row for row in list_layers(build_vqvae(), CARD)}
    assert set(CARD.suggested_layers) <= rows.keys()
    assert rows[CARD.output_layer].output_shape == (256, 4, 32, 32)
    assert rows["decoder"].output_shape == (3, 16, 128, 128)


@needs("checkpoints")
def test_codes_are_those_of_the_authors_but_for_near_ties() -> None:
    manifest, fill = json.loads((FOLDER / "videogpt_vqvae.json").read_text()), load_fill(FOLDER)
    net = build_vqvae().eval()
    net.load_state_dict(
        {name: torch.from_numpy(fill.tensor(name, *about[:2])) for name, *about in manifest["tensors"]}
    )
    wanted = manifest["codes"]["A"]
    with torch.inference_mode():
        loss, _, found = net(torch.from_numpy(fill.clip("input-A", (1, 3, 16, 64, 64), -0.5)))
    codes, ties = torch.tensor(wanted["flat"]), wanted["positions_with_relative_margin_below_1e-4"]
    assert found["encodings"].shape == tuple(wanted["shape"])
    differing = (found["encodings"].flatten() != codes).nonzero().flatten().tolist()
    assert set(differing) <= set(ties)
    for number, name in (
        (loss, "recon_loss"),
        (found["commitment_loss"], "commitment_loss"),
        (found["perplexity"], "perplexity"),
    ):
        assert float(number) == pytest.approx(wanted[name], rel=1e-2 if differing else 1e-5)
