"""The official layouts of UCF-101 and Jester, in small."""

import pytest

from kinetoscope.errors import SettingInvalid
from kinetoscope.training.datasets import list_jester, list_ucf101, present
from kinetoscope.training.recipes import DataRecipe
from kinetoscope.training.samples import open_data
from kinetoscope.zoo.labels import class_names


def ucf101(folder):
    lists = folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_text("1 Archery\r\n2 BabyCrawling\r\n")
    for split in (1, 2):
        (lists / f"trainlist0{split}.txt").write_text(
            f"Archery/v_Archery_g08_c01.avi 1\nBabyCrawling/v_BabyCrawling_g09_c0{split}.avi 2\n"
        )
        (lists / f"testlist0{split}.txt").write_text("BabyCrawling/v_BabyCrawling_g01_c01.avi\n\n")
    return folder


def test_ucf101_in_its_official_layout(tmp_path):
    found = list_ucf101(ucf101(tmp_path), 2)
    assert found.class_names == ("Archery", "BabyCrawling")
    assert [(v.path.relative_to(tmp_path).as_posix(), v.label) for v in found.train] == [
        ("UCF-101/Archery/v_Archery_g08_c01.avi", 0),
        ("UCF-101/BabyCrawling/v_BabyCrawling_g09_c02.avi", 1),
    ]
    assert [(v.path.name, v.label) for v in found.validation] == [("v_BabyCrawling_g01_c01.avi", 1)]


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("trainlist01.txt", "Archry/v.avi 1\n", "not CLASS/VIDEO.*closest: Archery"),
        ("testlist01.txt", "../../etc/passwd\n", "not CLASS/VIDEO"),
        ("testlist01.txt", "Archery/../secret\n", "not CLASS/VIDEO"),
        ("classInd.txt", "0 Archery\n1 BabyCrawling\n", "not `1 NAME`"),
        ("classInd.txt", None, "cannot be read.*official layout"),
        ("trainlist01.txt", None, "cannot be read.*official layout"),
    ],
)
def test_ucf101_lists_that_make_no_sense(tmp_path, file, text, told):
    path = ucf101(tmp_path) / "ucfTrainTestlist" / file
    path.write_text(text) if text else path.unlink()
    with pytest.raises(SettingInvalid, match=told):
        list_ucf101(tmp_path, 1)


def test_jester_in_its_official_layout(tmp_path):
    (tmp_path / "jester-v1-train.csv").write_text("34870;Drumming Fingers\n56557;Sliding Two Fingers Right\n")
    (tmp_path / "jester-v1-validation.csv").write_text("9223;Thumb Up\n")
    found = list_jester(tmp_path)
    assert found.class_names == class_names("jester")
    assert [(v.path, found.class_names[v.label]) for v in (*found.train, *found.validation)] == [
        (tmp_path / "20bn-jester-v1" / "34870", "Drumming Fingers"),
        (tmp_path / "20bn-jester-v1" / "56557", "Sliding Two Fingers Right"),
        (tmp_path / "20bn-jester-v1" / "9223", "Thumb Up"),
    ]
    (tmp_path / "jester-v1-labels.csv").write_text("Thumb Up\nDrumming Fingers\nSliding Two Fingers Right\n")
    assert list_jester(tmp_path).class_names[list_jester(tmp_path).train[0].label] == "Drumming Fingers"


def test_jester_without_validation_list_holds_the_same_tenth_out(tmp_path):
    rows = [f"{number};Thumb Up" for number in range(400)]
    (tmp_path / "jester-v1-train.csv").write_text("\n".join(rows))
    found = list_jester(tmp_path)
    assert 20 < len(found.validation) < 60
    assert not {v.path for v in found.train} & {v.path for v in found.validation}
    assert len(found.train) + len(found.validation) == 400
    (tmp_path / "jester-v1-train.csv").write_text("\n".join(reversed(rows[:200])))
    again = {v.path for v in list_jester(tmp_path).validation}
    assert again == {v.path for v in found.validation if int(v.path.name) < 200}


@pytest.mark.parametrize("line", ["1;Thum Up", "1;", "1", "../1;Thumb Up"])
def test_jester_lines_that_make_no_sense(tmp_path, line):
    (tmp_path / "jester-v1-train.csv").write_text(line)
    with pytest.raises(SettingInvalid, match="not ID;LABEL"):
        list_jester(tmp_path)


def test_marks_and_spaces_in_lists_are_no_matter(tmp_path):
    lists = ucf101(tmp_path) / "ucfTrainTestlist"
    (lists / "classInd.txt").write_text("\ufeff1 Archery\r\n2 Baby Crawling\r\n", encoding="utf-8")
    (lists / "trainlist01.txt").write_text(
        "\ufeffArchery/v Archery 1.avi 1\r\nBaby Crawling/v_g09 (2).avi   2\nBaby Crawling\\v 3\n",
        encoding="utf-8",
    )
    (lists / "testlist01.txt").write_text("Baby Crawling/take 7.avi\nArchery/v 12\n")
    found = list_ucf101(tmp_path, 1)
    assert found.class_names == ("Archery", "Baby Crawling")
    assert [(v.path.name, v.label) for v in found.train] == [
        ("v Archery 1.avi", 0),
        ("v_g09 (2).avi", 1),
        ("v", 1),
    ]
    assert [(v.path.name, v.label) for v in found.validation] == [("take 7.avi", 1), ("v", 0)]
    rows = "\ufeff34870; Drumming Fingers\r\n56557 ;Thumb Up\n"
    (tmp_path / "jester-v1-train.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "jester-v1-validation.csv").write_text("\ufeff9223;Thumb Up\n", encoding="utf-8")
    jester = list_jester(tmp_path)
    assert [v.path.name for v in (*jester.train, *jester.validation)] == ["34870", "56557", "9223"]


def touch(found, but=()):
    for video in (*found.train, *found.validation):
        video.path.parent.mkdir(parents=True, exist_ok=True)
        if video.path.name not in but:
            video.path.touch()


def test_what_is_missing_is_counted_once_and_left_out(tmp_path):
    lists = ucf101(tmp_path) / "ucfTrainTestlist"
    many = "".join(f"Archery/v_{n:02}.avi 1\nBabyCrawling/v_{n:02}.avi 2\n" for n in range(20))
    (lists / "trainlist01.txt").write_text(many)
    found = list_ucf101(tmp_path, 1)
    touch(found, but=("v_03.avi",))
    kept, lines = present(found, tmp_path)
    assert len(kept.train) == 38
    assert kept.validation == found.validation
    assert [line.rpartition("/")[2] for line in lines] == ["v_03.avi'"] * 2
    for file in (tmp_path / "UCF-101" / "BabyCrawling").glob("v_[01]*.avi"):
        file.unlink()
    told = (
        r"^21 of 41 videos in the lists are missing from '.*', among them all of BabyCrawling: "
        r".*/Archery/v_03.avi, (\S+, ){3}\S+v_03.avi and 16 more; complete the folder"
    )
    with pytest.raises(SettingInvalid, match=told):
        present(found, tmp_path)


def test_the_seed_decides_nothing_about_missing_videos(tmp_path):
    found = list_ucf101(ucf101(tmp_path), 1)
    touch(found, but=("v_Archery_g08_c01.avi",))
    for seed in range(4):
        with pytest.raises(SettingInvalid, match=r"1 of 3 videos .* all of Archery"):
            open_data(DataRecipe(name="ucf101", folder=str(tmp_path)), seed)
