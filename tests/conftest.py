"""What tests share lies in `reference/shared.py`: who only hands tests out need not import torch."""

import pytest


@pytest.hookimpl(trylast=True)  # what enforces annotations comes before what it enforces them in
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        config.pluginmanager.import_plugin("shared")
