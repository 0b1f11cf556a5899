from __future__ import annotations

import hashlib
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fmnist_cli.cli.data import app
from fmnist_cli.data.download import MIRRORS, Downloader, DownloadEvent
from fmnist_cli.data.fashion_mnist import DataFile
from fmnist_cli.errors import DownloadError, UsageError

CONTENT = np.random.default_rng(11).bytes(300_000)
HALF = len(CONTENT) // 2


def table_entry(name: str, content: bytes) -> DataFile:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return DataFile(name, len(content), digest, "")


FILE = table_entry("images.gz", CONTENT)


@dataclass
class Mirror:
    """A local web server; the n-th request for a path gets the n-th behaviour, then the last."""

    content: dict[str, bytes]
    behaviours: tuple[str, ...] = ("serve",)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of each request."""
        return [wanted for _, wanted in self.requests]

    def behaviour(self, path: str, wanted: str | None) -> str:
        earlier = sum(asked == path for asked, _ in self.requests)
        self.requests.append((path, wanted))
        return self.behaviours[min(earlier, len(self.behaviours) - 1)]


def handler_for(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            behaviour = mirror.behaviour(self.path, wanted)
            body = mirror.content.get(self.path.rpartition("/")[2])
            if behaviour.isdecimal() or body is None:
                self.send_error(int(behaviour) if behaviour.isdecimal() else 404)
                return
            if behaviour == "silence":
                mirror.release.wait(5)
                return
            if behaviour == "web page":
                body = b"<html>please log in</html>"
            if behaviour == "corrupt":
                body = bytes(len(body))
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if behaviour == "416 to ranges" and wanted:
                self.send_error(416)
                return
            if wanted and behaviour not in ("ignore range", "web page"):
                claimed = 0 if behaviour == "other range" else start
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {claimed}-{len(body) - 1}/{len(body)}")
                body = body[start:]
            else:
                self.send_response(200)
            if behaviour != "drop, no length":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if behaviour.startswith("drop") else body)

    return Handler


StartMirror = Callable[..., Mirror]


@pytest.fixture
def start_mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMirror]:
    """Starts local mirrors, each with its behaviours, and stops them after the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running: list[tuple[Mirror, ThreadingHTTPServer, threading.Thread]] = []

    def start(*behaviours: str, content: dict[str, bytes] | None = None) -> Mirror:
        mirror = Mirror(content or {FILE.name: CONTENT}, behaviours or ("serve",))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(mirror))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        mirror.url = f"http://127.0.0.1:{server.server_port}/data"
        running.append((mirror, server, thread))
        return mirror

    yield start
    for mirror, server, thread in running:
        mirror.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(target: Path, *mirrors: Mirror, **options: Any) -> list[float]:
    """Downloads `FILE`; returns the pauses that were made, without making them."""
    pauses: list[float] = []
    downloader = Downloader(sleep=pauses.append, **options)
    downloader.download(target, [mirror.url for mirror in mirrors], [FILE])
    assert (target / FILE.name).read_bytes() == CONTENT
    assert not (target / f"{FILE.name}.partial").exists()
    return pauses


# The plain course.


def test_files_arrive_whole_and_progress_is_told(tmp_path: Path, start_mirror: StartMirror) -> None:
    other = b"labels"
    mirror = start_mirror(content={FILE.name: CONTENT, "labels.gz": other})
    events: list[DownloadEvent] = []
    target = tmp_path / "new" / "folder"
    files = [FILE, table_entry("labels.gz", other)]
    paths = Downloader(events.append).download(target, [mirror.url], files)
    assert paths == (target / FILE.name, target / "labels.gz")
    assert [path.read_bytes() for path in paths] == [CONTENT, other]
    assert mirror.requests == [("/data/images.gz", None), ("/data/labels.gz", None)]
    told = [(event.kind, event.done) for event in events if event.name == FILE.name]
    assert told[0] == ("started", 0)
    assert told[-1] == ("finished", len(CONTENT))
    assert sorted(told[1:-1], key=lambda step: step[1]) == told[1:-1]


def test_whole_files_are_kept_and_altered_ones_fetched_anew(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    mirror = start_mirror()
    fetch(tmp_path, mirror)
    events: list[DownloadEvent] = []
    fetch(tmp_path, mirror, progress=events.append)
    assert [event.kind for event in events] == ["kept"]
    assert len(mirror.requests) == 1
    (tmp_path / FILE.name).write_bytes(bytes(len(CONTENT)))
    fetch(tmp_path, mirror)
    assert len(mirror.requests) == 2


# Resuming.


def test_an_earlier_partial_file_is_resumed(tmp_path: Path, start_mirror: StartMirror) -> None:
    (tmp_path / "images.gz.partial").write_bytes(CONTENT[:1234])
    mirror = start_mirror()
    fetch(tmp_path, mirror)
    assert mirror.ranges == ["bytes=1234-"]


@pytest.mark.parametrize("drop", ["drop", "drop, no length"])
def test_a_dropped_connection_goes_on_where_it_stopped(
    tmp_path: Path, start_mirror: StartMirror, drop: str
) -> None:
    mirror = start_mirror(drop, drop, "serve")
    assert fetch(tmp_path, mirror, backoff_s=0.5) == [0.5, 1.0]
    assert mirror.ranges == [None, f"bytes={HALF}-", f"bytes={HALF + HALF // 2}-"]


def test_another_mirror_resumes_what_the_first_began(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    first, second = start_mirror("drop", "404"), start_mirror()
    fetch(tmp_path, first, second)
    assert second.ranges == [f"bytes={HALF}-"]


@pytest.mark.parametrize(
    ("behaviour", "requests"),
    [("ignore range", ["bytes=9-"]), ("416 to ranges", ["bytes=9-", None])],
)
def test_a_server_that_cannot_resume_sends_all(
    tmp_path: Path, start_mirror: StartMirror, behaviour: str, requests: list[str | None]
) -> None:
    (tmp_path / "images.gz.partial").write_bytes(CONTENT[:9])
    mirror = start_mirror(behaviour)
    assert fetch(tmp_path, mirror) == []
    assert mirror.ranges == requests


def test_a_part_that_was_not_asked_for_is_not_appended(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    (tmp_path / "images.gz.partial").write_bytes(CONTENT[:9])
    fetch(tmp_path, start_mirror("other range"), start_mirror())


def test_a_complete_partial_file_needs_no_request(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    (tmp_path / "images.gz.partial").write_bytes(CONTENT)
    mirror = start_mirror()
    fetch(tmp_path, mirror)
    assert mirror.requests == []


@pytest.mark.parametrize(
    ("partial", "requests"),
    [
        pytest.param(bytes(HALF), [f"bytes={HALF}-", None], id="wrong bytes"),
        pytest.param(bytes(len(CONTENT)), [None], id="wrong bytes, full size"),
        pytest.param(CONTENT + b"x", [None], id="too long"),
    ],
)
def test_a_bad_partial_file_is_discarded_and_the_same_mirror_sends_all(
    tmp_path: Path, start_mirror: StartMirror, partial: bytes, requests: list[str | None]
) -> None:
    (tmp_path / "images.gz.partial").write_bytes(partial)
    mirror = start_mirror()
    fetch(tmp_path, mirror)
    assert mirror.ranges == requests


def test_an_interrupt_keeps_the_partial_file_for_the_next_run(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    mirror = start_mirror()

    def interrupt(event: DownloadEvent) -> None:
        if event.kind == "advanced" and event.done > HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, mirror, progress=interrupt)
    kept = (tmp_path / "images.gz.partial").stat().st_size
    assert HALF < kept < len(CONTENT)
    assert not (tmp_path / FILE.name).exists()
    fetch(tmp_path, mirror)
    assert mirror.ranges == [None, f"bytes={kept}-"]


# Mirrors that fail.


def test_corrupt_content_is_discarded_and_the_next_mirror_asked_for_all(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    bad, good = start_mirror("corrupt"), start_mirror()
    assert fetch(tmp_path, bad, good) == []
    assert (bad.ranges, good.ranges) == ([None], [None])


@pytest.mark.parametrize("answer", ["404", "403", "web page"])
def test_a_mirror_without_the_file_is_left_at_once(
    tmp_path: Path, start_mirror: StartMirror, answer: str
) -> None:
    bad, good = start_mirror(answer), start_mirror()
    assert fetch(tmp_path, bad, good) == []
    assert len(bad.requests) == 1


def test_a_web_page_in_place_of_the_file_does_not_cost_the_partial_file(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    (tmp_path / "images.gz.partial").write_bytes(CONTENT[:9])
    portal, good = start_mirror("web page"), start_mirror()
    fetch(tmp_path, portal, good)
    assert good.ranges == ["bytes=9-"]


@pytest.mark.parametrize("answer", ["500", "503", "429"])
def test_a_server_in_trouble_is_asked_again_after_growing_pauses(
    tmp_path: Path, start_mirror: StartMirror, answer: str
) -> None:
    mirror = start_mirror(answer, answer, answer, "serve")
    assert fetch(tmp_path, mirror, backoff_s=1.0) == [1.0, 2.0, 4.0]


def test_a_silent_server_times_out_and_is_asked_again(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    mirror = start_mirror("silence", "serve")
    assert len(fetch(tmp_path, mirror, timeout_s=0.2)) == 1


def test_a_mirror_that_stays_in_trouble_gives_way_to_the_next(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    bad, good = start_mirror("500"), start_mirror()
    assert len(fetch(tmp_path, bad, good, attempts=3)) == 2
    assert len(bad.requests) == 3


def test_a_closed_port_is_retried_then_left(tmp_path: Path, start_mirror: StartMirror) -> None:
    good = start_mirror()
    closed = Mirror({}, url="http://127.0.0.1:1")
    assert len(fetch(tmp_path, closed, good, attempts=2)) == 1


def test_when_all_fail_each_answer_and_the_fix_are_named(
    tmp_path: Path, start_mirror: StartMirror
) -> None:
    mirrors = [start_mirror("404"), start_mirror("503"), start_mirror("corrupt")]
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, *mirrors, attempts=2)
    message = str(caught.value)
    assert "could not fetch images.gz" in message
    assert f"{mirrors[0].url}/images.gz: HTTP 404" in message
    assert f"{mirrors[1].url}/images.gz: HTTP 503 Service Unavailable (tried 2 times)" in message
    assert f"{mirrors[2].url}/images.gz: sent content with a wrong MD5" in message
    assert "by hand" in message
    assert "--data-dir" in message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, start_mirror: StartMirror) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"cannot write to .*--data-dir"):
        fetch(tmp_path / "file" / "below", start_mirror())


# Mirrors as arguments.


@pytest.mark.parametrize("mirror", ["file:///etc/", "ftp://host/", "folder/here", "https://"])
def test_only_web_addresses_are_mirrors(tmp_path: Path, mirror: str) -> None:
    def never(request: urllib.request.Request, timeout_s: float) -> Any:
        raise AssertionError(request.full_url)

    with pytest.raises(UsageError, match="no http:// or https:// address"):
        Downloader(opener=never).download(tmp_path, [mirror], [FILE])


def test_there_must_be_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no mirror"):
        Downloader().download(tmp_path, [], [FILE])


def test_the_built_in_mirrors_begin_with_encrypted_ones() -> None:
    schemes = [mirror.partition(":")[0] for mirror in MIRRORS]
    assert schemes == ["https", "https", "http"]


# fmnist data download.


def test_the_command_reports_on_stderr_and_raises_what_went_wrong(
    nowhere: Path, start_mirror: StartMirror
) -> None:
    mirror = start_mirror("404")
    arguments = ["download", "--data-dir", "here", "--mirror", mirror.url]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, DownloadError)
    assert result.stdout == ""
    assert result.stderr.startswith(f"train-images-idx3-ubyte.gz: {mirror.url}/train-images")


def test_the_command_keeps_official_files_and_prints_their_folder(real_data_dir: Path) -> None:
    arguments = ["download", "--data-dir", str(real_data_dir), "--mirror", "http://127.0.0.1:1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert result.stdout == f"{real_data_dir}\n"
    assert result.stderr.count("already there") == 4
