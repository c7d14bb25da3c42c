"""Fetching weights from a server on this machine: whole, resumed, checked, refused."""

import hashlib
import random
import resource
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from safetensors.torch import save

from kinetoscope.errors import ModelUnusable, OutputUnwritable
from kinetoscope.weights import download
from kinetoscope.weights.download import Published, cache_folder, fetch, published_at
from kinetoscope.zoo.registry import load_model, weights_sha256

DATA = random.Random(1).randbytes(3_000_001)
MOVED = {
    "moved": "",
    "local": "file:///etc/passwd",
    "old": "ftp://127.0.0.1:9/w.pt",
    "plain": "http://192.0.2.1/w.pt",
    "inline": "data:application/octet-stream,x",
}


class Handler(BaseHTTPRequestHandler):
    """Serves DATA by the last word of the path: what it says there goes wrong."""

    asked: list[str | None]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.asked.append(wanted)
        way = self.path.rpartition("/")[2]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and way != "whole" else 0
        self.close_connection = True
        if way == "missing":
            self.send_error(404)
        elif way in MOVED:
            self.send_response(302)
            self.send_header("Location", MOVED[way] or self.path.replace("moved", "file"))
            self.end_headers()
        elif start >= len(DATA):
            self.send_error(416)
        else:
            self.answer(way, start)

    def answer(self, way: str, start: int) -> None:
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "text/html" if way == "page" else "application/octet-stream")
        if way == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        elif way == "nonsense":
            self.send_header("Content-Length", "-7")
        elif way != "unsized":
            self.send_header("Content-Length", str(len(DATA) - start + 1000 * (way == "longer")))
        if start:
            place = start + 7 if way == "elsewhere" else start
            self.send_header("Content-Range", f"bytes {place}-{len(DATA) - 1}/{len(DATA)}")
        self.end_headers()
        if way == "chunked":  # the piece that is announced never comes whole
            self.wfile.write(b"f4240\r\n" + DATA[start : start + 1000000] + b"\r\nf4240\r\nabc")
        else:
            self.wfile.write(DATA[start : start + 1_200_000] if way == "cut" else DATA[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of the server; the cache is empty."""
    monkeypatch.setenv("KINETOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}/a"
        served.shutdown()
        thread.join()


def refused(published: Published) -> str:
    with pytest.raises(ModelUnusable) as caught:
        fetch(published)
    told = str(caught.value)
    assert told.isprintable()
    assert f"put the file at {published.path}" in told
    assert not published.path.exists()
    return told


SHA256 = hashlib.sha256(DATA).hexdigest()
BLOB = hashlib.sha1(b"blob 3000001\0" + DATA).hexdigest()


@pytest.mark.parametrize("known", [{}, {"sha256": SHA256}, {"git_blob": BLOB}])
@pytest.mark.parametrize("way", ["file", "moved", "unsized", "nonsense"])
def test_a_file_is_fetched_once(
    server: str, way: str, known: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    published = Published(f"{server}/{way}", "w.pt", **known)
    path = fetch(published)
    assert path == cache_folder() / "weights" / "w.pt"
    assert path.read_bytes() == DATA
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("downloading w.pt: ")
    count = len(Handler.asked)
    assert fetch(published) == path
    assert len(Handler.asked) == count
    assert capsys.readouterr().err == ""
    assert [p.name for p in path.parent.iterdir()] == ["w.pt"]


def test_what_was_cut_off_is_continued(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    published = Published(f"{server}/cut", "w.pt", sha256=SHA256)
    assert "cut off after 1200000 of 3000001 bytes, run again" in refused(published)
    assert "cut off after 2400000 of 3000001 bytes" in refused(published)
    assert fetch(published).read_bytes() == DATA
    assert Handler.asked == [None, "bytes=1200000-", "bytes=2400000-"]
    assert [p.name for p in published.path.parent.iterdir()] == ["w.pt"]
    assert "downloading w.pt: 3.0 of 3.0 MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("way", "said"), [("longer", "cut off after 3000001 of 3001001 bytes"), ("chunked", "IncompleteRead")]
)
def test_less_than_the_server_announced_is_no_file(server: str, way: str, said: str) -> None:
    assert said in refused(Published(f"{server}/{way}", "w.pt"))


@pytest.mark.parametrize("way", ["local", "old", "plain", "inline"])
def test_nobody_is_led_away_from_https(server: str, way: str) -> None:
    assert MOVED[way] in refused(Published(f"{server}/{way}", "w.pt"))
    assert len(Handler.asked) == 1


def test_what_an_interrupt_leaves_is_continued(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    published = Published(f"{server}/file", "w.pt", sha256=SHA256)
    pieces = iter([DATA[:1000], DATA[1000:5000]])
    with monkeypatch.context() as stopped:
        stopped.setattr(download, "_received", lambda answer: next(pieces, None) or stop())
        with pytest.raises(KeyboardInterrupt):
            fetch(published)
    assert [p.name for p in published.path.parent.iterdir()] == ["w.pt.part"]
    assert fetch(published).read_bytes() == DATA
    assert Handler.asked == [None, "bytes=5000-"]


def stop() -> bytes:
    raise KeyboardInterrupt


def test_a_full_disk_is_said_and_what_fitted_is_kept(server: str) -> None:
    published = Published(f"{server}/file", "w.pt", sha256=SHA256)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(
            OutputUnwritable, match=r"cannot write .*w\.pt \(File too large\); set KINETOSCOPE"
        ):
            fetch(published)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not published.path.exists()
    assert fetch(published).read_bytes() == DATA
    assert Handler.asked == [None, f"bytes={1 << 20}-"]


def test_a_server_that_cannot_continue_starts_over(server: str) -> None:
    published = Published(f"{server}/whole", "w.pt")
    part = published.path.with_name("w.pt.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 4_000_000)
    assert fetch(published).read_bytes() == DATA
    assert not part.exists()


def test_a_rest_that_is_longer_than_the_file_is_fetched_anew(server: str) -> None:
    published = Published(f"{server}/file", "w.pt")
    part = published.path.with_name("w.pt.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 4_000_000)
    assert fetch(published).read_bytes() == DATA
    assert Handler.asked == ["bytes=4000000-", None]


def test_a_continuation_at_another_place_is_refused(server: str) -> None:
    published = Published(f"{server}/elsewhere", "w.pt")
    part = published.path.with_name("w.pt.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA[:1000])
    assert "wrong place" in refused(published)
    assert part.read_bytes() == DATA[:1000]


@pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {"git_blob": "0" * 40}])
def test_another_file_than_the_published_one_is_not_kept(server: str, known: dict[str, str]) -> None:
    published = Published(f"{server}/file", "w.pt", **known)
    assert "0000 " not in refused(published)
    assert list(published.path.parent.iterdir()) == []


def test_a_changed_file_in_the_cache_is_not_used(server: str) -> None:
    published = Published(f"{server}/file", "w.pt", sha256=SHA256)
    fetch(published).write_bytes(DATA[:-1])
    with pytest.raises(ModelUnusable, match=r"w\.pt is not the published file, SHA-256 .*; delete it"):
        fetch(published)


@pytest.mark.parametrize(("way", "said"), [("missing", "answers 404 Not Found"), ("page", "gives a page")])
def test_what_the_server_does_not_have(server: str, way: str, said: str) -> None:
    assert said in refused(Published(f"{server}/{way}", "w.pt"))


def test_without_a_connection_the_place_for_the_file_is_named(server: str) -> None:
    gone = Published("http://127.0.0.1:9/w.pt", "w.pt")
    assert "cannot download http://127.0.0.1:9/w.pt (" in refused(gone)
    gone.path.write_bytes(DATA)
    assert fetch(gone) == gone.path


def test_a_cache_that_cannot_be_written_is_said(server: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(OutputUnwritable, match="set KINETOSCOPE_CACHE"):
        fetch(Published(f"{server}/file", "w.pt"))


def test_a_model_takes_its_weights_from_an_address(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = load_model("motion13", weights="random", seed=3)
    monkeypatch.setattr("test_download.DATA", save(source.state_dict()))
    model = load_model("motion13", weights=f"{server}/mine.safetensors")
    assert model.kinetoscope_weights == {"name": "mine.safetensors", "sha256": weights_sha256(source)}
    load_model("motion13", weights=f"{server}/mine.safetensors")
    assert len(Handler.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/w.pt",
        "http://localhost.org/w",
        "http://[/w",
        "ftp://localhost/w",
        "file:///etc/passwd",
    ],
)
def test_own_addresses_are_https_or_on_this_machine(url: str) -> None:
    with pytest.raises(ModelUnusable, match="over https only"):
        published_at(url)


def test_own_addresses_have_places_of_their_own_in_the_cache() -> None:
    first, second = (published_at(f"https://example.org/{d}/w.pt?x=%2F") for d in "ab")
    assert first.path != second.path
    assert first.path.name == second.path.name == "w.pt"
    assert published_at("http://localhost:80/").path.name == "weights"
    assert published_at("https://example.org/..").path.name == "%2E."


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("KINETOSCOPE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/home/me/.cache/kinetoscope")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/kinetoscope")
    monkeypatch.setenv("KINETOSCOPE_CACHE", "~/mine")
    assert cache_folder() == Path("/home/me/mine")
