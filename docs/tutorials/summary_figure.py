# %% [markdown]
# # Reading a summary figure
#
# One class of the bundled network, whose right answer is known: "counter-clockwise" ought to turn that way.

# %%
import kinetoscope as ks

model = ks.load_model("motion13")
(result,) = ks.visualize(model, "fc", ["counter-clockwise"], seed=0)
print(result)

# %%
# %matplotlib inline
result.plot()

# %% [markdown]
# **Top: pictures.** The optimal input is the film that excites the unit most; the texture is one still
# image of its content; the motion says where that content goes from frame to frame, hue for the direction
# (red right, yellow-green up, cyan left, violet down) and brightness for the speed, with the wheel and its
# scale beside it. The reconstruction is the texture, moved by the motion: where it looks like the optimal
# input, texture and motion tell all that there is.
#
# **Then: numbers.** They answer three questions, in this order.
#
# ## 1. Was anything found?

# %%
{name: round(value, 2) for name, value in result.activation.items()}

# %% [markdown]
# `optimal` should be far above `random_input`, and `reconstruction` near `optimal`: then the split into
# texture and motion has not missed what the unit answers to. The label is `dead` or `flat` where nothing
# was found.
#
# ## 2. Does motion matter to it?
#
# `static_only`, `reversed` and `shuffled` are the same unit's responses to the texture standing still, to
# the film backwards, and to its frames in another order. The indices put them on scales that do not depend
# on the layer:

# %%
{name: None if value is None else round(value, 2) for name, value in result.indices.items()}

# %% [markdown]
# `motion_dependence` near 1: nothing is left without motion. `direction_index` near 1: only forward drives
# the unit. A unit with a motion dependence near 0 has a motion in its picture as decoration.
#
# ## 3. Is the motion well described, and does another seed find it too?

# %%
print({name: round(share, 2) for name, share in result.decomposition.variance_explained.items()})
print(result.motion.label, f"turning {result.motion.rotation_per_frame:.3f} radians per frame")
print("labels from three seeds:", result.confidence.labels)

# %% [markdown]
# The large `coherent` share says that a motion which accumulates over time explains the film; `light` is
# change of brightness, `jitter` a motion that goes nowhere, `residual` what nothing explains. Turning is
# positive counter-clockwise, as one sees it.
#
# Every sign, axis and unit: [conventions](../conventions.md). What each number can and cannot show:
# [how far to trust it](../truth.md).
