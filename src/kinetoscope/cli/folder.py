"""The folder a run writes into: can it be written, and does the machine have what is asked of it?"""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import torch

from ..errors import SettingInvalid
from ..files import only_one_in, unwritable


@contextlib.contextmanager
def writable_folder(out: Path, *, alone: bool = True) -> Iterator[None]:
    """Make the folder and prove that files can be made there; it goes again if it stays empty.

    Args:
        out: the folder of a run.
        alone: keep other runs out of it; false where something else does.

    Raises:
        OutputUnwritable: naming the folder and the reason.
        SettingInvalid: another run is writing there.
    """
    missing: list[Path] = []
    probe = out / f".{uuid.uuid4().hex}.part"
    try:
        try:
            missing = [folder for folder in (out, *out.parents) if _is_absent(folder)]
            out.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except (OSError, ValueError) as error:  # ValueError: a null byte in the name
            raise unwritable(probe.parent / "index.html", error) from error
        with only_one_in(out) if alone else contextlib.nullcontext():
            yield
    finally:
        for folder in missing:
            with contextlib.suppress(OSError, ValueError):
                folder.rmdir()  # removes empty folders only


def _is_absent(folder: Path) -> bool:
    try:
        return not folder.exists()
    except OSError:  # of a name that is too long
        return True


def ensure_device(name: str) -> None:
    """Raise SettingInvalid unless torch knows the device and this machine has it."""
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()  # meta and its like hold no numbers
    except (RuntimeError, AssertionError, ImportError) as error:
        raise SettingInvalid(f"device {name!r} does not work here; try cpu") from error
