"""A run that is killed at any instant ends, resumed, with the bytes of an uninterrupted one."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest
from pictures import encoded, frame, smooth
from process import command, environment

from fmnist_cli.errors import EXIT_REJECTED

KILLS = {"jsonl": 14, "csv": 6, "parquet": 6}  # rows are kept in the same journal for all
MIDDLE = 2  # of them with some rows done and some not
PICTURES = 1800


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some thousand files, good and bad, in several folders; links, so that they cost nothing."""
    root = tmp_path_factory.mktemp("resume")
    contents = [encoded(frame(seed)) for seed in range(7)]
    contents += [b"a text", encoded(smooth(60, 40, 3), "JPEG"), encoded(frame(8))[:-40]]
    for index, content in enumerate(contents):
        (root / f"seed{index}").write_bytes(content)
    for index in range(PICTURES):
        directory = root / "pictures" / f"{index % 7}"
        directory.mkdir(parents=True, exist_ok=True)
        os.link(root / f"seed{index % len(contents)}", directory / f"{index:05}.png")
    return root / "pictures"


def arguments(folder: Path, target: Path, models: Path) -> list[str]:
    # One worker and small batches: slow enough to be killed in the middle.
    options = ["-m", "cnn", "--models-dir", models, "--workers", 1, "--batch-size", 1, "-q"]
    return command("classify", folder, "-o", target, *map(str, options))


@pytest.mark.parametrize("suffix", KILLS)
def test_killed_at_random_instants(
    suffix: str, folder: Path, exported_dir: Path, tmp_path: Path
) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    whole = tmp_path / f"whole.{suffix}"
    env = environment(tmp_path)
    started = time.monotonic()
    subprocess.run(arguments(folder, whole, exported_dir), env=env, check=False)
    duration = time.monotonic() - started
    rng = random.Random(suffix)
    kills = in_the_middle = runs = 0
    while kills < KILLS[suffix] or in_the_middle < MIDDLE:
        # Another file each time: one that was finished unharmed would only be found finished again.
        target = tmp_path / f"{runs}.{suffix}"
        runs += 1
        code: int | None = None
        while code is None:
            assert kills + runs < 10 * KILLS["jsonl"]  # else the test tests nothing
            line = [*arguments(folder, target, exported_dir), "--resume"]
            started, fresh = time.monotonic(), not list(tmp_path.glob(f"{target.name}*"))
            with subprocess.Popen(line, env=env, stderr=subprocess.DEVNULL) as run:
                try:
                    code = run.wait(timeout=rng.uniform(0.2, 1.05) * duration)
                    if fresh:  # the first measurement was of a busy moment
                        duration = min(duration, time.monotonic() - started)
                except subprocess.TimeoutExpired:
                    run.kill()
                    kills += 1
                    duration *= 1.02  # or of a calm one
                    in_the_middle += 0 < inputs_done(target) < PICTURES
                    assert not target.exists() or target.read_bytes() == whole.read_bytes()
        assert code == EXIT_REJECTED
        assert target.read_bytes() == whole.read_bytes()
        assert not list(tmp_path.glob("*.partial"))


def inputs_done(target: Path) -> int:
    record = target.with_name(f"{target.name}.run.json")
    return int(json.loads(record.read_text())["inputs"]) if record.exists() else 0
