"""The clips below a folder: everything that can be read as one, and why each other file is left out."""

import os
from pathlib import Path
from typing import NamedTuple

from ..errors import VideoUnreadable, listed
from .frames import CLIP_SUFFIXES, FRAME_SUFFIXES, is_made_here


class Clips(NamedTuple):
    """What lies below a folder.

    Attributes:
        files: the clips, in order of their paths.
        skipped: every other file and unreadable folder that is not hidden, and why.
    """

    files: list[Path]
    skipped: dict[Path, str]


def find_clips(folder: Path, without: Path | None = None) -> Clips:
    """The clips below a folder, through links to other folders as well, each once.

    Films that this program drew are left out, or the finds of one search would win the next.

    Args:
        folder: where to look.
        without: a folder below it that is left out, such as the one results go to.

    Raises:
        VideoUnreadable: there is none; with what there is instead.
    """
    if folder.is_file():
        raise VideoUnreadable(f"{str(folder)!r} is a file; give the folder that it lies in")
    files: list[Path] = []
    skipped: dict[Path, str] = {}
    seen: set[Path] = set()

    def unreadable(error: OSError) -> None:
        skipped[Path(error.filename)] = f"a folder that cannot be listed ({error.strerror})"

    left_out = None if without is None else without.resolve()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        here = Path(place)
        if here.resolve() in seen or (here != folder and here.resolve() == left_out):
            folders.clear()
            continue
        seen.add(here.resolve())
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(here / name for name in names if not name.startswith(".")):
            if reason := _no_clip(file, seen):
                skipped[file] = reason
            else:
                files.append(file)
    if not files:
        words = listed([f"{str(file)!r} is {reason}" for file, reason in skipped.items()], 3)
        raise VideoUnreadable(
            f"no videos below {str(folder)!r}{f' ({words})' if words else ''}; "
            f"give a folder of {', '.join(sorted(CLIP_SUFFIXES))}"
        )
    return Clips(sorted(files), skipped)


def _no_clip(file: Path, seen: set[Path]) -> str:
    """Why a file is no clip to be searched; "" where it is one, which is then noted as seen."""
    suffix = file.suffix.lower()
    if not file.is_file():
        return "a link to nothing" if file.is_symlink() else "no plain file"
    if suffix not in CLIP_SUFFIXES:
        return "a still picture" if suffix in FRAME_SUFFIXES else "no clip by its name"
    if file.resolve() in seen:
        return "a link to a clip that is there already"
    if is_made_here(file):
        return "a film that kinetoscope drew"
    seen.add(file.resolve())
    return ""
