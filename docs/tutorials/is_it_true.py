# %% [markdown]
# # Is it true?
#
# A picture of an optimum is easily believed. Three questions, each with an answer in numbers. Sizes and
# steps are small here, so that the page is made in a minute.
#
# ## Is the picture about this unit?
#
# Other seeds should drive the unit as well; the picture of its neighbour, of redrawn weights or of a dead
# unit should not.

# %%
import kinetoscope as ks

model = ks.load_model("motion13")
found = ks.check_sanity(model, "conv3b", 5, size=(8, 32, 32), steps=40, seed=0)
for check in found.checks:
    print(f"{check.group:18} {check.name:20} drives the unit: {check.numbers['drives_unit']:.2f}")

# %% [markdown]
# `drives_unit` is the gain of each picture in *this* unit, as a share of its own: near 1 for seeds, near 0
# or below for everything that is not the unit's.
#
# ## Does planted motion come back?
#
# A film whose motion is known: a texture that drifts to the right by half a pixel a frame.

# %%
import torch

y, x = torch.meshgrid(torch.arange(32.0), torch.arange(48.0), indexing="ij")
film = (
    torch.stack([((x - 0.5 * t) / 3).sin() * ((y + x - 0.5 * t) / 4).cos() for t in range(10)])[:, None] / 2
    + 0.5
)
parts = ks.decompose(film)
print("planted (0.50, 0.00), found", [round(v, 2) for v in parts.velocity.mean(dim=(0, 2, 3)).tolist()])

# %% [markdown]
# `kinetoscope evaluate planted` does so for families of motion, light, patches and occlusion, beside the
# published formulation.
#
# ## Does the unit itself agree?
#
# Ask it with drifting gratings, which have nothing to do with how the picture was made.

# %%
(picture,) = ks.visualize(model, "conv3b", [5], size=(8, 32, 32), steps=40, seeds=1)
tuning = ks.tune(model, "conv3b", [5], size=(8, 32, 32))
measured = tuning.units[0].gratings
print(f"picture: {picture.motion.label}, {picture.motion.direction_deg:.0f} degrees")
print(f"gratings: {measured.direction_deg:.0f} degrees, direction selectivity {measured.dsi:.2f}")

# %% [markdown]
# Where the selectivity is near 0 the unit does not care which way a grating goes, and an angle says
# nothing. More units, and their own textures in place of gratings: [tuning](../tuning.md); how far all
# this has been checked: [evaluation](../evaluation.md).
