"""What a training run goes on from: neither a kill nor a full disk ends it for good. And one run a folder."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from ..errors import SettingInvalid
from ..files import only_one_in, unwritable

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
_BESIDE = ".last.ckpt.part"


def save_last(out: Path, save: Callable[[Path], None], leads: bool) -> None:
    """Write `last.ckpt` beside its place first; what stood there becomes `previous.ckpt`.

    Args:
        out: folder of the run.
        save: writes a checkpoint; every process of a run has to call it, the first one alone writes.
        leads: whether this is the first.

    Raises:
        OutputUnwritable: the old ones are still there.
    """
    beside = out / _BESIDE
    try:
        save(beside)
        if leads:
            if (out / LAST).exists():
                (out / LAST).replace(out / PREVIOUS)
            beside.replace(out / LAST)
    except (OSError, RuntimeError) as error:  # torch's own writer raises RuntimeError on a full disk
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise unwritable(out / LAST, error) from error


def last_sound(out: Path, note: Callable[[str], None]) -> Path | None:
    """The checkpoint to go on from: the last, or the one before where the last is broken; None without any.

    Args:
        out: folder of the run.
        note: is told which one is broken.

    Raises:
        SettingInvalid: there is one, and none can be read.
    """
    broken: list[str] = []
    for name in (LAST, PREVIOUS):
        if not (out / name).is_file():
            continue
        if not (why := _fault(out / name)):
            if name == PREVIOUS:
                what = broken[0] if broken else "missing"
                note(f"{out / LAST} is {what}; going on from {name}, an epoch before")
            return out / name
        broken.append(f"broken ({why})")
    if broken:
        raise SettingInvalid(
            f"{out / LAST} is {broken[0]}, and no earlier one can be read; delete it, and start anew"
        )
    return None


def _fault(path: Path) -> str:
    """Why a checkpoint cannot be read; "" where it can."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        torch.serialization.pickle.UnpicklingError,
    ) as error:
        return (str(error).splitlines() or [type(error).__name__])[0][:100]
    return ""


def forget_previous(out: Path) -> None:
    """Of a run that has come to its end only the last is kept."""
    with contextlib.suppress(OSError):
        (out / PREVIOUS).unlink(missing_ok=True)


@contextlib.contextmanager
def only_run_in(out: Path) -> Iterator[None]:
    """Inside, no other process can train into `out`, which is made where it is missing.

    The further processes of a run on several devices do not ask.

    Raises:
        OutputUnwritable: the folder cannot be made.
        SettingInvalid: another one does.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unwritable(out / LAST, error) from error
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    with only_one_in(out, "training") if first else contextlib.nullcontext():
        yield
