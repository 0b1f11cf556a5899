"""A model that wants another input, 64×48 in colour, goes the whole way by the usual commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import toypictures
from synthetic import write_files
from typer.testing import CliRunner

from fmnist_cli.cli import build_app
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session

COUNTS = {"t-shirt": 8, "pants": 8, "shoes": 8, "hat": 6}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data and pictures, where the toy is trained and exported."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "data").mkdir()
    write_files(folder / "data", train=600, test=100)
    toypictures.write_pictures(folder / "photos", COUNTS)
    toypictures.write_pictures(folder / "others", COUNTS, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        toypictures.register(patch)
        patch.chdir(folder)
        patch.setenv("FMNIST_DATA_DIR", str(folder / "data"))
        said("train", "toy", "--photos", "photos", "--preset", "quick")
        said("export", "toy")
        yield folder


def said(*arguments: str) -> str:
    """Standard output of a command that succeeds."""
    done = CliRunner().invoke(build_app(arguments[0]), list(arguments))
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.stdout


def test_the_card_says_what_the_graph_wants(place: Path) -> None:
    session = Session(open_model("toy", place / "exported"))
    assert session.card.input == toypictures.INPUT
    assert session.card.test_accuracy is None
    limits = session.card.novelty_limits
    assert list(limits) == ["0.5", "0.8", "0.9", "0.95", "0.98", "0.99", "0.999"]
    assert list(limits.values()) == sorted(limits.values())


def test_pictures_are_classified_by_name_and_by_path_alike(place: Path) -> None:
    rows = [
        json.loads(line)
        for line in said("classify", "others", "-m", "toy", "--unknown").splitlines()
    ]
    assert len(rows) == sum(COUNTS.values())
    shirts = [row["label"] for row in rows if row["path"].startswith("t-shirt/")]
    assert shirts.count("T-shirt/top") >= 6
    assert {row["prepared"] for row in rows} == {"letterbox"}
    by_path = said("classify", "others", "-m", "exported/toy.onnx", "--unknown")
    assert [json.loads(line) for line in by_path.splitlines()] == rows


def test_folders_are_evaluated(place: Path) -> None:
    said("evaluate", "--data", "others", "-m", "toy", "-o", "evaluated.json")
    document = json.loads((place / "evaluated.json").read_text(encoding="utf-8"))
    (model,) = document["models"].values()
    assert model["macro_accuracy"] > 0.8
    assert model["folders"]["shoes"]["classes"] == ["Sandal", "Sneaker", "Ankle boot"]


def test_it_is_timed_and_explained(place: Path) -> None:
    said("bench", "-m", "toy", "--rounds", "1", "--seconds", "0.1", "-o", "bench.json")
    document = json.loads((place / "bench.json").read_text(encoding="utf-8"))
    assert document["models"]
    said("explain", "others/pants/000.jpg", "-m", "toy", "-o", "explained")
    (item,) = json.loads((place / "explained" / "explain.json").read_text(encoding="utf-8"))[
        "items"
    ]
    assert item["predicted"] == "Trouser"
