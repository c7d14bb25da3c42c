"""Whether a pickle can be read in bounded time and memory, told from its instructions before any is obeyed.

The unpickler has no bounds of its own: it reserves as many places as the highest one named, hashes tuples
however deep they are (and falls when the stack ends), and a value that is fetched again and again from its
memo makes a short file stand for an endless one.
"""

import io
import pickletools
from typing import Any, NamedTuple

File = io.BufferedReader | io.BytesIO

_MOST_INSTRUCTIONS = 400_000  # more than ten thousand tensors
_DEEPEST_TUPLE = 500
_FETCHED = 10_000_000  # parts of values and bytes from the memo, besides as many as the file is long
_RESERVING = {"PUT", "BINPUT", "LONG_BINPUT", "FRAME"}
_STORING = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_GETTING = {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}


class NotWeights(ValueError):
    """A file holds something else than weights; the reason in a few words."""


class _Effect(NamedTuple):
    """What an instruction does to the unpickler's stack.

    Attributes:
        takes: how many values, below the mark where it goes back to one.
        to_mark: whether it takes all that lies above the last mark as well.
        gives: how many values it leaves.
    """

    takes: int
    to_mark: bool
    gives: int


def _effect_of(code: pickletools.OpcodeInfo) -> _Effect:
    before, to_mark = code.stack_before, pickletools.markobject in code.stack_before
    takes = before.index(pickletools.markobject) if to_mark else len(before)
    return _Effect(takes, to_mark, len(code.stack_after))


_EFFECTS = {code.name: _effect_of(code) for code in pickletools.opcodes}


def check_bounds(file: File) -> None:
    """Read one pickle's instructions; the file stands where it stood, afterwards.

    Raises:
        NotWeights: it would grow beyond bounds. What is no pickle at all raises much else.
    """
    start = file.tell()
    room = file.seek(0, 2) - start
    file.seek(start)
    # for each value on the stack: its parts and bytes, and how deep tuples lie in tuples; at most
    parts: list[int] = []
    depths: list[int] = []
    marks: list[int] = []
    memo: dict[Any, tuple[int, int]] = {}
    fetched = 0
    for count, (code, argument, _) in enumerate(pickletools.genops(file)):
        name = code.name
        if count >= _MOST_INSTRUCTIONS:
            raise NotWeights(f"it has more than {_MOST_INSTRUCTIONS} instructions")
        if name in _RESERVING and isinstance(argument, int) and argument > room:
            raise NotWeights("it claims to be larger than its file")
        if name == "MARK":
            marks.append(len(parts))
            continue
        if name in _STORING:
            key = len(memo) if name == "MEMOIZE" else argument
            memo[key] = (parts[-1], depths[-1]) if parts else (0, 0)
            continue
        takes, to_mark, gives = _EFFECTS[name]
        kept = len(parts)
        if to_mark:
            kept = marks.pop() if marks else kept
        elif name == "POP" and marks and marks[-1] == kept:  # it takes a mark as well
            marks.pop()
            takes = 0
        kept = max(kept - takes, 0)  # too little on the stack is the unpickler's to report
        if name in _GETTING:
            part, depth = memo.get(argument, (0, 0))
        else:
            part, depth = sum(parts[kept:]), max(depths[kept:], default=0)
        del parts[kept:], depths[kept:]
        if name in _GETTING or name == "DUP":
            fetched += part
        else:
            part += 1 + _size(argument)
            depth += name in _TUPLES
        if fetched > room + _FETCHED:
            raise NotWeights("it stands for much more than it holds")
        if depth > _DEEPEST_TUPLE:
            raise NotWeights(f"its tuples are nested more than {_DEEPEST_TUPLE} deep")
        parts += [part] * gives
        depths += [depth] * gives
    file.seek(start)


def _size(argument: Any) -> int:
    if isinstance(argument, int):
        return argument.bit_length() // 8
    return len(argument) if isinstance(argument, (str, bytes, bytearray)) else 0
