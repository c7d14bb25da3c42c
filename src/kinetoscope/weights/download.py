"""Published weights: fetched once, checked, and kept in a folder of our own."""

import hashlib
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ..errors import ModelUnusable, OutputUnwritable
from ..files import safe_component
from ..version import __version__

_CHUNK = 1 << 20
_SILENCE = 30.0  # seconds without an answer
_BETWEEN_LINES = 10.0  # seconds


@dataclass(frozen=True)
class Published:
    """A weights file on the net.

    Attributes:
        url: where it is.
        file: its place in the cache, relative.
        sha256: of the file; "" where its authors state none.
        git_blob: its identity in a git repository (SHA-1 of a header and the file); "" where it is in none.
    """

    url: str
    file: str
    sha256: str = ""
    git_blob: str = ""

    @property
    def path(self) -> Path:
        """Where the file is kept."""
        return cache_folder() / "weights" / self.file


def cache_folder() -> Path:
    """$KINETOSCOPE_CACHE, else $XDG_CACHE_HOME/kinetoscope, else ~/.cache/kinetoscope."""
    if own := os.environ.get("KINETOSCOPE_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kinetoscope"


def published_at(url: str) -> Published:
    """A user's own address, with a place in the cache.

    Raises:
        ModelUnusable: neither https, nor http on this very machine.
    """
    if not _is_safe(url):
        raise ModelUnusable(
            f"weights are fetched over https only, not from {url}; download them and give the file"
        )
    name = safe_component(PurePosixPath(urlsplit(url).path).name or "weights")
    return Published(url, f"{hashlib.sha256(url.encode()).hexdigest()[:12]}/{name}")


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme == "https" or (
            parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
        )
    except ValueError:  # no address at all
        return False


def fetch(published: Published) -> Path:
    """The file, from the cache or else from the net; progress goes to stderr.

    It appears in the cache whole and checked, or not at all; what was cut off is kept beside it and continued
    the next time.

    Raises:
        ModelUnusable: no connection, no such file, cut off, or another file than the published one; says
            where to put the file.
        OutputUnwritable: the cache cannot be written.
    """
    target = published.path
    try:
        if not target.is_file():
            _download(published, target)
        elif fault := _mismatch(target, published):
            raise ModelUnusable(f"{target} is not the published file, {fault}; delete it and run again")
    except _Lost as error:
        raise ModelUnusable(
            f"cannot download {published.url} ({error}); put the file at {target}, or give its path with "
            "--weights"
        ) from error
    except OSError as error:
        raise OutputUnwritable(
            f"cannot write {target} ({error.strerror}); set KINETOSCOPE_CACHE to a folder that can be written"
        ) from error
    return target


class _Lost(Exception):
    """The net did not give the file; the reason in a few words."""


class _Redirects(HTTPRedirectHandler):
    """Follows to https, and from http to http, but never from this machine to elsewhere without https."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """The next request; as the base class has it.

        Raises:
            _Lost: it would lead elsewhere; nothing has been asked there.
        """
        ways = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        plain = ways == ("http", "http") and (_is_safe(newurl) or not _is_safe(req.full_url))
        if ways[1] != "https" and not plain:
            fp.close()
            raise _Lost(f"it is moved to {_shown(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _shown(text: str) -> str:
    """What a server says, fit for one line."""
    return text[:200] if text.isprintable() else ascii(text)[:200]


def _download(published: Published, target: Path) -> None:
    kept = target.with_name(f"{target.name}.part")
    # under a name of its own meanwhile: no two processes write into one file
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        kept.replace(part)
    try:
        _complete(part, published.url, target.name)
        if fault := _mismatch(part, published):
            part.unlink()
            raise _Lost(f"the server gives another file, {fault}")
        part.replace(target)
    finally:
        with suppress(FileNotFoundError):
            part.replace(kept)


def _complete(part: Path, url: str, name: str) -> None:
    """Bring a file to its full length."""
    have = part.stat().st_size if part.exists() else 0
    with _answer(url, have) as answer:
        start = _start_of(answer)
        if start > have:
            raise _Lost("the server goes on at the wrong place")
        total = None if answer.length is None else start + answer.length
        with part.open("r+b" if start else "wb") as file, _progress(name, start, total) as tell:
            file.seek(start)
            while chunk := _received(answer):
                file.write(chunk)
                tell(file.tell())
            if total is not None and file.tell() != total:
                raise _Lost(f"cut off after {file.tell()} of {total} bytes, run again to go on from there")


@contextmanager
def _answer(url: str, have: int) -> Iterator[HTTPResponse]:
    """The server's answer: the file behind its first `have` bytes, or all of it."""
    with _network():
        try:
            answer = _ask(url, have)
        except HTTPError as error:
            error.close()
            if not have or error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            answer = _ask(url, 0)
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise _Lost("the server gives a page, no file")
        yield answer


def _ask(url: str, have: int) -> HTTPResponse:
    headers = {"User-Agent": f"kinetoscope/{__version__}"}
    headers |= {"Range": f"bytes={have}-"} if have else {}
    answer: HTTPResponse = build_opener(_Redirects).open(Request(url, headers=headers), timeout=_SILENCE)
    return answer


def _start_of(answer: HTTPResponse) -> int:
    """The place in the file at which the answer begins."""
    place = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(place[1]) if place and answer.status == HTTPStatus.PARTIAL_CONTENT else 0


def _received(answer: HTTPResponse) -> bytes:
    with _network():
        return answer.read(_CHUNK)


@contextmanager
def _network() -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        raise _Lost(f"the server answers {error.code} {_shown(str(error.reason))}") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that is none
        raise _Lost(" ".join(str(getattr(error, "reason", error) or type(error).__name__).split())) from error


def _mismatch(path: Path, published: Published) -> str:
    """How a file differs from what is known of it; "" when it does not."""
    with path.open("rb") as file:
        if published.sha256:
            kind, wanted = "SHA-256", published.sha256
            found = hashlib.file_digest(file, "sha256").hexdigest()
        elif published.git_blob:
            kind, wanted = "git blob", published.git_blob
            blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
            found = hashlib.file_digest(file, lambda: blob).hexdigest()
        else:
            return ""
    return "" if found == wanted else f"{kind} {found} instead of {wanted}"


@contextmanager
def _progress(name: str, start: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Tells how many bytes are there: a bar on a terminal, now and then a line elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(f"downloading {name}", total=total, completed=start)
            yield lambda done: bar.update(task, completed=done)
        return
    last_line = 0.0
    size = "" if total is None else f" of {total / 1e6:.1f}"

    def tell(done: int) -> None:
        nonlocal last_line
        if time.monotonic() - last_line >= _BETWEEN_LINES or done == total:
            last_line = time.monotonic()
            print(f"downloading {name}: {done / 1e6:.1f}{size} MB", file=sys.stderr, flush=True)

    yield tell
