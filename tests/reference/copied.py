"""What processes that tests begin have loaded, being copies of one: summaries are white pages there."""

import fake_run  # noqa: F401
from white import white_page

import kinetoscope.atlas.engines
import kinetoscope.cli.workers
import kinetoscope.training.train  # noqa: F401
from kinetoscope.render import files

files.draw_summary = lambda *_, **__: white_page()
