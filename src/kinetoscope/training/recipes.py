"""Recipes: all that decides a training run, as a small TOML file."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import SettingInvalid, closest

DATA_SETS = ("motion", "appearance", "jester", "ucf101")
PROCEDURAL = ("motion", "appearance")
PRECISIONS = ("fp32", "bf16")

_FOLDER = resources.files(__package__) / "recipes"


@dataclass(frozen=True)
class ModelRecipe:
    """Which network is trained, and what it starts from.

    Attributes:
        name: as `load_model` takes it; registered networks get as many outputs as there are classes.
        weights: as `load_model` takes it: `random`, a file, or `default`: of a factory, as it made them.
        pretrained: file with the weights of a two-dimensional network, to be inflated; "" for none.
    """

    name: str = ""
    weights: str = "random"
    pretrained: str = ""


@dataclass(frozen=True)
class DataRecipe:
    """What it is trained with.

    Attributes:
        name: one of `DATA_SETS`.
        folder: where the files of jester or ucf101 lie, in their official layout.
        split: of ucf101: 1, 2 or 3.
        classes: of the procedural sets: which of their classes, in order; none for all.
        frames, height, width: of the clips, frames and pixels; `frames` 1 for stills (appearance only).
        stride: from one frame taken to the next, frames.
        clips: training clips in an epoch; 0 for each training video once. Between two epochs stands a
            checkpoint: smaller epochs lose less when a run is killed.
        validation_clips: of the procedural sets.
        endless: whether the procedural sets make new clips in each epoch.
        clean: whether they leave out jitter, flicker, noise and occluders.
        crop: smallest side of the random crops, as a share of the frame; 1 for none.
        flip: whether half of the training clips are mirrored left and right, and their classes with them.
    """

    name: str = ""
    folder: str = ""
    split: int = 1
    classes: tuple[str, ...] = ()
    frames: int = 16
    height: int = 64
    width: int = 64
    stride: int = 1
    clips: int = 0
    validation_clips: int = 0
    endless: bool = True
    clean: bool = False
    crop: float = 1.0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.name not in DATA_SETS:
            raise SettingInvalid(f"data.name is {', '.join(DATA_SETS)}, not {self.name!r}")
        _at_least(1, self, "data", "frames", "height", "width", "stride")
        _at_least(0, self, "data", "clips", "validation_clips")
        if not 0 < self.crop <= 1:
            raise SettingInvalid(f"data.crop is above 0 and at most 1, not {self.crop}")
        if self.split not in (1, 2, 3):
            raise SettingInvalid(f"data.split is 1, 2 or 3, not {self.split}")
        if self.name in PROCEDURAL:
            _at_least(1, self, "data", "clips", "validation_clips")
            if self.flip or self.crop != 1 or self.stride != 1:
                raise SettingInvalid(
                    f"data.flip, crop and stride are for videos; {self.name} makes clips as they are wanted, "
                    "so leave them out"
                )
        elif not self.folder:
            raise SettingInvalid(f"data.folder is empty; say where {self.name} lies: --set data.folder=DIR")
        elif self.classes or self.validation_clips:
            raise SettingInvalid(
                "data.classes and validation_clips are for procedural sets; leave them out with videos"
            )
        if self.frames < 2 and self.name != "appearance":
            raise SettingInvalid(f"data.frames is at least 2 for {self.name}, not {self.frames}")


@dataclass(frozen=True)
class LoopRecipe:
    """How it is trained: AdamW, a short warm-up, then half a cosine down.

    Attributes:
        epochs: at most so many.
        patience: epochs in a row without a better validation that end the run; 0 for never.
        batch: clips a step, on each device.
        learning_rate: the highest.
        warmup: share of the steps in which it rises.
        trajectory_rate: step size of the trajectories of 3T layers, as a multiple of that of the rest.
        weight_decay: of kernels and other matrices; never of the trajectories of 3T layers.
        clip_gradient: largest norm of the gradient; 0 for any.
        precision: of the network's arithmetic, one of `PRECISIONS`.
        workers: processes that read clips; 0 for none beside the main one.
    """

    epochs: int = 10
    patience: int = 0
    batch: int = 32
    learning_rate: float = 1e-3
    warmup: float = 0.05
    trajectory_rate: float = 1.0
    weight_decay: float = 0.01
    clip_gradient: float = 1.0
    precision: str = "fp32"
    workers: int = 0

    def __post_init__(self) -> None:
        _at_least(1, self, "training", "epochs", "batch")
        _at_least(0, self, "training", "patience", "weight_decay", "clip_gradient", "workers")
        for name in ("learning_rate", "trajectory_rate"):
            if getattr(self, name) <= 0:
                raise SettingInvalid(f"training.{name} is above 0, not {getattr(self, name)}")
        if not 0 <= self.warmup < 1:
            raise SettingInvalid(f"training.warmup is a share from 0 to below 1, not {self.warmup}")
        if self.precision not in PRECISIONS:
            raise SettingInvalid(f"training.precision is {' or '.join(PRECISIONS)}, not {self.precision!r}")


@dataclass(frozen=True)
class Recipe:
    """All that decides a run: the same recipe, device kind and versions give the same network.

    Attributes:
        seed: of weights, order, clips and whatever else is drawn.
        model, data, training: see there.
    """

    model: ModelRecipe
    data: DataRecipe
    seed: int = 0
    training: LoopRecipe = field(default_factory=LoopRecipe)

    def __post_init__(self) -> None:
        _at_least(0, self, "", "seed")
        if self.seed >= 2**63:
            raise SettingInvalid(f"seed is below 2^63, not {self.seed}")
        if not self.model.name:
            raise SettingInvalid("model.name is missing; name a network as `kinetoscope models` lists them")


_SECTIONS = {"model": ModelRecipe, "data": DataRecipe, "training": LoopRecipe}


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with kinetoscope."""
    return tuple(sorted(f.name.removesuffix(".toml") for f in _FOLDER.iterdir() if f.name.endswith(".toml")))


def bundled_recipe(name: str) -> str:
    """The text of one of `recipe_names`.

    Raises:
        SettingInvalid: there is none of that name.
    """
    if name not in recipe_names():
        raise SettingInvalid(f"no recipe is called {name!r}; closest: {closest(name, recipe_names())}")
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def recipe_text(path: Path) -> str:
    """The text of a recipe in a file.

    Raises:
        SettingInvalid: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise SettingInvalid(
            f"recipe {str(path)!r} cannot be read ({reason}); give a TOML file, or --recipe NAME"
        ) from error


def parse_recipe(text: str, changes: Iterable[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        text: TOML: `seed`, and the tables `model`, `data` and `training`; keys as the dataclasses have them.
        changes: further settings as `section.key=value`; the value is TOML, or else taken as a string.

    Raises:
        SettingInvalid: no TOML, an unknown key (the closest one is named), a value of the wrong type or out
            of range.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingInvalid(f"the recipe is no TOML: {error}; mend that line") from error
    for change in changes:
        _apply(tree, change)
    sections: dict[str, Any] = {name: tree.pop(name, {}) for name in _SECTIONS}
    parts = {}
    for name, kind in _SECTIONS.items():
        if not isinstance(sections[name], dict):
            raise SettingInvalid(f"{name} is a table of settings, not {sections[name]!r}; write [{name}]")
        parts[name] = kind(**_checked(sections[name], _defaults(kind), f"{name}."))
    return Recipe(**parts, **_checked(tree, {"seed": 0}, "", known=("seed", *_SECTIONS)))


def as_toml(recipe: Recipe) -> str:
    """A recipe as TOML with every setting spelled out; `parse_recipe` reads it back."""
    lines = [f"seed = {recipe.seed}"]
    for name in _SECTIONS:
        lines += ["", f"[{name}]"]
        section = getattr(recipe, name)
        lines += [f"{f.name} = {_written(getattr(section, f.name))}" for f in fields(section)]
    return "\n".join(lines) + "\n"


def differences(one: Recipe, other: Recipe) -> list[str]:
    """Which settings differ, as `section.key`."""
    found = ["seed"] if one.seed != other.seed else []
    for name in _SECTIONS:
        a, b = getattr(one, name), getattr(other, name)
        found += [f"{name}.{f.name}" for f in fields(a) if getattr(a, f.name) != getattr(b, f.name)]
    return found


def _apply(tree: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    *sections, name = key.strip().split(".")
    if not equals or not name or len(sections) > 1:
        raise SettingInvalid(f"{change!r} is no setting; write section.key=value, e.g. training.epochs=5")
    try:
        given = tomllib.loads(f"x = {value.strip()}")["x"]
    except tomllib.TOMLDecodeError:
        given = value
    place = tree.setdefault(sections[0], {}) if sections else tree
    if not isinstance(place, dict):
        raise SettingInvalid(f"{sections[0]} is no table, so {key} cannot be set; known tables: model, data")
    place[name] = given


def _defaults(kind: type) -> dict[str, Any]:
    assert is_dataclass(kind)
    return {f.name: f.default for f in fields(kind)}


def _checked(
    given: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str, known: Iterable[str] = ()
) -> dict[str, Any]:
    """The settings given, each of its default's type."""
    checked: dict[str, Any] = {}
    for key, value in given.items():
        if key not in defaults:
            near = closest(key, known or defaults, 1)
            raise SettingInvalid(f"a recipe has no setting {prefix}{key}; closest: {prefix}{near}")
        kind = type(defaults[key])
        if kind is float and type(value) is int:
            value = float(value)
        if kind is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
            value = tuple(value)
        if type(value) is not kind:
            wanted = {
                tuple: "a list of strings",
                str: "a string",
                bool: "true or false",
                int: "a whole number",
            }
            raise SettingInvalid(f"{prefix}{key} is {wanted.get(kind, 'a number')}, not {value!r}")
        checked[key] = value
    return checked


def _at_least(least: int, section: object, name: str, *keys: str) -> None:
    for key in keys:
        if getattr(section, key) < least:
            where = f"{name}.{key}" if name else key
            raise SettingInvalid(f"{where} is at least {least}, not {getattr(section, key)}")


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_written(v) for v in value)}]"
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
        return f'"{escaped}"'
    return repr(value)
