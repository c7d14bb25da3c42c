"""LeNet as MatConvNet has it for MNIST: the network that Rafegas & Vanrell 2015 decode (section 4).

Layers carry the paper's numbers: convolutions 1, 3, 5 and 7, max pooling 2 and 4, the only ReLU is 6; its
softmax, layer 8, belongs to the loss.
"""

from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..weights.bundled import fill_bundled

CARD = ModelCard(
    clip=(1, 28, 28),
    channels=1,
    mean=(0.13,),
    std=(0.31,),
    class_names=tuple("0123456789"),
    output_layer="conv7",
    citation="LeCun et al. 1998 as in MatConvNet; trained by kinetoscope.training.lenet",
)
WEIGHTS = "lenet.safetensors"


class LeNet(nn.Module):
    """Four convolutions; the ten outputs are plain logits of the digits 0 to 9.

    Takes normalized pictures (B, 1, 28, 28), or clips of one frame (B, 1, 1, 28, 28).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.conv3 = nn.Conv2d(20, 50, 5)
        self.pool4 = nn.MaxPool2d(2)
        self.conv5 = nn.Conv2d(50, 500, 4)
        self.relu6 = nn.ReLU()
        self.conv7 = nn.Conv2d(500, 10, 1)

    def forward(self, pictures: Float[Tensor, "batch 1 *frame 28 28"]) -> Float[Tensor, "batch 10"]:
        """Give the logit of each digit, (B, 10)."""
        x = pictures.squeeze(2) if pictures.ndim == 5 else pictures
        x = self.pool4(self.conv3(self.pool2(self.conv1(x))))
        return self.conv7(self.relu6(self.conv5(x))).flatten(1)


def build_lenet() -> LeNet:
    """The network with random weights, from torch's global generator."""
    return LeNet()


def load_bundled() -> LeNet:
    """The network with the weights that ship with the package, in evaluation mode, float32.

    Raises:
        ModelUnusable: the weights file is missing from the installation.
    """
    model = LeNet()
    fill_bundled(model, WEIGHTS)
    return model
