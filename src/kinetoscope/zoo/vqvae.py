"""The 3D VQ-VAE of VideoGPT (Yan et al. 2021, VideoGPT: Video Generation using VQ-VAE and Transformers).

Convolutions shrink the clip by four along t, y and x; residual blocks with axial attention follow; every
place is replaced by the nearest of 2048 codes; a mirror image of the encoder makes the clip again. Names,
padding and outputs are those of the authors' code (wilson1yan/VideoGPT). What belongs to training alone, the
codebook's moving averages and its start from data, is left out: a forward pass never changes the codebook.
"""

from math import log2

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..card import ModelCard
from ..types import VideoBatch
from .init import he_normal

CARD = ModelCard(
    clip=(16, 128, 128),
    value_range=(-0.5, 0.5),
    frames_per_second=25.0,
    output_layer="pre_vq_conv",
    suggested_layers=(
        "encoder.convs.0",
        "encoder.convs.1",
        "encoder.conv_last",
        "encoder.res_stack.1",
        "encoder.res_stack.3",
        "pre_vq_conv",
    ),
    citation="Yan, Zhang, Abbeel, Srinivas 2021, VideoGPT: Video Generation using VQ-VAE and Transformers, "
    "arXiv:2104.10157; code: github.com/wilson1yan/VideoGPT",
)

Triple = tuple[int, int, int]
Map = Float[Tensor, "batch features t h w"]
Resized = Float[Tensor, "batch out_features t2 h2 w2"]
Codes = Int[Tensor, "batch t h w"]


def _pads(kernel: tuple[int, ...], stride: Triple) -> list[int]:
    """Zeros for `F.pad` (w, h, t): an odd one goes in front, unlike TensorFlow's SAME."""
    pads = []
    for total in (k - s for k, s in reversed(list(zip(kernel, stride, strict=True)))):
        pads += [total - total // 2, total // 2]
    return pads


class SamePadConv3d(nn.Module):
    """A convolution that divides the size by its stride; the size must be a multiple of it."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: Triple = (1, 1, 1),
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel_size, stride, bias=bias)
        self.pad_input = _pads(self.conv.kernel_size, stride)

    def forward(self, x: Map) -> Resized:
        """(B, C, T, H, W) to (B, out_channels, T / t, H / h, W / w) for a stride (t, h, w)."""
        return self.conv(F.pad(x, self.pad_input))


class SamePadConvTranspose3d(nn.Module):
    """A transposed convolution that multiplies the size by its stride."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: Triple) -> None:
        super().__init__()
        self.convt = nn.ConvTranspose3d(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size - 1
        )
        self.pad_input = _pads(self.convt.kernel_size, stride)

    def forward(self, x: Map) -> Resized:
        """(B, C, T, H, W) to (B, out_channels, T * t, H * h, W * w) for a stride (t, h, w)."""
        return self.convt(F.pad(x, self.pad_input))


class AxialAttention(nn.Module):
    """Scaled dot-product attention among the places along one axis."""

    def __init__(self, axis: int) -> None:
        """Args: axis: of (B, head, T, H, W, d): 2 is t, 3 is y, 4 is x."""
        super().__init__()
        self.axis = axis

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys, values and result are all (B, head, T, H, W, d)."""
        q, k, v = (part.movedim(self.axis, -2) for part in (q, k, v))
        scores = (q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5
        return (scores.softmax(-1) @ v).movedim(-2, self.axis)


class MultiHeadAttention(nn.Module):
    """Attention of several heads along one axis, on maps with channels last."""

    def __init__(self, width: int, heads: int, axis: int) -> None:
        super().__init__()
        self.w_qs = nn.Linear(width, width, bias=False)
        self.w_ks = nn.Linear(width, width, bias=False)
        self.w_vs = nn.Linear(width, width, bias=False)
        self.fc = nn.Linear(width, width)
        self.attn = AxialAttention(axis)
        self.heads = heads
        for linear in (self.w_qs, self.w_ks, self.w_vs, self.fc):
            nn.init.normal_(linear.weight, std=width**-0.5)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys, values and result are all (B, T, H, W, C)."""
        split = (
            project(x).unflatten(-1, (self.heads, -1)).movedim(-2, 1)
            for project, x in ((self.w_qs, q), (self.w_ks, k), (self.w_vs, v))
        )
        return self.fc(self.attn(*split).movedim(1, -2).flatten(-2))


class AxialBlock(nn.Module):
    """The sum of three attentions: along x, y and t."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn_w = MultiHeadAttention(width, heads, axis=4)
        self.attn_h = MultiHeadAttention(width, heads, axis=3)
        self.attn_t = MultiHeadAttention(width, heads, axis=2)

    def forward(self, x: Map) -> Map:
        """The shape stays."""
        x = x.movedim(1, -1)
        x = self.attn_w(x, x, x) + self.attn_h(x, x, x) + self.attn_t(x, x, x)
        return x.movedim(-1, 1)


class AttentionResidualBlock(nn.Module):
    """A bottleneck of two convolutions and axial attention, added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.BatchNorm3d(width),
            nn.ReLU(),
            SamePadConv3d(width, width // 2, 3, bias=False),
            nn.BatchNorm3d(width // 2),
            nn.ReLU(),
            SamePadConv3d(width // 2, width, 1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            AxialBlock(width, heads=2),
        )

    def forward(self, x: Map) -> Map:
        """The shape stays."""
        return x + self.block(x)


def _res_stack(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(
        *(AttentionResidualBlock(width) for _ in range(blocks)), nn.BatchNorm3d(width), nn.ReLU()
    )


def _strides(factors: Triple) -> list[Triple]:
    """Strides of the convolutions that scale (t, y, x) by powers of two: each halves while it has to."""
    t, y, x = (int(log2(factor)) for factor in factors)
    return [(1 + (t > i), 1 + (y > i), 1 + (x > i)) for i in range(max(t, y, x))]


class Encoder(nn.Module):
    """Clips to maps, smaller by `downsample` along (t, y, x)."""

    def __init__(self, width: int, blocks: int, downsample: Triple) -> None:
        super().__init__()
        strides = _strides(downsample)
        self.convs = nn.ModuleList(
            SamePadConv3d(width if i else 3, width, 4, stride) for i, stride in enumerate(strides)
        )
        self.conv_last = SamePadConv3d(width, width, 3)
        self.res_stack = _res_stack(width, blocks)

    def forward(self, x: VideoBatch) -> Map:
        """(B, 3, T, H, W) to (B, width, T', H', W')."""
        for conv in self.convs:
            x = conv(x).relu()
        return self.res_stack(self.conv_last(x))


class Decoder(nn.Module):
    """Maps to clips, larger by `upsample` along (t, y, x); the result is neither squashed nor clamped."""

    def __init__(self, width: int, blocks: int, upsample: Triple) -> None:
        super().__init__()
        self.res_stack = _res_stack(width, blocks)
        strides = _strides(upsample)
        self.convts = nn.ModuleList(
            SamePadConvTranspose3d(width, 3 if i == len(strides) - 1 else width, 4, stride)
            for i, stride in enumerate(strides)
        )

    def forward(self, x: Map) -> VideoBatch:
        """(B, width, T', H', W') to (B, 3, T, H, W)."""
        x = self.res_stack(x)
        for i, convt in enumerate(self.convts):
            x = convt(x if i == 0 else x.relu())
        return x


class Codebook(nn.Module):
    """Replaces the vector at every place by the nearest code."""

    embeddings: Tensor

    def __init__(self, codes: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("embeddings", torch.randn(codes, dim))
        # counts and sums of the training's moving averages; they are in the published file, and unused here
        self.register_buffer("N", torch.zeros(codes))
        self.register_buffer("z_avg", self.embeddings.clone())

    def forward(self, z: Map) -> dict[str, Tensor]:
        """Quantize (B, dim, T', H', W').

        Returns:
            `embeddings`: the codes' vectors, shaped like z; gradients go straight through to z (van den Oord
            et al. 2017, section 3.2). `encodings`: the codes' numbers, (B, T', H', W').
            `commitment_loss`: a quarter of the mean squared distance. `perplexity`: e to the entropy of the
            codes' use, from 1 to the number of codes.
        """
        flat = z.movedim(1, -1).flatten(end_dim=-2)
        codes = self.embeddings
        distances = (
            (flat**2).sum(1, keepdim=True) - 2 * flat @ codes.t() + (codes.t() ** 2).sum(0, keepdim=True)
        )
        nearest = distances.argmin(1)
        encodings = nearest.view(z.shape[0], *z.shape[2:])
        embeddings = F.embedding(encodings, codes).movedim(-1, 1)
        shares = F.one_hot(nearest, len(codes)).type_as(flat).mean(0)
        return {
            "embeddings": (embeddings - z).detach() + z,
            "encodings": encodings,
            "commitment_loss": 0.25 * F.mse_loss(z, embeddings),
            "perplexity": (-(shares * (shares + 1e-10).log()).sum()).exp(),
        }


class VQVAE(nn.Module):
    """The whole network; takes clips of RGB / 255 - 0.5, each size a multiple of the downsampling."""

    def __init__(
        self,
        *,
        embedding_dim: int = 256,
        n_codes: int = 2048,
        n_hiddens: int = 240,
        n_res_layers: int = 4,
        downsample: Triple = (4, 4, 4),
    ) -> None:
        """Args: as in the authors' code; the defaults are those of `ucf101_stride4x4x4`."""
        super().__init__()
        self.encoder = Encoder(n_hiddens, n_res_layers, downsample)
        self.decoder = Decoder(n_hiddens, n_res_layers, downsample)
        self.pre_vq_conv = SamePadConv3d(n_hiddens, embedding_dim, 1)
        self.post_vq_conv = SamePadConv3d(embedding_dim, n_hiddens, 1)
        self.codebook = Codebook(n_codes, embedding_dim)

    def encode(self, x: VideoBatch) -> Codes:
        """The codes of clips (B, 3, T, H, W)."""
        return self.codebook(self.pre_vq_conv(self.encoder(x)))["encodings"]

    def decode(self, encodings: Codes) -> VideoBatch:
        """Clips (B, 3, T, H, W) from codes."""
        vectors = F.embedding(encodings, self.codebook.embeddings).movedim(-1, 1)
        return self.decoder(self.post_vq_conv(vectors))

    def forward(self, x: VideoBatch) -> tuple[Tensor, VideoBatch, dict[str, Tensor]]:
        """Rebuild clips (B, 3, T, H, W).

        Returns:
            The reconstruction loss (mean squared error over the data's variance, 0.06), the rebuilt clips,
            and what the codebook gave.
        """
        quantized = self.codebook(self.pre_vq_conv(self.encoder(x)))
        rebuilt = self.decoder(self.post_vq_conv(quantized["embeddings"]))
        return F.mse_loss(rebuilt, x) / 0.06, rebuilt, quantized


def build_vqvae() -> VQVAE:
    """The network of `ucf101_stride4x4x4` with random weights, from torch's global generator."""
    model = VQVAE()
    he_normal(model)
    return model
