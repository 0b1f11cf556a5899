"""The same against a real server of S3, which the tests start."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pictures import encoded, frame
from process import RunFmnist, command, environment

pytest.importorskip("s3fs")
pytest.importorskip("moto")
pytest.importorskip("flask")
pytest.importorskip("pyarrow")

COUNT = 30


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the server, for which the environment is set; `photos` holds pictures."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "anybody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "sesame-open")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        client = boto3.client("s3")
        client.create_bucket(Bucket="photos")
        for number in range(COUNT):
            folder = "" if number < 3 else f"folder {number % 2}/"
            client.put_object(
                Bucket="photos", Key=f"in/{folder}{number:02}.png", Body=encoded(frame(number))
            )
        client.put_object(Bucket="photos", Key="in/bad.png", Body=b"no picture")
        client.put_object(Bucket="photos", Key="in/empty.png", Body=b"")
        client.put_object(Bucket="photos", Key="in/readme.txt", Body=b"text")
        yield client
        client.close()
    server.stop()


@pytest.fixture
def local(s3: Any, tmp_path: Path) -> Path:
    """What is in the bucket, as a folder."""
    for one in s3.list_objects_v2(Bucket="photos", Prefix="in/")["Contents"]:
        file = tmp_path / "local" / one["Key"].removeprefix("in/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(s3.get_object(Bucket="photos", Key=one["Key"])["Body"].read())
    return tmp_path / "local"


def rows(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("engine", ["fork", "spawn", "threads"])
def test_rows_are_those_of_a_local_folder(
    run_fmnist: RunFmnist, exported_dir: Path, local: Path, engine: str
) -> None:
    options = "--engine", engine, "--workers", "2", "-m", "cnn", "--models-dir", exported_dir
    there = run_fmnist("classify", "s3://photos/in/", *options)
    here = run_fmnist("classify", local, *options)
    assert there.code == here.code == 3, there.stderr
    assert rows(there.stdout) == sorted(rows(here.stdout), key=lambda row: row["path"])
    assert "1 other file skipped: 1 .txt" in there.stderr
    assert "Unclosed" not in there.stderr


def test_pages_and_lists(
    run_fmnist: RunFmnist, s3: Any, exported_dir: Path, tmp_path: Path
) -> None:
    options = "-m", "cnn", "--models-dir", exported_dir
    listing = tmp_path / "list"
    keys = ["03.png", "folder 1/03.png", "empty.png", "bad.png"]
    listing.write_text("".join(f"s3://photos/in/{key}\n" for key in keys))
    done = run_fmnist("classify", "--from-file", listing, *options)
    found = {row["path"].removeprefix("s3://photos/in/"): row["error"] for row in rows(done.stdout)}
    assert found["folder 1/03.png"] is None
    assert found["03.png"] == "cannot read s3://photos/in/03.png: it does not exist"
    assert "empty" in found["empty.png"]
    single = run_fmnist("classify", "s3://photos/in/00.png", *options)
    assert [row["path"] for row in rows(single.stdout)] == ["s3://photos/in/00.png"]
    few = run_fmnist("classify", "s3://photos/in", "--no-recursive", "--limit", "2", *options)
    assert [row["path"] for row in rows(few.stdout)] == ["00.png", "01.png"]


def test_all_pages_of_a_listing(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fmnist_cli.remote import opened
    from fmnist_cli.sources import open_sources

    system, _ = opened("s3://photos/in/")
    call = system.call_s3
    calls = []

    def few(*arguments: Any, **options: Any) -> Any:
        calls.append(options)
        return call(*arguments, **options, MaxKeys=10)

    monkeypatch.setattr(system, "call_s3", few)
    source = open_sources(["s3://photos/in/"])
    calls.clear()
    items = list(source)
    assert len(items) == COUNT + 2
    assert len(calls) == 4
    assert items[0].signature().startswith(f"{items[0].held} ")


def test_a_killed_run_into_parts_goes_on(
    run_fmnist: RunFmnist, s3: Any, exported_dir: Path, tmp_path: Path
) -> None:
    options = "-m", "cnn", "--models-dir", exported_dir, "--workers", "1", "--batch-size", "1"
    arguments = "classify", "s3://photos/in/", "-o", "s3://photos/rows/", *options
    running = subprocess.Popen(
        command(*map(str, arguments)), env=environment(tmp_path), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while "Contents" not in s3.list_objects_v2(Bucket="photos", Prefix="rows/_parts"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    done = run_fmnist(*arguments)
    assert done.code == 3, done.stderr
    again = run_fmnist(*arguments)
    assert "nothing left to label" in again.stderr
    merged = run_fmnist("merge", "s3://photos/rows/", "-o", "s3://photos/rows.csv")
    assert merged.code == 0, merged.stderr
    whole = tmp_path / "whole.csv"
    run_fmnist("classify", "s3://photos/in/", "-o", whole, *options)
    body = s3.get_object(Bucket="photos", Key="rows.csv")["Body"].read()
    assert body == whole.read_bytes()
    record = s3.get_object(Bucket="photos", Key="rows/_parts.run.json")["Body"].read().decode()
    for text in (record, done.stderr, again.stderr, merged.stderr):
        assert "sesame" not in text


def test_what_is_wrong_is_said_in_a_line(
    run_fmnist: RunFmnist, s3: Any, exported_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "-m", "cnn", "--models-dir", exported_dir

    def said(*arguments: str) -> str:
        done = run_fmnist("classify", *arguments, *options)
        assert done.code in (1, 2), done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 2, done.stderr  # with a hint
        return done.stderr

    assert "cannot list s3://nowhere/: it does not exist" in said("s3://nowhere/")
    assert "cannot read s3://photos/no.png: it does not exist" in said("s3://photos/no.png")
    assert "cannot write s3://nowhere/r/_parts.run.json: it does not exist" in said(
        "s3://photos/in/", "-o", "s3://nowhere/r/"
    )
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert "cannot list s3://photos/ after 4 tries: Could not connect" in said("s3://photos/")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "Unable to locate credentials" in said("s3://photos/")


def test_one_request_for_an_object(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fmnist_cli.remote import opened
    from fmnist_cli.sources.objects import RemoteItem

    system, _ = opened("s3://photos/in/")
    asked = []
    real = system._call_s3

    async def call(method: str, *arguments: Any, **named: Any) -> Any:
        asked.append(method)
        return await real(method, *arguments, **named)

    monkeypatch.setattr(system, "_call_s3", call)
    content = encoded(frame(1))
    assert RemoteItem("01.png", "s3://photos/in/", "01.png", len(content)).read() == content
    assert asked == ["get_object"]
