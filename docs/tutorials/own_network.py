# %% [markdown]
# # Your network in ten minutes
#
# Any PyTorch module that takes clips (B, C, T, H, W) will do. This one is small and untrained, so that the
# page is made in seconds; put your own in its place.

# %%
import torch
from torch import nn

import kinetoscope as ks

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv3d(3, 6, 5, padding=2),
    nn.ReLU(),
    nn.Conv3d(6, 8, 3, padding=1),
    nn.AdaptiveAvgPool3d(1),
    nn.Flatten(),
)
card = ks.ModelCard(clip=(8, 32, 48), mean=(0.45,), std=(0.225,))

# %% [markdown]
# The card says what your data loader does to a clip before the network sees it: its size (frames, height,
# width) and the normalization. A wrong mean or a swapped channel order shows as wrong colours, so it is the
# first thing to get right.
#
# ## Where can one look?
#
# From input to output, with what one unit sees of the clip:

# %%
for row in ks.list_layers(model, card):
    field = row.receptive_field
    print(
        f"{row.name:3} {row.type:18} {row.units} units, map {row.map_shape}, "
        f"sees {field.frames}x{field.height}x{field.width}"
    )

# %% [markdown]
# ## Look
#
# Two units of the second convolution. `watch` is told the response at every step, for a curve while it
# grows.

# %%
curve = []
results = ks.visualize(
    model,
    "2",
    [0, 5],
    card=card,
    steps=40,
    seeds=1,
    watch=lambda unit, step, response: curve.append((unit, step, response)),
)
results

# %%
print(results[0])
grown = [response for unit, step, response in curve if unit == 0]
print(f"unit 0: {grown[0]:.3f} at the first step, {grown[-1]:.3f} at the last of {len(grown)}")

# %% [markdown]
# TensorBoard shows the same curves while a long search runs:

# %%
from torch.utils.tensorboard import SummaryWriter

with SummaryWriter("runs/tutorial") as board:

    def watch(unit, step, response):
        board.add_scalar(f"response/{unit}", response, step)

    (found,) = ks.visualize(model, "2", [3], card=card, steps=20, seeds=1, watch=watch)
    board.add_images("optimal/3", found.video)

# %% [markdown]
# ## Keep it
#
# `save` writes pictures, films, arrays and numbers; the page opens from disk.

# %%
page = results.save("out")
sorted(file.name for file in (page.parent / "2" / "0").iterdir())

# %%
again = ks.load_result("out/2/0")
print(again.motion.label, again.decomposition.velocity.shape, round(again.activation["optimal"], 3))

# %% [markdown]
# On the command line the network is named by the function that makes it, and the card goes with it:
#
#     kinetoscope visualize path/to/file.py:factory 2 --units 0,5 --out out
#     kinetoscope redo out/2/0/unit.json --out again
#
# Odd inputs and outputs (flow, several pathways, recurrent parts, tokens):
# [your own network](../own-network.md).
