"""Lists of labelled videos, as the publishers of UCF-101 and Jester lay them out."""

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import SettingInvalid, closest, listed
from ..zoo.labels import class_names

HELD_OUT = 10
"""Where nothing is set aside for validation, one video in so many is: the same ones every time."""


# a training list has the class's number behind each name, and names may have spaces
_NUMBERED = re.compile(r"\s+\d+$")


@dataclass(frozen=True)
class LabelledVideo:
    """A video that has not been looked at yet: it may be missing or damaged.

    Attributes:
        path: film or folder of frames.
        label: index into the class names.
    """

    path: Path
    label: int


@dataclass(frozen=True)
class VideoList:
    """The videos of a data set, split as its publishers did.

    Attributes:
        class_names: in the order of a classifier's outputs.
        train, validation: no video is in both; one listed twice for training is there twice.
    """

    class_names: tuple[str, ...]
    train: tuple[LabelledVideo, ...]
    validation: tuple[LabelledVideo, ...]


def list_ucf101(folder: Path, split: int = 1) -> VideoList:
    """UCF-101 (Soomro et al. 2012): `UCF-101/CLASS/*.avi`, and the lists in `ucfTrainTestlist`.

    Args:
        folder: holds both folders.
        split: 1, 2 or 3: `trainlist01.txt` and `testlist01.txt` and so on. Test videos serve for validation.

    Raises:
        SettingInvalid: a list is missing or a line of it makes no sense.
    """
    lists = folder / "ucfTrainTestlist"
    numbered = [line.split(maxsplit=1) for line in _lines(lists / "classInd.txt")]
    if [row[0] for row in numbered if len(row) == 2] != [str(n + 1) for n in range(len(numbered))]:
        raise SettingInvalid(f"{lists / 'classInd.txt'} is not `1 NAME`, `2 NAME`, ...; fetch it again")
    names = _distinct(lists / "classInd.txt", [row[1] for row in numbered])
    parts = []
    for kind in ("train", "test"):
        file = lists / f"{kind}list{split:02}.txt"
        videos = []
        for line in _lines(file):
            place = PurePosixPath(_NUMBERED.sub("", line).replace("\\", "/"))
            if len(place.parts) != 2 or ".." in place.parts or place.parts[0] not in names:
                near = closest(place.parts[0], names, 1)
                raise SettingInvalid(
                    f"{file} has the line {line!r}, not CLASS/VIDEO of a class in classInd.txt; "
                    f"closest: {near}"
                )
            label = names.index(place.parts[0])
            # without a suffix the number may be the name's own
            numbered_as = _NUMBERED.search(line) if place.suffix else None
            if numbered_as and int(numbered_as[0]) != label + 1:
                raise SettingInvalid(
                    f"{file} has the line {line!r}, but {names[label]} is number {label + 1} in "
                    "classInd.txt; fetch both lists again"
                )
            videos.append(LabelledVideo(folder / "UCF-101" / place, label))
        parts.append(tuple(videos))
    return _unambiguous(VideoList(names, *parts), lists)


def list_jester(folder: Path) -> VideoList:
    """Jester (Materzynska et al. 2019): folders `20bn-jester-v1/ID` of frames 00001.jpg and so on.

    `jester-v1-train.csv` has lines `ID;LABEL`. Classes stand in `jester-v1-labels.csv`; without it they are
    the published 27. Without `jester-v1-validation.csv` a tenth of the training videos is held out, chosen by
    their IDs.

    Raises:
        SettingInvalid: a list is missing, or names an unknown class.
    """
    labels = folder / "jester-v1-labels.csv"
    names = _distinct(labels, _lines(labels)) if labels.is_file() else class_names("jester")
    train = _jester_rows(folder, "jester-v1-train.csv", names)
    if (folder / "jester-v1-validation.csv").is_file():
        validation = _jester_rows(folder, "jester-v1-validation.csv", names)
        return _unambiguous(VideoList(names, train, validation), folder)
    _unambiguous(VideoList(names, train, ()), folder)
    held_out = [_is_held_out(video.path.name) for video in train]
    return VideoList(
        names,
        tuple(video for video, out in zip(train, held_out, strict=True) if not out),
        tuple(video for video, out in zip(train, held_out, strict=True) if out),
    )


def _jester_rows(folder: Path, name: str, names: tuple[str, ...]) -> tuple[LabelledVideo, ...]:
    videos = []
    try:
        rows = [*csv.reader(_lines(folder / name), delimiter=";")]
    except csv.Error as error:
        raise SettingInvalid(
            f"{str(folder / name)!r} is no list of ID;LABEL, one a line ({error}); fetch it again"
        ) from error
    for fields in rows:
        row = [field.strip() for field in fields]
        if len(row) != 2 or not _is_plain(row[0]) or row[1] not in names:
            near = closest(row[-1], names, 1)
            raise SettingInvalid(
                f"{folder / name} has the line {';'.join(row)!r}, not ID;LABEL of a known class; "
                f"closest: {near}"
            )
        videos.append(LabelledVideo(folder / "20bn-jester-v1" / row[0], names.index(row[1])))
    return tuple(videos)


def _is_plain(name: str) -> bool:
    """Whether it names something in the folder itself, and nothing elsewhere."""
    return name not in ("", ".", "..") and name.isprintable() and not {"/", "\\"} & set(name)


def _distinct(file: Path, names: list[str]) -> tuple[str, ...]:
    """The same names.

    Raises:
        SettingInvalid: there are none, or one is there twice.
    """
    if not names:
        raise SettingInvalid(f"{str(file)!r} names no classes; fetch it again")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingInvalid(f"{str(file)!r} names {listed(twice)} twice; give every class a name of its own")
    return tuple(names)


def _unambiguous(found: VideoList, lists: Path) -> VideoList:
    """The same list; who names a video twice for training wants it twice as often.

    Raises:
        SettingInvalid: a video is named with two labels, in both lists, or twice for validation.
    """
    seen: dict[Path, tuple[int, str]] = {}
    for kind, part in (("training", found.train), ("validation", found.validation)):
        for video in part:
            if video.path not in seen:
                seen[video.path] = (video.label, kind)
                continue
            label, where = seen[video.path]
            if label != video.label:
                names = f"{found.class_names[label]!r} and {found.class_names[video.label]!r}"
                what = f"with two labels, {names}"
            elif where == kind == "training":
                continue
            else:
                what = "twice for validation" if where == kind else "for training and for validation"
            raise SettingInvalid(
                f"the lists in {str(lists)!r} name {video.path.name!r} {what}; take one of the lines out"
            )
    return found


def present(found: VideoList, folder: Path) -> tuple[VideoList, tuple[str, ...]]:
    """The videos of a list that are there, and a line for each that is not.

    Raises:
        SettingInvalid: a class has no video left to train or to validate with; naming what is missing.
    """
    every = (*found.train, *found.validation)
    absent = {video.path for video in every if not video.path.exists()}
    lines = tuple(f"no video at {str(path)!r}" for path in sorted(absent))
    parts = []
    for part in (found.train, found.validation):
        kept = tuple(video for video in part if video.path not in absent)
        gone = sorted({video.label for video in part} - {video.label for video in kept})
        if gone:
            names = listed([found.class_names[label] for label in gone])
            paths = listed([str(path) for path in sorted(absent)])
            raise SettingInvalid(
                f"{len(absent)} of {len(every)} videos in the lists are missing from {str(folder)!r}, "
                f"among them all of {names}: {paths}; complete the folder, or shorten the lists"
            )
        parts.append(kept)
    return VideoList(found.class_names, *parts), lines


def _is_held_out(name: str) -> bool:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % HELD_OUT == 0


def _lines(file: Path) -> list[str]:
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise SettingInvalid(f"{str(file)!r} is no text in UTF-8; save it as such") from error
    except OSError as error:
        raise SettingInvalid(
            f"{str(file)!r} cannot be read ({error.strerror}); "
            "data.folder is the one that holds it in the official layout"
        ) from error
    return [line for line in lines if line]
