"""What pictures say."""

import pytest
from matplotlib.figure import Figure
from PIL import ImageDraw
from white import leave_white


@pytest.fixture(autouse=True)
def white_figures() -> None:
    """They are painted here."""


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not where no figure is looked at."""
    monkeypatch.setattr(Figure, "savefig", leave_white)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that Pillow draws from here on."""
    words, text = [], ImageDraw.ImageDraw.text

    def keep(self: ImageDraw.ImageDraw, place: object, said: str, *rest: object, **options: object) -> None:
        words.append(said)
        text(self, place, said, *rest, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", keep)
    return words
