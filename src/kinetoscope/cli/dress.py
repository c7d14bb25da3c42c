"""What every verb gets beside its own options: `--config FILE.toml`, and an example below its help."""

import inspect
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..errors import closest
from .examples import EXAMPLES
from .options import Context

CONFIG = "config_file"


def dress(group: typer.Typer, before: str = "") -> None:
    """Give every verb of a group both; `before` is the group's own name and a space."""
    for info in group.registered_commands:
        assert info.callback is not None
        name = info.name or info.callback.__name__.replace("_", "-")
        example = EXAMPLES.get(before + name)
        if example is not None:
            info.epilog = f"Example:\n\n\b\n  {example}"
        info.callback = configurable(info.callback)


def configurable(verb: Callable[..., None]) -> Callable[..., None]:
    """The same verb with an option that names a file of its other options."""

    def command(*places: Any, **given: Any) -> None:
        given.pop(CONFIG, None)
        verb(*places, **given)

    kind = Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE.toml",
            is_eager=True,
            callback=read_config,
            help="Take options that are not written here from a file.",
        ),
    ]
    signature = inspect.signature(verb)
    option = inspect.Parameter(CONFIG, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    command.__annotations__ = {**get_type_hints(verb, include_extras=True), CONFIG: kind}
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command


def read_config(context: Context, path: Path | None) -> Path | None:
    """Make what a TOML file says the defaults of the verb that is being read.

    Keys are the options' and arguments' names, such as `motion-scale = 4`; a table named like a verb is for
    that verb alone, so that one file may serve several. Lists stand for what is written with commas.
    """
    if path is None or context.resilient_parsing:
        return path
    taken = {_key(word): part for part in context.command.params for word in part.opts if part.name != CONFIG}
    verbs = {words.partition(" ")[0] for words in EXAMPLES}
    own = [word for word in context.command_path.split()[1:] if word != "make"]  # which `atlas` goes without
    asked = _parsed(path)
    plain = {key: value for key, value in asked.items() if key not in verbs or not isinstance(value, dict)}
    found = {}
    for key, value in {**plain, **_table_of(own, asked)}.items():
        part = taken.get(_key(key))
        if part is None:
            raise typer.BadParameter(
                f"{path} sets {key!r}, which {own[-1]} does not take; closest: {closest(_key(key), taken)}",
                param_hint="'--config'",
            )
        found[part.name] = _as_written(value, getattr(part, "multiple", False))
    context.default_map = {**(context.default_map or {}), **found}
    return path


def _key(word: str) -> str:
    """An option's or argument's name as a file has it."""
    return word.lstrip("-").replace("_", "-")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or no TOML
        reason = getattr(error, "strerror", None) or error
        raise typer.BadParameter(
            f"{path} cannot be read ({reason}); give a TOML file of options", param_hint="'--config'"
        ) from error


def _table_of(own: list[str], asked: dict[str, Any]) -> dict[str, Any]:
    """What stands in the table of a verb, as `[evaluate.planted]` for one of several words."""
    table: Any = asked
    for word in own:
        table = table.get(word) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _as_written(value: Any, multiple: bool) -> Any:
    """A value as it would be written on the command line."""
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        words = [str(item) for item in value]
        return words if multiple else ",".join(words)
    return [str(value)] if multiple else str(value)
