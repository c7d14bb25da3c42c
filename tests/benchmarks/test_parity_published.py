"""Every published network beside digests of what its authors' code computes, from the same numbers."""

import json

import pytest
from outside import needs, outside

from parity import COMPARISONS, load_fill

FOLDER = outside("checkpoints")
pytestmark = needs("checkpoints")


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_recorded_layer_is_reproduced(name: str) -> None:
    manifest = json.loads((FOLDER / f"{name}.json").read_text())
    errors = COMPARISONS[name](manifest, load_fill(FOLDER))
    assert len(errors) >= 9
    assert {layer: error for layer, error in errors.items() if not error <= 1e-4} == {}
