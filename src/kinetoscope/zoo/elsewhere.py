"""Networks that other packages register, by the entry-point group `kinetoscope.models`.

In the other package's `pyproject.toml`, a name and a factory as a user would write it for the command line:

    [project.entry-points."kinetoscope.models"]
    mynet = "mypackage.networks:mynet"
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

GROUP = "kinetoscope.models"


@cache
def registered_elsewhere() -> dict[str, EntryPoint]:
    """The entry points by name; nothing of them is imported before it is asked for."""
    return {point.name: point for point in entry_points(group=GROUP)}
