"""What is served: the folder, on this machine, and nothing else."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinetoscope.errors import SettingInvalid
from kinetoscope.gallery.serve import server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port and the folder."""
    root = tmp_path / "atlas"
    (root / "gallery").mkdir(parents=True)
    (root / "gallery.html").write_text("page")
    (root / "gallery" / "a%2Fb.js").write_text("script")
    (root / ".strips").write_text("hidden")
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "inside").symlink_to(root / "gallery.html")
    with server(root) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running.server_port, root
        running.shutdown()
        thread.join()


def get(
    port: int, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"127.0.0.1:{port}" if host is None else host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def test_files_of_the_folder(served: tuple[int, Path]) -> None:
    port, _ = served
    status, body, headers = get(port, "/")
    assert (status, body) == (200, b"page")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert get(port, "/gallery/a%252Fb.js")[:2] == (200, b"script")
    assert get(port, "/inside")[1] == b"page"
    assert get(port, "/gallery.html", "HEAD")[:2] == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/gallery/../../secret", "//secret", "/..\\secret",
        "/%2e%2e%5csecret", "/link", "/.strips", "/gallery/", "/gallery", "/none", "/%00",
        "/gallery.html/../../secret",
        "/%c0%ae%c0%ae/secret", "http://127.0.0.1/../secret",
    ],
)  # fmt: skip
def test_nothing_else(served: tuple[int, Path], path: str) -> None:
    status, body, _ = get(served[0], path)
    assert status in (400, 404)
    assert b"secret" not in body.replace(path.encode(), b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_taken(served: tuple[int, Path], method: str) -> None:
    assert get(served[0], "/gallery.html", method)[0] == 501


def test_names_that_were_made_to_lead_here_are_refused(served: tuple[int, Path]) -> None:
    port, _ = served
    for host in ("evil.example", f"evil.example:{port}", "", f"127.0.0.1.evil.example:{port}"):
        assert get(port, "/gallery.html", host=host)[0] == 421
    for host in (f"localhost:{port}", "localhost"):
        assert get(port, "/gallery.html", host=host)[0] == 200


def test_on_this_machine_only_and_a_port_once(served: tuple[int, Path]) -> None:
    port, root = served
    with server(root) as other:
        assert other.server_address[0] == "127.0.0.1"
    with pytest.raises(SettingInvalid, match=f"port {port} cannot be had"):
        server(root, port)
