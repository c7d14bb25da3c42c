"""The folder of an atlas to a browser of this machine, and nothing else to anybody."""

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from ..errors import SettingInvalid

LOOPBACK = "127.0.0.1"
_NAMES = {LOOPBACK, "localhost", "[::1]"}


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder by GET and HEAD; no listings, hidden files, or links that lead out."""

    extensions_map: ClassVar[dict[str, str]] = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".webp": "image/webp",
        ".js": "text/javascript",
    }
    server_version = "kinetoscope"
    sys_version = ""

    def send_head(self) -> Any:
        """Refuse what is not to be had, before a file is opened."""
        host = self.headers.get("Host", "").lower()
        if host.rpartition(":")[0] not in _NAMES and host not in _NAMES:  # a name that was made to lead here
            return self._refused(HTTPStatus.MISDIRECTED_REQUEST)
        if self.path in ("/", ""):
            self.path = "/gallery.html"
        parts = unquote(urlsplit(self.path).path, errors="surrogateescape").split("/")
        if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return self._refused(HTTPStatus.NOT_FOUND)
        root = Path(self.directory).resolve()
        try:
            file = Path(self.translate_path(self.path)).resolve()
        except (OSError, ValueError, RuntimeError):
            return self._refused(HTTPStatus.NOT_FOUND)
        if not file.is_relative_to(root) or not file.is_file():
            return self._refused(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def _refused(self, status: HTTPStatus) -> None:
        self.send_error(status)

    def end_headers(self) -> None:
        """Pages of others may neither show nor read these files."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def server(root: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of the folder on this machine's own address; port 0 takes a free one.

    Raises:
        SettingInvalid: the port cannot be had.
    """
    try:
        return _Server((LOOPBACK, port), partial(_Handler, directory=str(root)))
    except (OSError, OverflowError) as error:
        raise SettingInvalid(f"port {port} cannot be had ({error}); give another --port") from error
