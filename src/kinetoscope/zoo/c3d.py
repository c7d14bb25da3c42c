"""C3D (Tran et al. 2015, Learning Spatiotemporal Features with 3D Convolutional Networks), Sports-1M.

Layer by layer what DavideA/c3d-pytorch computes, whose published state dict fits as it is.
"""

from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..types import VideoBatch
from .init import he_normal
from .labels import class_names

CARD = ModelCard(
    clip=(16, 112, 112),
    value_range=(0.0, 255.0),  # not divided, and no mean taken away
    class_names=class_names("sports1m"),
    frames_per_second=25.0,
    output_layer="fc8",
    suggested_layers=("conv1", "conv2", "conv3b", "conv4b", "conv5b", "fc8"),
    citation="Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015; "
    "weights: DavideA/c3d-pytorch",
)


class C3D(nn.Module):
    """Eight convolutions and three linear layers; gives class probabilities, `fc8` the logits.

    Takes clips (B, 3, T, H, W) of values 0 to 255 that leave 1 x 4 x 4 places behind `pool5`: 16 to 31 frames
    of 96 to 127 pixels a side. `relu` and `dropout` serve several layers, as in the published code.
    """

    def __init__(self, num_classes: int = 487) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, 3, padding=1)
        self.pool1 = nn.MaxPool3d((1, 2, 2))
        self.conv2 = nn.Conv3d(64, 128, 3, padding=1)
        self.pool2 = nn.MaxPool3d(2)
        self.conv3a = nn.Conv3d(128, 256, 3, padding=1)
        self.conv3b = nn.Conv3d(256, 256, 3, padding=1)
        self.pool3 = nn.MaxPool3d(2)
        self.conv4a = nn.Conv3d(256, 512, 3, padding=1)
        self.conv4b = nn.Conv3d(512, 512, 3, padding=1)
        self.pool4 = nn.MaxPool3d(2)
        self.conv5a = nn.Conv3d(512, 512, 3, padding=1)
        self.conv5b = nn.Conv3d(512, 512, 3, padding=1)
        # not ceil mode, which gives the same shape and other values
        self.pool5 = nn.MaxPool3d(2, padding=(0, 1, 1))
        self.fc6 = nn.Linear(512 * 4 * 4, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        self.dropout = nn.Dropout(0.5)
        self.relu = nn.ReLU()
        self.softmax = nn.Softmax(dim=1)

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch classes"]:
        """Give the probability of each class, (B, classes)."""
        x = self.pool1(self.relu(self.conv1(clips)))
        x = self.pool2(self.relu(self.conv2(x)))
        x = self.pool3(self.relu(self.conv3b(self.relu(self.conv3a(x)))))
        x = self.pool4(self.relu(self.conv4b(self.relu(self.conv4a(x)))))
        x = self.pool5(self.relu(self.conv5b(self.relu(self.conv5a(x)))))
        # one row a clip: the published view(-1, 8192) answers for a larger clip as if it were several
        x = self.dropout(self.relu(self.fc6(x.flatten(1))))
        x = self.dropout(self.relu(self.fc7(x)))
        return self.softmax(self.fc8(x))


def build_c3d(num_classes: int = 487) -> C3D:
    """The network with random weights, from torch's global generator."""
    model = C3D(num_classes)
    he_normal(model)
    return model
