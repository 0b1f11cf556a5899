"""The same pictures give the same rows, byte for byte, however they are stored and worked off."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing import as_folder, as_parquet, as_tar, as_zip
from pictures import encoded, frame, smooth
from process import RunFmnist

from fmnist_cli.contract import Pixels, Prediction, Rejected
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FRAME_SPEC
from fmnist_cli.decode import decode
from fmnist_cli.engines import ENGINES, default_engine
from fmnist_cli.inference.classifier import Classifier, Route
from fmnist_cli.inference.session import Outputs
from fmnist_cli.preprocess import preprocess
from fmnist_cli.progress import Tally
from fmnist_cli.run import Job
from fmnist_cli.sinks import open_line_format
from fmnist_cli.sinks.outputs import Plan
from fmnist_cli.sources import open_sources

KINDS: dict[str, bytes] = {
    "frame": encoded(frame(1)),
    "other frame": encoded(frame(2)),
    "grey": encoded(smooth(40, 60, seed=3).reshape(60, 40)),
    "photo": encoded(smooth(90, 70, 3, seed=4), "JPEG"),
    "turned": encoded(smooth(64, 48, 3, seed=5), "WEBP"),
    "palette": encoded(smooth(30, 30, 3, seed=6), "GIF"),
    "text": b"not a picture",
    "empty": b"",
    "cut": encoded(frame(7))[:-40],
}
BAD = {"text", "empty", "cut"}
ROOMS = ["", "a/", "a/b/", "c/"]

Files = dict[str, bytes]
PACKERS: dict[str, tuple[str, Callable[[Files, Path], Path]]] = {
    "folder": ("folder", as_folder),
    "zip": ("rows.zip", as_zip),
    "tar": ("rows.tar", as_tar),
    "tar.gz": ("rows.tar.gz", as_tar),
    "parquet": ("rows.parquet", as_parquet),
}


def some_files(count: int) -> Files:
    kinds = list(KINDS)
    named = {
        f"{ROOMS[index % 4]}{index:04}.png": KINDS[kinds[index * 5 % len(kinds)]]
        for index in range(count)
    }
    return in_walking_order(named)


def in_walking_order(files: Files) -> Files:
    """As a folder is walked: by the parts of the path."""
    return dict(sorted(files.items(), key=lambda entry: entry[0].split("/")))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("pyarrow")
    root = tmp_path_factory.mktemp("packed")
    files = some_files(300)
    return {kind: pack(files, root / name) for kind, (name, pack) in PACKERS.items()}


@pytest.fixture(scope="module")
def expected(packed: dict[str, Path], exported_dir: Path, run_fmnist: RunFmnist) -> str:
    options = ("-m", "cnn", "--models-dir", exported_dir, "--workers", "1", "--batch-size", "1")
    done = run_fmnist("classify", packed["folder"], *options, "--format", "jsonl")
    assert done.stdout.count("\n") == 300
    return str(done.stdout)


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("options", ["--workers 3 --batch-size 7", "--workers 2"])
def test_same_rows_from_every_kind_of_source(
    kind: str,
    options: str,
    packed: dict[str, Path],
    expected: str,
    exported_dir: Path,
    run_fmnist: RunFmnist,
) -> None:
    model = ("-m", "cnn", "--models-dir", exported_dir, "--format", "jsonl")
    done = run_fmnist("classify", packed[kind], *model, *options.split())
    assert done.stdout == expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", ["cnn", "auto"])
def test_same_rows_from_every_engine(
    engine: str, model: str, packed: dict[str, Path], run_fmnist: RunFmnist
) -> None:
    source = ("classify", packed["folder"], "-m", model, "--format", "jsonl", "--unknown")
    plain = run_fmnist(*source, "--workers", "1")
    done = run_fmnist(*source, "--workers", "2", "--batch-size", "20", "--engine", engine)
    assert done.stdout == plain.stdout
    assert done.stdout.count("\n") == 300


@pytest.mark.parametrize("workers", ["1", "4"])
@pytest.mark.parametrize("batch_size", ["1", "512"])
@pytest.mark.parametrize("model", ["cnn", "knn", "random-forest"])
def test_same_rows_for_any_workers_and_batches(
    model: str, workers: str, batch_size: str, packed: dict[str, Path], run_fmnist: RunFmnist
) -> None:
    source = ("classify", packed["folder"], "-m", model, "--format", "jsonl", "--top-k", "10")
    plain = run_fmnist(*source)
    done = run_fmnist(*source, "--workers", workers, "--batch-size", batch_size)
    assert done.stdout == plain.stdout
    assert done.stdout.count("\n") == 300


choices = st.lists(
    st.tuples(st.sampled_from(list(KINDS)), st.sampled_from(ROOMS)), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    choices=choices,
    packing=st.sampled_from(["folder", "zip", "tar", "tar.gz", "parquet"]),
    workers=st.integers(1, 3),
    batch_size=st.none() | st.integers(1, 9),
    into=st.sampled_from(["jsonl", "csv"]),
)
def test_rows_out_are_inputs_in(
    choices: list[tuple[str, str]],
    packing: str,
    workers: int,
    batch_size: int | None,
    into: str,
) -> None:
    """Random mixtures of good and bad files and of kinds of source."""
    if packing == "parquet":
        pytest.importorskip("pyarrow")
    kinds = {f"{room}{index:03}.png": kind for index, (kind, room) in enumerate(choices)}
    files = in_walking_order({path: KINDS[kind] for path, kind in kinds.items()})
    with tempfile.TemporaryDirectory() as folder:
        name, pack = PACKERS[packing]
        source = open_sources([str(pack(files, Path(folder) / name))])
        format_ = open_line_format(into, 3)
        job = Job(
            source=source,
            classify=Classifier(Route(first_pixel, FRAME_SPEC, CLASS_NAMES)),
            tally=Tally(CLASS_NAMES),
            plan=Plan(Path(folder) / "rows", format_, (), {}),
            workers=workers,
            batch_size=batch_size,
            engine=default_engine(),
        )
        job.run()
        rows = list(format_.read(Path(folder) / "rows"))
    assert [row.path for row in rows] == list(files)
    for row in rows:
        kind = kinds[row.path]
        assert isinstance(row, Rejected) == (kind in BAD)
        if isinstance(row, Prediction):
            pixels, prepared = preprocess(decode(KINDS[kind]), FRAME_SPEC)
            assert (row.class_id, row.prepared) == (pixels[0, 0] % 10, prepared)
    assert job.tally.total == len(files)
    assert job.tally.rejected == sum(kind in BAD for kind in kinds.values())


def first_pixel(pixels: Pixels) -> Outputs:
    """Probabilities of 1 for the class that the first pixel names."""
    return Outputs(np.eye(10, dtype=np.float32)[pixels[:, 0, 0] % 10])


def test_a_webdataset_shard_gives_its_pictures(
    tmp_path: Path, exported_dir: Path, run_fmnist: RunFmnist
) -> None:
    for shard in range(2):
        with tarfile.open(tmp_path / f"shard-{shard:03}.tar", "w") as archive:
            for key in range(3):
                for suffix, content in (("png", KINDS["frame"]), ("cls", b"3"), ("json", b"{}")):
                    member = tarfile.TarInfo(f"{key:05}.{suffix}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    model = ("-m", "cnn", "--models-dir", exported_dir, "--format", "csv")
    done = run_fmnist("classify", str(tmp_path / "shard-{000..001}.tar"), *model)
    paths = [line.partition(",")[0] for line in done.stdout.splitlines()[1:]]
    shards = [f"{tmp_path}/shard-{shard:03}.tar" for shard in range(2)]
    assert paths == [f"{shard}/{key:05}.png" for shard in shards for key in range(3)]
    assert "12 other files skipped" in done.stderr


def test_shards_of_the_work_together_are_the_whole(
    packed: dict[str, Path], expected: str, exported_dir: Path, run_fmnist: RunFmnist
) -> None:
    model = ("-m", "cnn", "--models-dir", exported_dir, "--format", "jsonl")
    parts = [
        run_fmnist("classify", packed["zip"], *model, "--shard", f"{part}/3").stdout.splitlines()
        for part in (1, 2, 3)
    ]
    assert all(parts)
    assert sorted(line for part in parts for line in part) == sorted(expected.splitlines())


def test_a_damaged_archive_is_told_before_any_row(
    tmp_path: Path, exported_dir: Path, run_fmnist: RunFmnist
) -> None:
    path = as_zip({"a.png": KINDS["frame"]}, tmp_path / "cut.zip")
    path.write_bytes(path.read_bytes()[:-10])
    assert not zipfile.is_zipfile(path)
    done = run_fmnist("classify", path, "-m", "cnn", "--models-dir", exported_dir)
    assert (done.code, done.stdout) == (1, "")
    assert "cut.zip" in done.stderr
    assert "Traceback" not in done.stderr
