"""What results do when they are printed, drawn, shown and saved; see `presenting.Presenter`."""

from pathlib import Path

from matplotlib.figure import Figure

from ..render.contact import contact_figure
from ..render.figure import summary_figure
from ..render.files import save_decomposition, save_unit
from ..render.notebook import sheet_html, show_html, unit_html
from ..render.page import save_all
from ..render.stored import record_of, scale_of
from ..render.words import decomposition_words, result_words
from ..results import Decomposition, Results, UnitResult
from .given import as_result

__all__ = ["html", "plot", "save", "show", "whole", "words"]

whole = as_result


def words(result: UnitResult | Decomposition) -> str:
    """A result, or its decomposition, on one line."""
    return result_words(result) if isinstance(result, UnitResult) else decomposition_words(result)


def save(result: UnitResult | Results, directory: str | Path) -> Path:
    """Write one result, or a list of them with its page; returns the folder, or the page."""
    if isinstance(result, Results):
        return save_all(result, directory)
    return (save_decomposition if result.optimal is None else save_unit)(result, directory)


def plot(result: UnitResult | Results) -> Figure:
    """One result's summary, or a contact sheet."""
    if isinstance(result, Results):
        return contact_figure(result)
    return summary_figure(result, record_of(result), scale_of(result))


def html(result: UnitResult | Results) -> str:
    """The same for a notebook's cell."""
    return sheet_html(result) if isinstance(result, Results) else unit_html(result)


def show(result: UnitResult | Results) -> Path | None:
    """The same in the notebook's cell, elsewhere as a page in the browser; returns the page."""
    return show_html(html(result))
