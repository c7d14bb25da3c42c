# %% [markdown]
# # Filters decoded to the input
#
# Substitution puts, for a unit, the filters it is made of in the place of its weights, layer by layer,
# until there is a picture in the network's input. Nothing is optimized, so it takes milliseconds. The
# bundled LeNet tells digits apart:

# %%
from PIL import Image

import kinetoscope as ks
from kinetoscope.render.decoded import family_picture

lenet = ks.load_model("lenet")
decoded = [ks.decode_filter(lenet, "conv7", digit).decoded for digit in range(10)]
picture = family_picture(
    [(str(digit), filters) for digit, filters in enumerate(decoded)], "LeNet: ten classes, decoded"
)
Image.fromarray(picture)

# %% [markdown]
# Grey is zero, light and dark are what excites and what silences. A decoded filter of a 3D network is a
# film, and can be taken apart like any other:

# %%
model = ks.load_model("motion13")
found = ks.decode_filter(model, "conv2", 3)
parts = ks.decompose(found.video)
print(
    found.decoded.shape, [round(v, 2) for v in parts.velocity.mean(dim=(0, 2, 3)).tolist()], "pixels a frame"
)

# %% [markdown]
# Beside the optimal input of the same unit, which knows of all that lies between:

# %%
(optimum,) = ks.visualize(model, "conv2", [3], size=(8, 32, 32), steps=40, seeds=1)
print(optimum)

# %% [markdown]
# Substitution ignores every rectifier, so it says most where few lie between. Which layers can be decoded,
# how large filters are and how well they stand for the layer: [filters decoded](../decoding.md).
