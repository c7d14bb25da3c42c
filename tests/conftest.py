"""What tests share, `reference/shared.py`, for the processes that run tests: one that only hands them out need
not import torch for it.
"""

import pytest


@pytest.hookimpl(trylast=True)  # what enforces annotations comes before what it enforces them in
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        config.pluginmanager.import_plugin("shared")
