"""Filling a model with the weights of a file that nobody vouches for, whatever wraps them there.

`containers` reads files and says which; here the state dict in them is found that is meant, and its names are
freed of what a wrapper put in front of them.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..errors import InputNotice, ModelUnusable, listed, one_line
from .containers import FAULTS, Content, read_content
from .pickle_bounds import NotWeights
from .tensors import Tensors, kind_of, shown_name
from .unpickle import Foreign, StoredArray, StoredTensor

_WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "blobs")
_SUFFIXES = {".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".tar", ".pkl"}
_DEEPEST = 4  # dictionaries in dictionaries that are looked through
_TENSORS = 1000  # more than any network has; of more names in a message, the number is told
_KINDS = (Tensor, StoredTensor, StoredArray)
# what stands among tensors without being one: an epoch, a date, an extra state that is empty
_BESIDE = (int, float, str, type(None))
# what torch's wrappers write into names, wherever they were wrapped round
_PARTS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_SEGMENTS = 8  # of a prefix
# what readers say of a file that ends too early
_CUT = ("truncated", "exhausted", "not a zip file", "unexpected end", "requires a buffer", "no newline found")
Rename = Callable[[dict[str, Tensor]], dict[str, Tensor]]
States = dict[str, dict[str, Any]]
"""State dicts by where in the file they stand ("" for the file itself): names and stored tensors."""


def load_weights(model: nn.Module, path: Path, rename: Rename | None = None) -> None:
    """Fill a model from a file; nothing is changed unless everything fits.

    The state dict may stand in dictionaries, under any name, and its names may begin with a prefix, which is
    left out; both are told by an `InputNotice`.

    Args:
        model: to be filled.
        path: as for `read_weights`.
        rename: gives the published file's tensors the model's names; not asked when the file has those.

    Raises:
        ModelUnusable: the file is missing or no weights file, or its tensors are not the model's; all
            missing, extra and misshapen ones are named. A missing `num_batches_tracked`, which files older
            than torch 0.4.1 lack, is no fault. Or several state dicts in it fit.
    """
    wanted = model.state_dict()
    named = _opened(path, lambda content: _fitting(content, wanted, path, rename))
    given = named.state
    both = [(name, given[name], tensor) for name, tensor in wanted.items() if name in given]
    modules = dict(model.named_modules())
    faults = {
        "missing": [n for n in wanted if n not in given and _required(n)],
        "extra": [shown_name(n) for n in given if n not in wanted and not _is_computed(modules, n)],
        "of another shape": [
            f"{name} {tuple(got.shape)} for {tuple(t.shape)}" for name, got, t in both if got.shape != t.shape
        ],
        "not floating": [
            f"{name} {got.dtype}"
            for name, got, t in both
            if t.is_floating_point() and not got.is_floating_point()
        ],
    }
    told = "; ".join(f"{kind}: {listed(names, _TENSORS)}" for kind, names in faults.items() if names)
    if told:
        raise ModelUnusable(f"{path} does not fit the model; {told}; give weights of this architecture")
    model.load_state_dict(given, strict=False)
    if named.told:
        warnings.warn(f"{path}: {named.told}", InputNotice, stacklevel=2)


def _required(name: str) -> bool:
    return not name.endswith("num_batches_tracked")


def _is_computed(modules: dict[str, nn.Module], name: str) -> bool:
    """Whether the model makes this tensor itself, as `Conv3T` makes its kernel."""
    path, _, leaf = name.rpartition(".")
    return isinstance(getattr(type(modules.get(path)), leaf, None), property)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, by name, on the CPU; nothing in the file is ever executed.

    Of a file with dictionaries in it, those under the usual names are looked into.

    Raises:
        ModelUnusable: the file is missing, broken, or holds something else than named tensors.
    """
    return _opened(path, lambda content: _made(_usual(content.value), Tensors(content.read)))


def _opened(path: Path, use: Callable[[Content], Any]) -> Any:
    try:
        if path.is_dir():
            inside = sorted(file.name for file in path.iterdir() if file.suffix in _SUFFIXES)
            such = f", such as {shown_name(inside[0])}" if inside else ""
            raise ModelUnusable(f"no weights file {path}: it is a folder; give a file in it{such}")
        if not path.is_file():
            raise ModelUnusable(f"no weights file {path}; --weights takes default, random, a file or a URL")
        return read_content(path, use)
    except FAULTS as error:
        raise ModelUnusable(
            f"{path} cannot be read as weights ({_reason(error)}); give a state dict (names and tensors) as "
            "safetensors, a torch file or a pickle of NumPy arrays"
        ) from error


def _usual(content: Any) -> dict[Any, Any]:
    """The state dict where files usually have it."""
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if isinstance(content, Foreign) and content.named:
        raise NotWeights(f"it holds a whole {kind_of(content)}; save its state_dict() instead")
    if not isinstance(content, dict) or not content:
        raise NotWeights(f"it holds {kind_of(content)}, no state dict")
    return content


def _made(state: dict[Any, Any], tensors: Tensors) -> dict[str, Tensor]:
    _check_names(state)
    return {name: tensors.made(value, name) for name, value in state.items()}


def _check_names(state: dict[Any, Any]) -> None:
    for name in state:
        if not isinstance(name, str):
            raise NotWeights(
                f"a name in it is {shown_name(str(name))}, a {kind_of(name)} and no text; "
                "save the model's state_dict()"
            )


class _Named(NamedTuple):
    """A state dict under the model's names.

    Attributes:
        state: stored tensors, or tensors.
        told: how it was found, for a line; "" where it stood there just so.
        where: in the file.
    """

    state: dict[str, Any]
    told: str
    where: str


def _fitting(content: Content, wanted: dict[str, Tensor], path: Path, rename: Rename | None) -> _Named:
    """The one state dict of a file that fits, or else the nearest one, for its faults to be told."""
    states, tensors = _states(content.value), Tensors(content.read)
    if not states:
        states = {"": _usual(content.value)}
        _check_names(states[""])
    fitting: list[_Named] = []
    nearest = _Named(_usual(content.value) if len(states) > 1 else next(iter(states.values())), "", "")
    for bare in (False, True):
        named = [one for where, state in states.items() for one in _namings(where, state, wanted, bare)]
        for one in named:
            if _fits(one, wanted) and not _same(one, fitting):
                fitting.append(one)
        if fitting:
            break
        nearest = max([nearest, *named], key=lambda one: len(one.state.keys() & wanted.keys()))
    if len(fitting) > 1:
        several = " and ".join(repr(one.where or "the file itself") for one in fitting[:3])
        raise ModelUnusable(
            f"{path} holds several sets of weights that fit, {several}; save the one that is meant alone, "
            f"as in torch.save(torch.load(FILE)[...], 'one.pt')"
        )
    if fitting:
        return fitting[0]._replace(state=_made(fitting[0].state, tensors))
    state = nearest.state
    if rename is not None and state.keys().isdisjoint(wanted):
        if all(isinstance(name, str) and name.startswith("module.") for name in state):
            state = {name.removeprefix("module."): value for name, value in state.items()}
        return nearest._replace(state=rename(_made(state, tensors)))
    return nearest._replace(state=_made(state, tensors))


def _states(content: Any, where: str = "", depth: int = 0) -> States:
    """Every dictionary in a file's content that is names and tensors throughout, but for plain numbers."""
    if not isinstance(content, dict) or not content or depth > _DEEPEST:
        return {}
    if all(isinstance(name, str) and isinstance(value, _KINDS + _BESIDE) for name, value in content.items()):
        return {where: content} if any(isinstance(value, _KINDS) for value in content.values()) else {}
    found: States = {}
    for key, value in content.items():
        if isinstance(key, str):
            found |= _states(value, f"{where}.{shown_name(key)}".lstrip("."), depth + 1)
    return found


def _namings(where: str, state: dict[str, Any], wanted: Mapping[str, Any], bare: bool) -> Iterator[_Named]:
    """A state dict's names as they are, and without what may stand in front of them all.

    Args:
        bare: compare names without the parts that torch's wrappers write into them, on both sides.
    """
    short = _bare if bare else str
    places = {short(name): name for name in wanted}
    stored = {short(name): value for name, value in state.items()}
    if len(places) < len(wanted) or len(stored) < len(state):
        return
    told = [] if where in ("", *_WRAPPERS) else [f"took the weights under {where!r}"]
    if bare:
        told.append("left out of the names what wrappers wrote into them")
    # running means that some frameworks keep beside the weights, under flattened names
    means = {f"ema_{name.replace('.', '_')}" for name in places}
    beside = means | {name for name, value in stored.items() if isinstance(value, _BESIDE)} - places.keys()
    for prefix in ("", *_prefixes(stored, places)):
        inside = {
            name.removeprefix(prefix): value
            for name, value in stored.items()
            if name.startswith(prefix) and name not in beside
        }
        rest = [shown_name(name) for name in stored if not name.startswith(prefix) or name in beside]
        words = [f"left {shown_name(prefix)!r} out of the names"] if prefix else []
        words += [f"passed over {listed(rest)}"] if rest else []
        named = {places.get(name, name): value for name, value in inside.items()}
        yield _Named(named, "; ".join(told + words), f"{where} {prefix}".strip())


def _prefixes(names: Iterable[str], wanted: Container[str]) -> list[str]:
    """What stands in front of wanted names most often; it ends with a dot."""
    found: Counter[str] = Counter()
    for name in names:
        parts = name.split(".", _SEGMENTS)
        for cut in range(1, len(parts)):
            if ".".join(parts[cut:]) in wanted:
                found[".".join((*parts[:cut], ""))] += 1
    return [prefix for prefix, _ in found.most_common(4)]


def _bare(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _PARTS)


def _fits(named: _Named, wanted: dict[str, Tensor]) -> bool:
    """Whether every tensor wanted is there in its shape."""
    return all(
        name in named.state and _shape(named.state[name]) == tuple(tensor.shape)
        for name, tensor in wanted.items()
        if _required(name)
    )


def _shape(stored: Any) -> tuple[int, ...]:
    if not isinstance(stored, _KINDS):
        return (-1,)  # like none that is wanted
    return tuple(stored.shape or ())


def _same(one: _Named, others: list[_Named]) -> bool:
    """Whether the same tensors stand there under another name."""
    return any(
        one.state.keys() == other.state.keys()
        and all(_place(value) == _place(other.state[name]) for name, value in one.state.items())
        for other in others
    )


def _place(stored: Any) -> Any:
    if isinstance(stored, StoredTensor):
        return (getattr(stored.storage, "key", None), stored.offset, _shape(stored))
    return stored.data_ptr() if isinstance(stored, Tensor) else id(stored)


def _reason(error: BaseException) -> str:
    told = one_line(error)
    if not isinstance(error, NotWeights):
        cut = isinstance(error, EOFError) or any(sign in told.lower() for sign in _CUT)
        told = f"{'it is cut off: ' if cut else ''}{type(error).__name__} {told}".strip()
    return shown_name(told, 200)
