"""A saved result, read back."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from .files import UNIT_FILE, finished_units
from .records import ARRAYS_FILE, SCHEMA, RecordUnreadable, load_arrays, read_unit
from .results import Confidence, Decomposition, MotionSummary, Optimal, SearchNotes, UnitResult

_ARRAYS = (
    "coherent_velocity",
    "textures",
    "texture_times",
    "light_gain",
    "light_offset",
    "covered",
    "entered",
)
"""What runs of version 0.1.0 lack; `load_arrays` asks for the rest."""

_MEASURED = ("activation", "indices", "confidence", "decomposition", "motion", "history")
_OF_THE_FILE = ("schema", "channels", "colours")

Kind = TypeVar("Kind", SearchNotes, MotionSummary, Confidence)


def load_result(folder: str | Path) -> UnitResult:
    """Read what `save` has written: every array and number as it was.

    Args:
        folder: of one result: DIR/LAYER/UNIT of a run, or what a decomposition was saved into.

    Returns:
        The result, in main memory. Its record holds what is in `unit.json` besides. Numbers that were not
        finite, which a file has as null, are NaN; a PSNR that was infinite is infinite again.

    Raises:
        RecordUnreadable: no finished result lies there, it is damaged, or another version wrote it in a form
            that this one does not know.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> ks.visualize(model, "conv1", 5, size=(6, 16, 24), steps=2, seeds=1).save("out")
        PosixPath('out/index.html')
        >>> result = ks.load_result("out/conv1/5")
        >>> result.decomposition.velocity.shape  # steps, (x, y), rows, columns
        torch.Size([5, 2, 16, 24])
    """
    folder = Path(folder)
    if not (folder / UNIT_FILE).exists():
        raise RecordUnreadable(_why_none(folder))
    record = read_unit(folder)
    schema = record.get("schema")
    if schema is not None and schema != SCHEMA:
        raise RecordUnreadable(
            f"{str(folder)!r} is of schema {schema}, and this version reads schema {SCHEMA}; load it with "
            f"the version that wrote it ({_version_of(record)})"
        )
    arrays = load_arrays(folder)
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise RecordUnreadable(
            f"{str(folder / ARRAYS_FILE)!r} lacks {', '.join(missing)}, as runs of version 0.1.0 "
            "do; run it again"
        )
    try:
        return _result(record, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"lacks {error}" if isinstance(error, KeyError) else "does not fit together"
        raise RecordUnreadable(
            f"{str(folder / UNIT_FILE)!r} {why}; delete the folder and run again"
        ) from error


def _why_none(folder: Path) -> str:
    """What lies in a folder that is no result, and what to give instead."""
    if not folder.is_dir():
        return f"{str(folder)!r} is no folder; give the one of a saved result, DIR/LAYER/UNIT"
    below = finished_units(folder) or sorted(
        (file.parent for file in folder.glob(f"*/{UNIT_FILE}")), key=lambda unit: (len(unit.name), unit.name)
    )
    if below:
        return f"{str(folder)!r} holds {len(below)} results; load them one by one, such as {str(below[0])!r}"
    others = sorted(file.name for file in folder.glob("*.json"))
    if others:
        return (
            f"{str(folder)!r} holds {others[0]}, not {UNIT_FILE}: it is no saved result of a unit or a video"
        )
    return f"{str(folder)!r} has no {UNIT_FILE}, so no finished result lies there; run it, or save one there"


def _version_of(record: Mapping[str, Any]) -> str:
    versions = record.get("versions")
    known = versions.get("kinetoscope") if isinstance(versions, dict) else None
    return f"kinetoscope {known}" if known else "unknown"


def _result(record: Mapping[str, Any], arrays: dict[str, Tensor]) -> UnitResult:
    channels = record.get("channels")
    if channels == 1:  # grey is repeated in the file
        for name in ("optimal_video", "video", "reconstruction", "textures", "light_offset", "given_clip"):
            if name in arrays:
                arrays[name] = arrays[name][:, :1].contiguous()
        arrays["static_image"] = arrays["static_image"][:1].contiguous()
    video = arrays["optimal_video"] if "optimal_video" in arrays else arrays["video"]
    confidence = record.get("confidence")
    return UnitResult(
        video=video,
        decomposition=_decomposition(record, arrays),
        motion=_made(MotionSummary, record["motion"]),
        optimal=_optimal(record, video, arrays) if "optimal_video" in arrays else None,
        activation={name: _number(value) for name, value in record["activation"].items()},
        record={key: record[key] for key in record if key not in (*_MEASURED, *_OF_THE_FILE)},
        indices=record.get("indices") or {},
        confidence=None if confidence is None else _made(Confidence, confidence),
    )


def _optimal(record: Mapping[str, Any], video: Tensor, arrays: Mapping[str, Tensor]) -> Optimal:
    notes = record.get("search")
    return Optimal(
        video=video,
        history=tuple(_number(value) for value in record.get("history") or ()),
        steps=record["steps"],
        seconds=_number(record["seconds"]["optimize"]),
        notes=None if notes is None else _made(SearchNotes, notes),
        alpha=arrays.get("alpha"),
        given=arrays.get("given_clip"),
    )


def _decomposition(record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Decomposition:
    numbers = record["decomposition"]
    return Decomposition(
        static_image=arrays["static_image"],
        displacement=arrays["displacement"],
        velocity=arrays["velocity"],
        coherent_velocity=arrays["coherent_velocity"],
        reconstruction=arrays["reconstruction"],
        textures=arrays["textures"],
        texture_times=tuple(int(t) for t in arrays["texture_times"]),
        light_gain=arrays["light_gain"],
        light_offset=arrays["light_offset"],
        covered=arrays["covered"] != 0,
        entered=arrays["entered"] != 0,
        psnr_db=_number(numbers["psnr_db"], float("inf")),
        single_psnr_db=_number(numbers["single_texture_psnr_db"], float("inf")),
        static_psnr_db=_number(numbers["static_psnr_db"], float("inf")),
        displacement_tv=_number(numbers["displacement_tv"]),
        variance_explained={key: _number(share) for key, share in numbers["variance_explained"].items()},
        change_share=_number(numbers["change_share"]),
        carried=numbers["carried"],
        texture_lifetime_frames=numbers["texture_lifetime_frames"],
        settings=(record.get("settings") or {}).get("decompose") or {},
        seconds=_number(record["seconds"]["decompose"]),
    )


def _number(value: float | None, null: float = float("nan")) -> float:
    return null if value is None else value


def _made(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """A dataclass of numbers and words from its JSON: lists become tuples, unknown keys are left out."""
    known = [part for part in fields(kind) if part.name in values or part.default is MISSING]
    return kind(**{part.name: tuples(values[part.name]) for part in known})


def tuples(value: Any) -> Any:
    """Lists in plain JSON as the tuples they were."""
    return tuple(tuples(item) for item in value) if isinstance(value, list) else value
