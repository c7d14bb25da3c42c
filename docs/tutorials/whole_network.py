# %% [markdown]
# # A whole network: atlas and gallery
#
# `kinetoscope atlas NETWORK --out DIR` looks at every unit of every layer, in as many processes as there
# are processors; it can be stopped and goes on. Here: four units of two layers, in few steps.

# %%
import csv
import subprocess
from pathlib import Path

few = "--layers conv1,conv3b --units 0-3 --size 8x32x32 --steps 30 --seeds 1"
command = f"kinetoscope atlas motion13 {few} --out atlas"
print(subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout)

# %% [markdown]
# All numbers of all units are in one table (and in `index.sqlite`):

# %%
rows = list(csv.DictReader(Path("atlas/units.csv").read_text().splitlines()))
for row in rows:
    print(row["layer"], row["unit"], row["motion_label"], f"{float(row['activation_optimal']):.2f}")

# %% [markdown]
# Each unit has a strip of pictures: the optimal input over time, its texture, and its motion.

# %%
from PIL import Image

strips = [Image.open(f"atlas/{row['layer']}/{row['unit']}/tile.webp").convert("RGB") for row in rows]
sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height + 4 for s in strips)), "white")
top = 0
for strip in strips:
    sheet.paste(strip, (0, top))
    top += strip.height + 4
sheet

# %% [markdown]
# The gallery is a site on top of it, to search, filter by direction and any number, and compare two
# networks; it opens from disk.

# %%
print(subprocess.run(["kinetoscope", "gallery", "atlas"], capture_output=True, text=True, check=True).stdout)

# %% [markdown]
# Engines (Ray, SLURM), what is kept of a unit, merging: [the atlas](../atlas.md). What one can do in the
# gallery: [the gallery](../gallery.md).
