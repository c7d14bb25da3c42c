"""The bundled network: a small C3D-style classifier of thirteen motions, trained on procedural clips.

Plain 3D convolutions and ReLU in the manner of C3D (Tran et al. 2015, Learning Spatiotemporal Features
with 3D Convolutional Networks). Batch normalization is folded away after training; pooling averages, for
smooth gradients.
"""

from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..types import MOTION_LABELS, VideoBatch
from ..weights.bundled import fill_bundled
from .init import he_normal

CARD = ModelCard(
    clip=(16, 64, 64),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    class_names=MOTION_LABELS,
    frames_per_second=8.0,
    output_layer="fc",
    citation="trained by kinetoscope.training.motion13",
)
WEIGHTS = "motion13.safetensors"


class Motion13(nn.Module):
    """Six convolutions and one linear layer; its 13 outputs are plain logits, ordered as `MOTION_LABELS`.

    Takes normalized clips (B, 3, T, H, W): 16 frames of 64 x 64 as trained. Others of at least 8 frames and
    16 x 16 pixels work too, since the last pooling gives 4 x 4 places whatever the size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 24, (3, 6, 6), stride=(1, 2, 2), padding=(1, 2, 2))
        self.relu1 = nn.ReLU()
        self.pool1 = nn.AvgPool3d((1, 2, 2))
        self.conv2 = nn.Conv3d(24, 32, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.AvgPool3d(2)
        self.conv3a = nn.Conv3d(32, 64, 3, padding=1)
        self.relu3a = nn.ReLU()
        self.conv3b = nn.Conv3d(64, 64, 3, padding=1)
        self.relu3b = nn.ReLU()
        self.pool3 = nn.AvgPool3d(2)
        self.conv4a = nn.Conv3d(64, 96, 3, padding=1)
        self.relu4a = nn.ReLU()
        self.conv4b = nn.Conv3d(96, 96, 3, padding=1)
        self.relu4b = nn.ReLU()
        # the places are kept: expansion and rotation are told by where each direction is
        self.pool4 = nn.AdaptiveAvgPool3d((1, 4, 4))
        self.fc = nn.Linear(96 * 16, len(MOTION_LABELS))
        he_normal(self)

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch 13"]:
        """Give the logit of each motion, (B, 13)."""
        x = self.pool1(self.relu1(self.conv1(clips)))
        x = self.pool2(self.relu2(self.conv2(x)))
        x = self.pool3(self.relu3b(self.conv3b(self.relu3a(self.conv3a(x)))))
        x = self.pool4(self.relu4b(self.conv4b(self.relu4a(self.conv4a(x)))))
        return self.fc(x.flatten(1))


def build_motion13() -> Motion13:
    """The network with random weights, from torch's global generator."""
    return Motion13()


def load_bundled() -> Motion13:
    """The network with the weights that ship with the package, in evaluation mode, float32.

    Raises:
        ModelUnusable: the weights file is missing from the installation.
    """
    model = Motion13()
    fill_bundled(model, WEIGHTS)
    return model
