"""Tables for people, on stdout."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ..errors import one_line


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head; no cell is shortened when the output is not a terminal."""
    table = Table(box=None, pad_edge=False)
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(one_line, row))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=max(80, 4 * sum(map(len, head)) + 400))
    console.print(table)
