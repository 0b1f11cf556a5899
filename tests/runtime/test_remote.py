"""Inputs and folders of parts by URL, on filesystems that fsspec brings or `slowfs` makes up."""

from __future__ import annotations

import io
import json
import os
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pictures import encoded, frame
from process import RunFmnist

pytest.importorskip("fsspec")

import fsspec
from slowfs import SlowFileSystem, picture

import fmnist_cli
from fmnist_cli import parts, remote
from fmnist_cli.cli.labelling import Run, label
from fmnist_cli.contract import Prediction
from fmnist_cli.errors import EXIT_REJECTED, DataError, MissingExtraError, UsageError
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.remote import public
from fmnist_cli.sinks import KINDS
from fmnist_cli.sinks.outputs import Wanted
from fmnist_cli.sources import Inputs, open_sources
from fmnist_cli.store import open_store

TESTS = Path(__file__).parent.parent
COUNT = 40
URL = f"slow://{COUNT}/"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No pauses before another try, an empty `memory://`, nothing asked of `slow://` so far."""
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0, 0.0))
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    SlowFileSystem.requests.clear()
    yield
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """What `URL` holds, as a folder."""
    folder = tmp_path / "local" / "000"
    folder.mkdir(parents=True)
    for number in range(COUNT):
        (folder / f"{number:06}.png").write_bytes(picture(number))
    return folder.parent


Classify = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def classify(exported_dir: Path, tmp_path: Path) -> Classify:
    """Rows of `fmnist classify INPUT… -o rows.jsonl`; options as of `Inputs` and `Run`."""

    def run(*names: str | Path, **options: Any) -> list[dict[str, Any]]:
        target = Path(options.pop("target", tmp_path / "rows.jsonl"))
        how = {"model": "cnn", "models_dir": exported_dir, "engine": "threads", "workers": 2}
        asked = {key: options.pop(key) for key in list(options) if key in Inputs._fields}
        inputs = Inputs(tuple(map(str, names)), **asked)
        label(inputs, Settings(), Wanted((str(target),)), Run(**{**how, **options}))
        return [json.loads(line) for line in target.read_text().splitlines()]

    return run


def reasons(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {row["path"]: row["error"] for row in rows if row["error"]}


@pytest.mark.parametrize("engine", ["fork", "threads"])
@pytest.mark.parametrize("workers", [1, 2])
def test_rows_are_those_of_a_local_folder(
    classify: Classify, local: Path, engine: str, workers: int
) -> None:
    there = classify(URL, engine=engine, workers=workers)
    assert len(there) == COUNT
    assert there == classify(local, engine=engine)


def test_rows_are_the_same_from_spawned_processes(
    run_fmnist: RunFmnist, exported_dir: Path, local: Path
) -> None:
    options = "--engine", "spawn", "--workers", "2", "-m", "cnn", "--models-dir", exported_dir
    there = run_fmnist("classify", URL, *options)
    assert (there.code, there.stdout.count("\n")) == (0, COUNT), there.stderr
    assert there.stdout == run_fmnist("classify", local, *options).stdout


def test_many_are_under_way_at_a_time(classify: Classify, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(32)  # more than the first chunk has
    turns = iter(range(32))
    read = SlowFileSystem.cat_file

    def waiting(self: SlowFileSystem, path: str, **options: Any) -> bytes:
        if next(turns, None) is not None:
            together.wait(timeout=60)
        return read(self, path, **options)

    monkeypatch.setattr(SlowFileSystem, "cat_file", waiting)
    assert not any(reasons(classify("slow://200/", workers=1)).values())


def test_what_fails_is_tried_again_and_then_gets_a_row(classify: Classify, tmp_path: Path) -> None:
    names = ["1/000/1.png", "flaky/2.png", "broken/3.png", "nothing/4.png", "closed/5.png"]
    listing = tmp_path / "list"
    listing.write_text("".join(f"slow://{name}\n" for name in [*names, "6"]))
    rows = classify(from_file=str(listing))
    assert [row["path"] for row in rows] == [f"slow://{name}" for name in [*names, "6"]]
    assert reasons(rows) == {
        "slow://broken/3.png": "cannot read slow://broken/3.png after 4 tries: the line is down",
        "slow://nothing/4.png": "cannot read slow://nothing/4.png: it does not exist",
        "slow://closed/5.png": "cannot read slow://closed/5.png: no permission (closed/5.png);"
        " the credentials come from the environment",
    }
    assert SlowFileSystem.requests["flaky/2.png"] == 3
    assert SlowFileSystem.requests["nothing/4.png"] == 1
    SlowFileSystem.requests.clear()
    assert classify(from_file=str(listing), resume=True) == rows
    assert not SlowFileSystem.requests
    assert classify(from_file=str(listing), retry_failed=True) == rows
    assert {*SlowFileSystem.requests} == {"broken/3.png", "nothing/4.png", "closed/5.png"}


def test_a_listing_is_streamed() -> None:
    source = open_sources(["slow://1000000/"])
    SlowFileSystem.requests.clear()
    assert len(list(islice(source, 1500))) == 1500
    assert sum(SlowFileSystem.requests.values()) == 3  # the top, and two folders


def test_limit_and_shares(classify: Classify) -> None:
    assert len(classify(URL, limit=3)) == 3
    shares = [classify(URL, shard=(index, 2)) for index in (1, 2)]
    assert all(shares)
    assert sorted(row["path"] for rows in shares for row in rows) == [
        f"000/{number:06}.png" for number in range(COUNT)
    ]


def put(name: str, content: bytes) -> None:
    fsspec.filesystem("memory").pipe_file(name, content)


def test_what_is_in_a_folder(classify: Classify) -> None:
    for name in ("b.png", "a/1.PNG", "a/.hidden.png", ".git/2.png", "a/text.txt", "c.zip"):
        put(f"/in/{name}", encoded(frame(1)))
    put("/in/empty.png", b"")
    assert [row["path"] for row in classify("memory://in")] == ["a/1.PNG", "b.png", "empty.png"]
    source = open_sources(["memory://in/"])
    assert [item.path for item in source] == ["a/1.PNG", "b.png", "empty.png"]
    assert (source.skipped.count, source.skipped.archives) == (2, 1)
    flat = classify("memory://in", recursive=False, exclude=("e*",))
    assert [row["path"] for row in flat] == ["b.png"]
    both = classify("memory://in/a", "memory://in/b.png")
    assert [row["path"] for row in both] == ["memory://in/a/1.PNG", "memory://in/b.png"]
    matching = classify("memory://in/*.png")
    assert [row["path"] for row in matching] == ["memory://in/b.png", "memory://in/empty.png"]


def test_archives_and_lists_are_copied(
    classify: Classify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    archive = tmp_path / "some.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x/1.png", encoded(frame(1)))
    put("/in/some.zip", archive.read_bytes())
    put("/in/list", f"memory://in/1.png\n{tmp_path}/local.png\n".encode())
    put("/in/1.png", encoded(frame(1)))
    (tmp_path / "local.png").write_bytes(encoded(frame(1)))
    assert [row["path"] for row in classify("memory://in/some.zip")] == ["x/1.png"]
    rows = classify(from_file="memory://in/list")
    assert [row["path"] for row in rows] == ["memory://in/1.png", f"{tmp_path}/local.png"]
    assert rows[0]["top"] == rows[1]["top"]
    assert not list(copies.iterdir())


def test_too_large_objects_are_not_fetched(classify: Classify) -> None:
    put("/in/1.png", encoded(frame(1)))
    size = len(encoded(frame(1)))
    (row,) = classify("memory://in", max_bytes=size - 1)
    assert row["error"].startswith(f"too large: {size:,} bytes")
    assert classify("memory://in", max_bytes=size)[0]["status"] == "ok"


def test_an_update_does_what_has_changed(
    classify: Classify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        put(f"/in/{number}.png", encoded(frame(number)))
    put("/in/bad.png", b"none")
    before = classify("memory://in")
    capsys.readouterr()
    assert classify("memory://in", resume=True) == before
    assert "nothing left to do" in capsys.readouterr().err
    put("/in/1.png", encoded(frame(9)))
    put("/in/9.png", encoded(frame(9)))
    fsspec.filesystem("memory").rm_file("/in/2.png")
    rows = {row["path"]: row for row in classify("memory://in", resume=True)}
    assert "1 new, 1 changed, 1 gone" in capsys.readouterr().err
    assert [*rows] == ["0.png", "1.png", "3.png", "9.png", "bad.png"]
    assert rows["1.png"]["top"] == rows["9.png"]["top"] != before[1]["top"]


def test_parts_elsewhere(
    run_fmnist: RunFmnist,
    classify: Classify,
    exported_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(parts, "INPUTS", 7)
    classify(URL)
    whole = (tmp_path / "rows.jsonl").read_bytes()
    settings, how = Settings(), Run("cnn", exported_dir, engine="threads", workers=2)

    def fill(shard: tuple[int, int] | None = None) -> int:
        return label(Inputs((URL,), shard=shard), settings, Wanted(("memory://out/rows/",)), how)

    def merged() -> bytes:
        target = tmp_path / "merged.jsonl"
        parts.merge(open_store("memory://out/rows"), target, KINDS["jsonl"])
        return target.read_bytes()

    assert fill((1, 2)) == 0
    with pytest.raises(DataError, match="is not complete; missing: part-000001"):
        merged()
    assert fill() == 0
    assert merged() == whole
    SlowFileSystem.requests.clear()
    fsspec.filesystem("memory").rm_file("/out/rows/part-000002.parquet")
    assert fill() == 0
    assert sum("png" in what for what in SlowFileSystem.requests.elements()) == 7
    assert merged() == whole
    names = fsspec.filesystem("memory").ls("/out/rows", detail=False)
    assert len(names) == 1 + -(-COUNT // 7)  # nothing unfinished among them
    put("/out/rows/part-000000.parquet", b"damaged")
    with pytest.raises(DataError, match=r"memory://out/rows/part-000000\.parquet"):
        merged()
    with pytest.raises(UsageError, match="is no folder of parts"):
        parts.merge(open_store("memory://out/other"), tmp_path / "x", KINDS["jsonl"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["slow://nothing/"], "cannot list slow://nothing/: it does not exist"),
        (["slow://nothing.png"], "cannot read slow://nothing.png: it does not exist"),
        (["nowhere://x/"], "nowhere://x/: Protocol not known: nowhere"),
        ([URL, "-o", "memory://out/rows.csv"], "-o memory://out/rows/, and make the file of it"),
        ([URL, "--report", "memory://page.html"], "--report writes to this machine only"),
        ([URL, "--sort-into", "x", "--link"], "the pictures of slow://40/ are none; use --copy"),
        ([URL, "-o", f"{URL}rows/"], "lies in the input slow://40/"),
        ([URL, "-o", "https://host/rows/"], "nothing can be written to https://host/rows/"),
        (["slow://40/000/*.jpg"], "no picture matches the pattern 'slow://40/000/*.jpg'"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    run_fmnist: RunFmnist, exported_dir: Path, arguments: list[str], said: str
) -> None:
    done = run_fmnist("classify", *arguments, "-m", "cnn", "--models-dir", exported_dir)
    assert done.code == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_other_commands_say_who_reads_urls(run_fmnist: RunFmnist) -> None:
    done = run_fmnist("evaluate", "--data", "s3://bucket/photos")
    assert done.code == 2
    assert "URLs are read by fmnist classify" in done.stderr


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    remote._opened.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"'fsspec'.*\n.*\[remote\]"):
        open_sources(["memory://in/"])


SIGNED = "X-Amz-Credential=AKIA%2F1&X-Amz-Signature=0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a b.png", "s3://bucket/a b.png"),
        ("s3://bucket/why?.png", "s3://bucket/why?.png"),
        ("ftp://me:secret@host:21/a.png", "ftp://host:21/a.png"),
        ("s3://KEY:se/cr+et@bucket/a.png", "s3://bucket/a.png"),
        ("http://host:8080/a@b.png", "http://host:8080/a@b.png"),
        (f"https://host/a.png?{SIGNED}&id=7", "https://host/a.png?id=7"),
        (f"https://host/a.png?{SIGNED}", "https://host/a.png"),
        ("https://host/a?id=1&sv=2020&se=3&sig=x%2F", "https://host/a?id=1"),
        ("https://host/a?id=1&page=2", "https://host/a?id=1&page=2"),
        ("https://host/a?access_token=abc", "https://host/a"),
        ("simplecache::https://me:x@host/a?token=1", "simplecache::https://host/a"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert public(url) == shown


def test_objects_that_differ_in_a_key_keep_different_names() -> None:
    shown = [public(f"https://host/a?key={key}") for key in ("1.png", "2.png", "A" * 39)]
    assert len({*shown}) == 3
    assert not any("png" in one or "AAA" in one for one in shown)


def test_secrets_are_nowhere(
    classify: Classify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = ["hunter2", "0123456789abcdef", "AKIA"]
    urls = [f"slow://me:hunter2@broken/1.png?{SIGNED}", f"slow://me:hunter2@2.png?{SIGNED}"]
    listing = tmp_path / "list"
    listing.write_text("\n".join(urls))
    rows = classify(urls[1], from_file=str(listing))
    record = (tmp_path / "rows.jsonl.run.json").read_text()
    said = "".join(capsys.readouterr())
    for text in (json.dumps(rows), record, said):
        assert not [secret for secret in secrets if secret in text]
    with pytest.raises(UsageError) as caught:
        classify(f"http://me:hunter2@127.0.0.1:9/a.png?{SIGNED}")
    assert "cannot read http://127.0.0.1:9/a.png after 4 tries" in str(caught.value)
    assert not [secret for secret in secrets if secret in str(caught.value)]


class Web(BaseHTTPRequestHandler):
    """`/a.png`, also with a signature, as long as nobody asks for /busy before the third time."""

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked[path] += 1
        busy = path == "/busy.png" and self.asked[path] < 3
        status = 503 if busy else 200 if path in ("/a.png", "/busy.png", "/some.zip") else 404
        body = zipped() if path == "/some.zip" else picture(1)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x/1.png", picture(1))
    return buffer.getvalue()


def test_the_web(classify: Classify, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    Web.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        listing = tmp_path / "list"
        names = ["a.png", "busy.png", f"a.png?{SIGNED}&id=1", "no.png"]
        listing.write_text("\n".join(f"{root}/{name}" for name in names))
        rows = classify(from_file=str(listing))
        assert [row["path"] for row in rows[:3]] == [
            f"{root}/{name}" for name in ("a.png", "busy.png", "a.png?id=1")
        ]
        assert reasons(rows) == {f"{root}/no.png": f"cannot read {root}/no.png: it does not exist"}
        assert classify(f"{root}/a.png?{SIGNED}")[0]["path"] == f"{root}/a.png"
        assert [row["path"] for row in classify(f"{root}/some.zip")] == ["x/1.png"]
        with pytest.raises(UsageError, match=r"no\.png: it does not exist"):
            classify(f"{root}/no.png")
        server.shutdown()


def test_from_python(exported_dir: Path, local: Path) -> None:
    options: dict[str, Any] = {"model": "cnn", "models_dir": exported_dir, "workers": 2}
    there = list(fmnist_cli.classify(URL, **options))
    assert there == list(fmnist_cli.classify(local, **options))
    both = fmnist_cli.classify([f"{URL}000/000001.png", picture_file(local)], **options)
    assert len({row.top for row in both if isinstance(row, Prediction)}) == 1


def picture_file(folder: Path) -> Path:
    return folder / "000" / "000001.png"


def test_rejected_by_the_command(run_fmnist: RunFmnist, exported_dir: Path) -> None:
    done = run_fmnist("classify", "slow://closed/1.png", "-m", "cnn", "--models-dir", exported_dir)
    assert done.code == EXIT_REJECTED
    assert "no permission" in done.stdout
