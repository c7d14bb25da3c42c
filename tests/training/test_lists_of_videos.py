"""Lists of videos that contradict themselves are refused, naming the line or the video."""

from pathlib import Path

import pytest

from kinetoscope.errors import SettingInvalid
from kinetoscope.training.datasets import list_jester, list_ucf101


def jester(folder: Path, train: str, validation: str | None = None) -> Path:
    (folder / "jester-v1-labels.csv").write_text("Up\nDown\n")
    (folder / "jester-v1-train.csv").write_text(train)
    if validation is not None:
        (folder / "jester-v1-validation.csv").write_text(validation)
    return folder


def ucf(folder: Path, train: str, test: str) -> Path:
    lists = folder / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 A\n2 B\n")
    (lists / "trainlist01.txt").write_text(train)
    (lists / "testlist01.txt").write_text(test)
    return folder


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        ("1;Up\n1;Down\n", None, "name '1' with two labels, 'Up' and 'Down'"),
        ("1;Up\n1;Down\n", "2;Up\n", "name '1' with two labels"),
        ("1;Up\n2;Down\n", "1;Up\n", "name '1' for training and for validation"),
        ("1;Up\n2;Down\n", "1;Down\n", "name '1' with two labels"),
        ("1;Up\n", "2;Up\n2;Up\n", "name '2' twice for validation"),
        ("../1;Up\n", "2;Up\n", "the line '../1;Up'"),
        (f"1;Up\n2;{'x' * 200_000}\n", None, "field larger than field limit"),
    ],
)
def test_a_jester_list_that_contradicts_itself(
    tmp_path: Path, train: str, validation: str | None, said: str
) -> None:
    with pytest.raises(SettingInvalid) as caught:
        list_jester(jester(tmp_path, train, validation))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("A/x.avi 2\n", "B/y.avi\n", "A is number 1 in classInd.txt"),
        ("A/x.avi 0\n", "B/y.avi\n", "A is number 1 in classInd.txt"),
        ("A/x.avi 1\nB/z.avi 2\n", "A/x.avi\n", "name 'x.avi' for training and for validation"),
        ("A/x.avi 1\n", "B/y.avi\nB/y.avi\n", "name 'y.avi' twice for validation"),
    ],
)
def test_a_ucf101_list_that_contradicts_itself(tmp_path: Path, train: str, test: str, said: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        list_ucf101(ucf(tmp_path, train, test))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "said"), [("1 A\n2 B\n3 A\n", "names A twice"), ("", "names no classes")]
)
def test_classes_that_cannot_be_told_apart(tmp_path: Path, classes: str, said: str) -> None:
    folder = ucf(tmp_path, "A/x.avi 1\n", "B/y.avi\n")
    (folder / "ucfTrainTestlist" / "classInd.txt").write_text(classes)
    with pytest.raises(SettingInvalid, match=said):
        list_ucf101(folder)
    jester(tmp_path, "1;Up\n")
    (tmp_path / "jester-v1-labels.csv").write_text("Up\nDown\nUp\n")
    with pytest.raises(SettingInvalid, match="names Up twice"):
        list_jester(tmp_path)


def test_a_list_in_another_encoding_is_told(tmp_path: Path) -> None:
    jester(tmp_path, "1;Up\n")
    (tmp_path / "jester-v1-train.csv").write_text("1;Up\n", encoding="utf-16")
    with pytest.raises(SettingInvalid, match="is no text in UTF-8"):
        list_jester(tmp_path)


def test_a_video_listed_twice_for_training_is_there_twice(tmp_path: Path) -> None:
    found = list_jester(jester(tmp_path, "a_1-b;Up\na_1-b;Up\n2;Down\n", "3;Up\n"))
    assert [video.path.name for video in found.train] == ["a_1-b", "a_1-b", "2"]


def test_sound_lists_are_read(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    assert len(list_jester(jester(tmp_path / "j", "1;Up\n2;Down\n", "3;Up\n")).train) == 2
    found = list_ucf101(ucf(tmp_path, "A/x.avi 1\nB/x.avi 2\n", "A/a 7.avi\nB/c.avi 2\n"))
    assert [video.label for video in (*found.train, *found.validation)] == [0, 1, 0, 1]
