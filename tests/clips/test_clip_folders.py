"""Below a folder, everything that can be read as a clip is found, once, and nothing is passed over unsaid."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
from clip_files import animation, film, smooth
from PIL import Image as PillowImage

from kinetoscope.clips.folder import find_clips
from kinetoscope.clips.frames import CLIP_SUFFIXES
from kinetoscope.clips.video import read_video
from kinetoscope.errors import VideoUnreadable
from kinetoscope.render.frames import encode_gif, encode_mp4


def array(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, smooth())
    return path


def test_linked_folders_are_searched_and_loops_end(tmp_path: Path) -> None:
    elsewhere = array(tmp_path / "disk" / "deep" / "a.npy").parents[1]
    clips = array(tmp_path / "clips" / "b.npy").parent
    (clips / "linked").symlink_to(elsewhere)
    (clips / "again").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(clips)
    (clips / "same.npy").symlink_to(clips / "b.npy")
    (clips / "lost.npy").symlink_to(clips / "none.npy")
    found = find_clips(clips)
    assert [file.relative_to(clips) for file in found.files] == [Path("again/deep/a.npy"), Path("b.npy")]
    assert {file.name: reason for file, reason in found.skipped.items()} == {
        "same.npy": "a link to a clip that is there already",
        "lost.npy": "a link to nothing",
    }


@pytest.mark.parametrize(
    ("suffix", "kind", "codec"),
    [
        (".mpg", "mpeg", "mpeg1video"),
        (".m4v", "mp4", "mpeg4"),
        (".wmv", "asf", "wmv2"),
        (".asf", "asf", "wmv2"),
        (".flv", "flv", "flv"),
        (".f4v", "mp4", "mpeg4"),
        (".ts", "mpegts", "mpeg2video"),
        (".mts", "mpegts", "mpeg2video"),
        (".m2v", "mpeg2video", "mpeg2video"),
        (".vob", "vob", "mpeg2video"),
        (".3gp", "3gp", "mpeg4"),
        (".MP4", "mp4", "mpeg4"),
        (".qt", "mov", "mpeg4"),
        (".ogv", "ogg", "libtheora"),
    ],
)
def test_what_the_reader_takes_is_found(tmp_path: Path, suffix: str, kind: str, codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of av has no {codec}")
    clip = smooth(5, 48, 64)
    if codec in ("mpeg1video", "mpeg2video"):
        path = film(
            tmp_path / f"a{suffix}", clip, codec, kind,
            prepare=lambda stream: setattr(stream.codec_context, "framerate", 25),
        )  # fmt: skip
    else:
        path = film(tmp_path / f"a{suffix}", clip, codec, kind)
    assert find_clips(tmp_path).files == [path]
    assert len(read_video(path)) == 5


def test_everything_else_is_listed_with_a_reason(tmp_path: Path) -> None:
    array(tmp_path / "a.npy")
    PillowImage.fromarray(smooth()[0]).save(tmp_path / "frame.png")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "no suffix").touch()
    (tmp_path / ".hidden.npy").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    found = find_clips(tmp_path)
    assert [file.name for file in found.files] == ["a.npy"]
    assert {file.name: reason for file, reason in found.skipped.items()} == {
        "frame.png": "a still picture",
        "notes.txt": "no clip by its name",
        "no suffix": "no clip by its name",
        "pipe.mp4": "no plain file",
    }
    (tmp_path / "a.npy").unlink()
    with pytest.raises(
        VideoUnreadable, match=r"no videos below .*frame.png' is a still picture.* 1 more.*\.3gp"
    ):
        find_clips(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everywhere")
def test_a_folder_without_permission_is_listed(tmp_path: Path) -> None:
    array(tmp_path / "a.npy")
    (tmp_path / "closed").mkdir(mode=0o000)
    assert "cannot be listed" in find_clips(tmp_path).skipped[tmp_path / "closed"]


def test_what_this_program_drew_is_left_out_wherever_it_lies(tmp_path: Path) -> None:
    array(tmp_path / "a.npy")
    animation(tmp_path / "own.gif", smooth())
    film(tmp_path / "own.mp4", smooth(), "mpeg4", "mp4")
    (tmp_path / "1.mp4").write_bytes(encode_mp4(smooth()))
    (tmp_path / "top.gif").write_bytes(encode_gif(smooth()))
    found = find_clips(tmp_path)
    assert [file.name for file in found.files] == ["a.npy", "own.gif", "own.mp4"]
    assert {file.name for file in found.skipped} == {"1.mp4", "top.gif"}


def test_the_folder_of_the_results_is_left_out(tmp_path: Path) -> None:
    array(tmp_path / "a.npy")
    array(tmp_path / "out" / "b.npy")
    assert [file.name for file in find_clips(tmp_path, without=tmp_path / "out").files] == ["a.npy"]
    assert len(find_clips(tmp_path, without=tmp_path).files) == 2
    assert len(find_clips(tmp_path).files) == 2


def test_a_film_instead_of_a_folder_is_told(tmp_path: Path) -> None:
    array(tmp_path / "a.npy")
    with pytest.raises(VideoUnreadable, match="is a file; give the folder that it lies in"):
        find_clips(tmp_path / "a.npy")


def test_suffixes_are_small_letters() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in CLIP_SUFFIXES)
