"""A unit's record turned back into the request it came from, to repeat it or to say why that cannot be."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from torch import nn

from ..errors import SettingInvalid, listed
from ..files import plain
from ..motion.decompose import DecomposeSettings
from ..optimal.ascend import AdamSettings
from ..optimal.expression import is_expression
from ..optimal.objective import KINDS
from ..optimal.settings import OptimalSettings
from ..reading import tuples
from ..records import sha256_of
from ..types import Video
from .request import Options, Request, versions
from .settle import request_for


def check_versions(record: Mapping[str, Any]) -> None:
    """Refuse a record that other versions wrote (SettingInvalid): they need not give the same arrays."""
    told, here = record.get("versions") or {}, versions()
    others = [
        f"{name} {told.get(name, 'unknown')}, not {own}"
        for name, own in here.items()
        if told.get(name) != own
    ]
    if others:
        raise SettingInvalid(
            f"the record is of {'; '.join(others)}; install those, or repeat it with these by --anyway"
        )


def check_start(record: Mapping[str, Any], start: Video | None) -> str | Video:
    """What the record's search began with: `noise`, `bank`, or the clip that is given for it.

    Raises:
        SettingInvalid: it began with a clip, which a record does not hold, and none or another one is given.
    """
    named = str(_of(record, "settings", "start"))
    if not named.startswith("clip "):
        if start is not None:
            raise SettingInvalid(f"the record begins with {named}, not with a clip; leave --start out")
        return named
    if start is None:
        raise SettingInvalid(
            f"the record begins with a clip, of which it holds the digest only ({named[5:17]}...); give the "
            "film by --start"
        )
    if (given := sha256_of(start)) != named[5:]:
        raise SettingInvalid(
            f"the clip to start from has digest {given[:12]}..., and the record's {named[5:17]}...; give the "
            "film that was used"
        )
    return start


def request_again(
    record: Mapping[str, Any], model: nn.Module, start: str | Video, *, anyway: bool = False
) -> Request:
    """The request that a record is of, asked of a model.

    Args:
        record: from `records.read_unit`, of a unit.
        model: the network that it was of.
        start: from `check_start`.
        anyway: even where weights, code or settings come out otherwise than the record says.

    Raises:
        SettingInvalid: the record lacks something, or is of something else than this model.
        KinetoscopeError: as `request_for`.
    """
    unit, layer = _of(record, "unit"), str(_of(record, "layer"))
    request = request_for(model, layer, [unit], options_of(record, start))
    differing = list(_differing(plain(request.to_json(unit)), record))
    if differing and not anyway:
        raise SettingInvalid(
            f"this gives other {listed(differing)} than the record; give the network and the weights "
            "that it is of, or repeat it by --anyway"
        )
    return request


def options_of(record: Mapping[str, Any], start: str | Video) -> Options:
    """How a record's unit was looked at, with every setting as it was.

    Raises:
        SettingInvalid: the record lacks something, or holds what this version does not know.
    """
    settings, objective = _of(record, "settings"), _of(record, "objective")
    if objective not in KINDS and not is_expression(str(objective)):
        raise SettingInvalid(
            f"the record's objective {objective!r} was made by hand; repeat it in Python, by visualize"
        )
    if record.get("vectors") or record.get("networks_sha256"):
        raise SettingInvalid(
            "the record is of vectors or of several networks, of which it holds the digests only; "
            "repeat it by visualize"
        )
    position, optimal, account = (_of(settings, key) for key in ("position", "optimal", "decompose"))
    _of(account, str(_of(account, "formulation")))
    return Options(
        objective=objective,
        position=None if position is None else tuple(position),
        size=tuple(_of(settings, "size") or _unknown("size")),
        preset=str(_of(settings, "preset")),
        optimal=_made(OptimalSettings if "contrast" in optimal else AdamSettings, optimal),
        motion=_made(DecomposeSettings, account),
        start=start,
        seed=_of(record, "seed"),
        seeds=_of(settings, "seeds"),
        device=str(_of(record, "device")),
        precision=str(_of(record, "precision")),
    )


def _of(group: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if not isinstance(group, Mapping) or name not in group:
            _unknown(".".join(names))
        group = group[name]
    return group


def _unknown(what: str) -> Any:
    raise SettingInvalid(f"the record lacks {what}, or another version wrote it; run the unit anew instead")


def _made(kind: type, values: Any) -> Any:
    """A dataclass from the plain JSON of its fields: lists become tuples, null a number that was infinite."""
    hints = get_type_hints(kind)
    names = {part.name for part in fields(kind)}
    if not isinstance(values, Mapping) or not values.keys() <= names:
        _unknown(f"{kind.__name__} as this version has it")
    return kind(**{name: _revived(hints[name], value) for name, value in values.items()})


def _revived(hint: Any, value: Any) -> Any:
    if value is None:
        return float("inf") if hint is float else None
    choices = [hint, *get_args(hint)]
    if isinstance(value, Mapping):
        kind = next((choice for choice in choices if is_dataclass(choice)), None)
        return value if kind is None else _made(kind, value)  # type: ignore[arg-type]
    return tuples(value)


def _differing(here: Any, there: Any, name: str = "") -> Iterator[str]:
    """Dotted names of what the record holds otherwise; versions are judged by themselves."""
    for key, value in here.items():
        told = there.get(key) if isinstance(there, Mapping) else None
        inner = f"{name}{key}"
        if isinstance(value, dict) and inner != "versions":
            yield from _differing(value, told, f"{inner}.")
        elif inner != "versions" and value != told:
            yield inner.removesuffix("_sha256")
