"""The JSON file that ends a run: what was asked for, what came out, and whether it lies there already."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..records import plain, unwritable, write_json
from ..render.files import peak_memory_mb


def is_recorded(path: Path, request: Mapping[str, Any]) -> bool:
    """Whether `path` ends a run of the same request."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("request") == plain(request)


def begin_record(path: Path) -> None:
    """Take the old record away: while its files change, a folder must not look finished."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def end_record(path: Path, request: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Write what was found, the request it answers, and the largest memory of the process so far (MiB)."""
    write_json(path, {**found, "request": request, "peak_memory_mb": peak_memory_mb()})
