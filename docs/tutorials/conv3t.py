# %% [markdown]
# # Motion in the weights: 3T convolutions
#
# A `Conv3T` is a `Conv3d` whose kernel is its first slice, moved on from frame to frame by a scale, a
# rotation and a shift. What it has learned about motion can be read off its parameters. Here the motion is
# written in, and then found again in two ways.

# %%
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.tconv import convert
from kinetoscope.tconv.read import read_motion

layer = ks.Conv3T(3, 1, kernel_size=(5, 11, 11), padding=(2, 5, 5))
y, x = torch.meshgrid(torch.linspace(-1, 1, 11), torch.linspace(-1, 1, 11), indexing="ij")
with torch.no_grad():
    patch = (6 * x).cos() * (-(x**2 + y**2) * 2).exp()
    layer.first_weight.copy_((patch - patch.mean())[None, None, None].expand_as(layer.first_weight))
    # sampling goes left, so content goes right: 0.2 of half the kernel, 1 pixel a frame
    layer.translate_x.fill_(-0.2)

# %%
(motion,) = read_motion(nn.Sequential(layer))
print("content moves by", motion.content[2, 0].tolist(), "pixels a frame along x")
print("middle of the content, slice by slice:", [round(p, 2) for p in motion.path_px[:, 0, 0].tolist()])

# %% [markdown]
# Does the film that excites it most move the same way? It knows nothing of the parameters.

# %%
(result,) = ks.visualize(
    nn.Sequential(layer), "0", [0], card=ks.ModelCard(clip=(8, 32, 48)), start="noise", steps=60, seeds=1
)
print(result.motion.label, f"{result.motion.speed_px_per_frame:.2f} pixels a frame")

# %%
# %matplotlib inline
result.plot()

# %% [markdown]
# ## An ordinary network
#
# Slices and trajectories can be fitted to any `Conv3d`. `explained` is how much of the kernels they
# reproduce, `still` how much one unmoving slice would: read the motion where the first is clearly above the
# second.

# %%
plain = nn.Conv3d(3, 1, (5, 11, 11))
with torch.no_grad():
    plain.weight.copy_(layer.weight)
found = convert(plain)
print(
    f"explained {float(found.layers[0].explained):.3f}, by a still slice {float(found.layers[0].still):.3f}"
)

# %% [markdown]
# Networks of 3T convolutions by name, training them, tables and pictures: [3T convolutions](../tconv.md).
