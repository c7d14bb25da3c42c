"""Recipes: read, checked, written back; what is wrong is said in one line."""

import pytest

from kinetoscope.errors import SettingInvalid
from kinetoscope.training.recipes import (
    as_toml,
    bundled_recipe,
    differences,
    parse_recipe,
    recipe_names,
    recipe_text,
)

SMALL = """
seed = 3
[model]
name = "resnet18_3t"
[data]
name = "jester"
folder = "a\\"b\\\\c"
flip = true
[training]
learning_rate = 1
"""


def test_a_recipe_is_read_and_written_back():
    recipe = parse_recipe(SMALL)
    assert (recipe.seed, recipe.data.folder, recipe.data.flip) == (3, 'a"b\\c', True)
    assert recipe.training.learning_rate == 1.0
    assert isinstance(recipe.training.learning_rate, float)
    assert parse_recipe(as_toml(recipe)) == recipe
    odd = parse_recipe(SMALL, ["data.folder=tab\there ü\u200b"])
    assert parse_recipe(as_toml(odd)) == odd


def test_changes_are_toml_or_else_strings():
    changes = ["training.epochs = 7", "data.folder=/data/x", "seed=9", 'model.weights="w"', "data.flip=false"]
    recipe = parse_recipe(SMALL, changes)
    assert (recipe.training.epochs, recipe.data.folder, recipe.seed) == (7, "/data/x", 9)
    assert (recipe.model.weights, recipe.data.flip) == ("w", False)
    assert differences(parse_recipe(SMALL), recipe) == [
        *("seed", "model.weights", "data.folder", "data.flip", "training.epochs")
    ]


@pytest.mark.parametrize("name", recipe_names())
def test_bundled_recipes_are_whole(name):
    change = ["data.folder=somewhere"] if name in ("jester", "ucf101") else []
    recipe = parse_recipe(bundled_recipe(name), change)
    assert parse_recipe(as_toml(recipe)) == recipe
    if change:
        with pytest.raises(SettingInvalid, match=r"--set data\.folder=DIR"):
            parse_recipe(bundled_recipe(name))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("training.epoch=3", "no setting training.epoch; closest: training.epochs"),
        ("trainning={}", "no setting trainning; closest: training"),
        ("data.flip=1", "data.flip is true or false, not 1"),
        ("training.epochs=1.5", "training.epochs is a whole number, not 1.5"),
        ("training.epochs=true", "training.epochs is a whole number, not True"),
        ("training.learning_rate=fast", "training.learning_rate is a number, not 'fast'"),
        ("training.learning_rate=0", "training.learning_rate is above 0"),
        ("training.epochs=0", "training.epochs is at least 1, not 0"),
        ("training.precision=fp64", "fp32 or bf16, not 'fp64'"),
        ("data.classes=[1]", "data.classes is a list of strings"),
        ("data.name=kinetics", "motion, appearance, jester, ucf101, not 'kinetics'"),
        ("data.crop=1.5", "data.crop is above 0"),
        ("data.frames=1", "data.frames is at least 2 for jester"),
        ("data.validation_clips=4", "for procedural sets"),
        ("data=3", "data is a table"),
        ("model.name=", "model.name is missing"),
        ("seed=-1", "seed is at least 0"),
        ("epochs", "write section.key=value"),
        ("seed.x=1", "seed is no table"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(change, told):
    with pytest.raises(SettingInvalid) as caught:
        parse_recipe(SMALL, [change])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_procedural_sets_need_sizes_and_no_augmentation():
    text = '[model]\nname = "x"\n[data]\nname = "motion"\n'
    with pytest.raises(SettingInvalid, match=r"data\.clips is at least 1"):
        parse_recipe(text)
    with pytest.raises(SettingInvalid, match="leave them out"):
        parse_recipe(text, ["data.clips=1", "data.validation_clips=1", "data.flip=true"])


def test_files_and_names_that_are_none(tmp_path):
    with pytest.raises(SettingInvalid, match="No such file"):
        recipe_text(tmp_path / "absent.toml")
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(SettingInvalid, match="not UTF-8"):
        recipe_text(tmp_path / "latin")
    with pytest.raises(SettingInvalid, match="closest: motion_3"):
        bundled_recipe("motion3")
    with pytest.raises(SettingInvalid, match=r"no TOML.*line 2"):
        parse_recipe("\nx = ?")
