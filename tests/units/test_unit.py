import pytest

from kinetoscope.errors import SettingInvalid, UnitOutOfRange
from kinetoscope.units.unit import (
    Unit,
    check_position,
    find_unit,
    parse_position,
    parse_size,
    parse_units,
    unit_indices,
)

NAMES = ("still", "up-right", "Eating burger", "still, slowly", "3d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", [0]),
        ("0,3,8-10", [0, 3, 8, 9, 10]),
        (" 4 , 2-3 ", [4, 2, 3]),
        ("3,1,3,0-2", [3, 1, 0, 2]),
        ("all", list(range(12))),
        ("5,all", [5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]),
    ],
)
def test_units_keep_their_order_and_come_once(text: str, expected: list[int]) -> None:
    assert parse_units(text, 12) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("up-right", [1]), ("still,0,eating burger", [0, 2]), ("still, slowly", [3]), ("1-2,still", [1, 2, 0])],
)
def test_class_names_are_units(text: str, expected: list[int]) -> None:
    assert parse_units(text, 5, NAMES) == expected


@pytest.mark.parametrize("text", ["", "0,,3", "5-2", "-1", "3-", "1-2-3", "4-x", " "])
def test_malformed_units_are_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match="units"):
        parse_units(text, 12)


@pytest.mark.parametrize(
    ("text", "said"), [("12", "0 to 11"), ("3-999999999999", "12 units"), ("run", "no names")]
)
def test_units_outside_the_layer_are_named(text: str, said: str) -> None:
    with pytest.raises(UnitOutOfRange, match=said):
        parse_units(text, 12)


def test_an_unknown_class_name_gets_the_closest() -> None:
    with pytest.raises(UnitOutOfRange, match=r"up-rigth.*closest: up-right"):
        parse_units("up-rigth", 5, NAMES)
    assert find_unit("STILL", NAMES) == 0


def test_positions_are_checked_against_the_map_axis_by_axis() -> None:
    assert parse_position(" 1, 4,6") == (1, 4, 6)
    assert check_position((1, 4, 6), (2, 5, 7)) == (1, 4, 6)
    for outside in [(2, 4, 6), (1, 5, 6), (1, 4, 7)]:
        with pytest.raises(UnitOutOfRange, match="2x5x7"):
            check_position(outside, (2, 5, 7))
    with pytest.raises(UnitOutOfRange, match="no map"):
        check_position((0, 0, 0), ())
    assert check_position(parse_position("50"), (100,)) == (50,)
    for position, axes in [((50,), (2, 5, 7)), ((1, 2), (2, 5, 7)), ((1, 2, 3), (100,))]:
        with pytest.raises(SettingInvalid, match="does not fit the layer's map of"):
            check_position(position, axes)
    with pytest.raises(UnitOutOfRange, match="position 100 lies outside the layer's map of 100"):
        check_position((100,), (100,))
    for text in ["1,2,3,4", "1,", "a,b,c", "-1,0,0", ""]:
        with pytest.raises(SettingInvalid, match="T,Y,X"):
            parse_position(text)


def test_sizes_are_frames_height_width() -> None:
    assert parse_size("16x112x96") == parse_size("16\N{MULTIPLICATION SIGN}112X96") == (16, 112, 96)
    for text in ["16x112", "0x8x8", "16,112,112", "axbxc", "1x2x3x4"]:
        with pytest.raises(SettingInvalid, match="TxHxW"):
            parse_size(text)


def test_an_address_reads_well() -> None:
    assert str(Unit("conv3", 4, (1, 2, 3))) == "conv3:4@1,2,3"
    assert str(Unit("fc", 0, name="right")) == "fc:0 (right)"


@pytest.mark.parametrize("units", [3, "3", "down", [3], ["down"], ["3", 3]])
def test_one_unit_or_a_text_does_where_several_do(units):
    assert unit_indices(units, 5, ("up", "left", "right", "down", "still")) == [3]
