"""The command line. Nothing heavy is imported until a verb runs; nobody imports this package."""

import os

# Read when torch and matplotlib are imported. Waiting threads that spin make two programs on one machine many
# times slower, and nothing here is ever drawn on a screen, whatever a notebook has set.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["MPLBACKEND"] = "agg"

from .command import main

__all__ = ["main"]
