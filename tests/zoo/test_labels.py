import pytest

from kinetoscope.errors import SettingInvalid
from kinetoscope.units.unit import parse_units
from kinetoscope.zoo.labels import DATASETS, class_names

COUNTS = {"jester": 27, "kinetics400": 400, "sports1m": 487, "ucf101": 101}


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_name_is_plain_unique_and_finds_its_unit(dataset: str) -> None:
    names = class_names(dataset)
    assert len(names) == len(set(names)) == COUNTS[dataset]
    assert all(name and name == name.strip() for name in names)
    assert [parse_units(name, len(names), names) for name in names] == [[i] for i in range(len(names))]


def test_the_order_is_that_of_the_published_outputs() -> None:
    assert class_names("kinetics400")[:2] == ("abseiling", "air drumming")
    assert class_names("kinetics400")[399] == "zumba"
    assert class_names("ucf101")[100] == "YoYo"
    assert class_names("sports1m")[486] == "model aircraft"
    assert class_names("jester")[0] == "Swiping Left"


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(SettingInvalid, match=r"kinetics400.* not for 'kinetics'"):
        class_names("kinetics")
