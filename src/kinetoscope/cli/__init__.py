"""The command line. Nothing heavy is imported until a verb runs; nobody imports this package."""

from .boundary import main

__all__ = ["main"]
