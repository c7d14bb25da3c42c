"""Options that several verbs share, how a verb gets its own as one object, and how text is read."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from ..errors import SettingInvalid
from ..optimal.expression import is_expression, read_expression
from ..units.unit import parse_size, split_units
from .boundary import set_debug, wrong_usage

if TYPE_CHECKING:
    Context = typer.Context
else:
    Context = typer.Context.__mro__[1]  # what a command is really given
Debug = Annotated[bool, typer.Option("--debug", callback=set_debug, help="Show tracebacks.")]
Contrast = Annotated[
    float | None,
    typer.Option(
        min=0.01, max=0.5, metavar="R", help="RMS about mid grey; 0.2, up to 0.3 where a unit gains by it."
    ),
]
Start = Annotated[
    str,
    typer.Option(
        metavar="noise|bank|CLIP", help="Noise; noise and a bank of stimuli; or a clip's beginning."
    ),
]
Mask = Annotated[
    str | None,
    typer.Option(
        metavar="PARTS",
        help="Where the clip is free: centre:0.5, surround:0.5, frames:4-9, FILE.npy; several with commas.",
    ),
]
Stay = Annotated[
    float | None,
    typer.Option(
        min=0.001, max=0.5, metavar="R", help="With --start CLIP: root mean square of the change at most."
    ),
]
Spectrum = Annotated[
    Path | None,
    typer.Option(metavar="CLIPS", help="With --preset maco: a clip or folder of clips to measure it on."),
]
Alpha = Annotated[bool, typer.Option("--alpha", help="Note which parts of the optimum matter.")]
Device = Annotated[str, typer.Option(metavar="D", help="Where to compute: cpu, cuda, cuda:1, mps.")]
Force = Annotated[bool, typer.Option("--force", help="Do finished work again.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Layer = Annotated[str, typer.Argument(metavar="LAYER", help="As `kinetoscope layers MODEL` lists it.")]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A registered name, torchvision:NAME, hf:NAME, package.module:factory or file.py:factory.",
    ),
]
MotionScale = Annotated[
    float | None,
    typer.Option(min=0.01, metavar="S", help="Speed shown at full brightness, pixels per frame."),
]
Clip = Annotated[
    Path,
    typer.Argument(
        metavar="CLIP", help="mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames, or .npy."
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        metavar="KIND|EXPR",
        help="channel-relu, channel or unit; or a sum such as 'conv3b:5 - conv3b:7', filed under a unit.",
    ),
]
OneUnit = Annotated[str, typer.Option(metavar="N", help="An index, or the name of a class.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the results; made when missing.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="Of a damaged or cut clip, use what comes before the damage.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, metavar="N", help="Of everything drawn at random.")]
Size = Annotated[
    str | None, typer.Option(metavar="TxHxW", help="Frames, height and width of the clip; the model's own.")
]
Steps = Annotated[int | None, typer.Option(min=1, metavar="N", help="Steps of the optimization.")]
Units = Annotated[str, typer.Option(metavar="UNITS", help="Such as 0,3,8-15, all, or names of classes.")]
Weights = Annotated[str, typer.Option(metavar="W", help="default, random, a file, or an https address.")]


class Preset(StrEnum):
    """Whose settings."""

    default = "default"
    strong = "strong"
    paper = "paper"
    fourier_3d = "fourier-3d"
    fourier_2d = "fourier-2d"
    maco = "maco"


PresetChoice = Annotated[
    Preset,
    typer.Option(
        help="Natural statistics; bare pixels, strongest at any price; as published; spectra; phases alone."
    ),
]


class Formulation(StrEnum):
    """How motion is described."""

    layered = "layered"
    paper = "paper"
    fetch = "fetch"


class Kind(StrEnum):
    """What is made large of a channel."""

    channel = "channel"
    channel_relu = "channel-relu"
    unit = "unit"


class Precision(StrEnum):
    """Of the network's arithmetic."""

    fp32 = "fp32"
    bf16 = "bf16"


PrecisionChoice = Annotated[Precision, typer.Option(help="Of the network's arithmetic.")]


Asked = TypeVar("Asked")


def takes(kind: type[Asked]) -> Callable[[Callable[[Asked], None]], Callable[..., None]]:
    """Make a verb of a function of one options object.

    Args:
        kind: a dataclass whose fields are written as typer wants a command's parameters; those it has from
            another class come last in the help.
    """

    def made(run: Callable[[Asked], None]) -> Callable[..., None]:
        def command(*places: Any, **given: Any) -> None:
            named = (field.name for field in ordered)
            run(kind(**dict(zip(named, places, strict=False)), **given))

        hints = get_type_hints(kind, include_extras=True)
        fields = inspect.signature(kind).parameters.values()
        own = [field for field in fields if field.name in vars(kind)["__annotations__"]]
        every = [*own, *(field for field in fields if field not in own)]
        ordered = sorted(every, key=lambda field: field.default is not field.empty)
        either = inspect.Parameter.POSITIONAL_OR_KEYWORD
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [field.replace(annotation=hints[field.name], kind=either) for field in ordered]
        )
        command.__annotations__ = hints
        command.__name__, command.__doc__ = run.__name__, run.__doc__
        return command

    return made


@dataclass(frozen=True, kw_only=True)
class Computing:
    """What the verbs share that compute something and may find it finished."""

    seed: Seed = 0
    device: Device = "cpu"
    force: Force = False
    quiet: Quiet = False
    debug: Debug = False


def check_objective(text: str | None, option: str = "--objective") -> None:
    """End the command with status 2 where an objective is written wrongly; what is there, the model tells."""
    if text is None or text in tuple(Kind):
        return
    with wrong_usage(option):
        if not is_expression(text):
            raise SettingInvalid(
                f"objective is {', '.join(Kind)} or a sum such as 'conv3b:5 - conv3b:7', not {text!r}"
            )
        read_expression(text)


def read_size(text: str | None, option: str = "--size") -> tuple[int, int, int] | None:
    """Frames, height and width out of TxHxW; None where the option was left out, status 2 where it is odd."""
    with wrong_usage(option):
        return None if text is None else parse_size(text)


def refuse_unused(context: Context, when: bool, *options: str, because: str) -> None:
    """End the command with status 2 where options were given that it could make nothing of.

    Args:
        context: of the command.
        when: whether that is so.
        options: names of the parameters.
        because: the end of "cannot be used ...".
    """
    for flag in given_options(context, *options) if when else ():
        raise typer.BadParameter(f"it cannot be used {because}; leave it out", param_hint=f"'{flag}'")


def given_options(context: Context, *options: str) -> list[str]:
    """Which of these parameters stood on the command line, as they are written there."""
    sources = {option: context.get_parameter_source(option) for option in options}
    given = [option for option, source in sources.items() if source is not None and source.name != "DEFAULT"]
    return [f"--{option.replace('_', '-')}" for option in given]


def check_units(text: str, option: str = "--units") -> None:
    """End the command with status 2 where units are written wrongly; how many there are, the model tells."""
    with wrong_usage(option):
        split_units(text)
