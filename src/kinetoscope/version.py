"""The version of this package, as it was installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("kinetoscope")
except PackageNotFoundError:  # run out of a folder that was not installed
    __version__ = "unknown"
