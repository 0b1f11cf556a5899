"""`fmnist data audit` as a person types it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from htmlpage import Page
from idxfiles import write_idx
from process import RunFmnist
from synthetic import images
from typer.testing import CliRunner

from fmnist_cli.audit.labels import Judgements
from fmnist_cli.cli.data import app
from fmnist_cli.data.exclude import read_exclusions
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FILES
from fmnist_cli.errors import DataError

FLIPPED = {17: 2, 123: 0, 240: 8}  # position in the training file → wrong label


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 + 100 synthetic images with three wrong labels, and three pairs of duplicates."""
    folder = tmp_path_factory.mktemp("data")
    train, test = images(300, 1), images(100, 2)
    labels, shown = train.labels.copy(), test.pixels.copy()
    for position, label in FLIPPED.items():
        assert labels[position] != label
        labels[position] = label
    pixels = train.pixels.copy()
    shown[7] = pixels[17]  # whose label is wrong, but not here
    shown[5] = pixels[65, :, ::-1]
    pixels[220] = np.roll(pixels[200], 1, axis=1)
    for file, array in zip(FILES, (pixels, labels, shown, test.labels), strict=True):
        write_idx(folder / file.name, array.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def audited(
    data_dir: Path, run_fmnist: RunFmnist, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a whole audit, in `audit`, and its runs."""
    folder = tmp_path_factory.mktemp("audited")
    done = run_fmnist(
        *("data", "audit", "--model", "svm", "--preset", "quick", "--folds", "2"),
        *("-o", folder / "audit", "--runs-dir", folder / "runs", "--data-dir", data_dir),
    )
    assert done.code == 0, done.stderr
    assert done.stdout.strip() == str(folder / "audit")
    assert "[2/2] svm" in done.stderr
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_wrong_labels_come_first(audited: Path) -> None:
    issues = rows(audited / "audit" / "audit.csv")
    worst = issues[: len(FLIPPED)]
    assert {int(row["index"]): row["label"] for row in worst} == {
        position: CLASS_NAMES[label] for position, label in FLIPPED.items()
    }
    assert {row["suggested"] for row in worst} == {CLASS_NAMES[p % 10] for p in FLIPPED}
    assert [int(row["rank"]) for row in issues] == list(range(1, len(issues) + 1))
    margins = [float(row["margin"]) for row in issues]
    assert margins == sorted(margins)
    assert len(issues) < 12
    assert read_exclusions(audited / "audit" / "audit.csv", 3) == set(FLIPPED)


def test_duplicates_with_what_is_wrong_about_them(audited: Path) -> None:
    found = rows(audited / "audit" / "duplicates.csv")
    by_group: dict[str, list[dict[str, str]]] = {}
    for row in found:
        by_group.setdefault(row["group"], []).append(row)
    assert [
        [(row["split"], int(row["index"]), row["kind"]) for row in group]
        for group in by_group.values()
    ] == [
        # Labels that differ come first, then what is measured on and trained on.
        [("train", 17, "exact"), ("test", 7, "exact")],
        [("train", 65, "mirrored"), ("test", 5, "mirrored")],
        [("train", 200, "shifted"), ("train", 220, "shifted")],
    ]
    assert [row["conflicting"] for row in found] == ["true"] * 2 + ["false"] * 4
    assert [row["across_splits"] for row in found] == ["true"] * 4 + ["false"] * 2
    assert [row["keep"] for row in found] == ["false", "true"] * 2 + ["true", "false"]
    assert read_exclusions(audited / "audit" / "duplicates.csv") == {17, 65, 220}


def test_the_summary(audited: Path) -> None:
    summary = json.loads((audited / "audit" / "audit.json").read_text())
    assert summary["command"] == ("fmnist data audit --model svm --preset quick --folds 2 --seed 0")
    assert summary["images"] == {"train": 300, "test": 100}
    assert summary["accuracy"]["train_out_of_fold"] > 0.9
    assert set(summary["estimated_noise"]["train"]) == set(CLASS_NAMES)
    assert summary["duplicates"]["groups"] == 3
    assert summary["duplicates"]["conflicting_groups"] == 1
    assert summary["duplicates"]["test_images_also_in_train"] == 2
    counted = summary["issues"]["by_label_and_suggestion"]
    assert sum(pair["images"] for pair in counted) == summary["issues"]["total"]
    assert str(audited) not in json.dumps(summary)


def test_the_page_is_whole_and_loads_nothing(audited: Path) -> None:
    content = (audited / "audit" / "audit.html").read_text(encoding="utf-8")
    pictures = Page(content).all("img")
    issues = rows(audited / "audit" / "audit.csv")
    assert len(pictures) == len(issues) + 6
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in pictures)
    first = issues[0]
    assert pictures[0]["alt"] == (
        f"{first['split']} image {first['index']}, labelled {first['label']}"
    )
    assert "Judged by: svm, quick preset" in content
    assert "default-src 'none'" in content
    assert not re.search(r"https?://", content)


def test_given_probabilities_make_the_same_tables(
    audited: Path, data_dir: Path, run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    given = audited / "audit" / "probabilities.npz"
    done = run_fmnist(
        *("data", "audit", "--probabilities", given, "--top", "1"),
        *("-o", tmp_path / "again", "--data-dir", data_dir),
    )
    assert done.code == 0, done.stderr
    for name in ("audit.csv", "duplicates.csv", "probabilities.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (audited / "audit" / name).read_bytes()
    content = (tmp_path / "again" / "audit.html").read_text(encoding="utf-8")
    assert content.count("<img ") == 3  # an issue and a group
    words = ("data", "audit", "--probabilities", given, "-o", tmp_path / "again")
    refused = run_fmnist(*words, "--data-dir", data_dir)
    assert refused.code == 2
    assert "is not empty" in refused.stderr
    assert run_fmnist(*words, "--data-dir", data_dir, "--force").code == 0


def test_an_interrupt_says_how_to_go_on(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fmnist_cli.audit.folds.judge", interrupted)
    arguments = ["audit", "--data-dir", data_dir, "--runs-dir", tmp_path, "-o", tmp_path / "audit"]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 130
    assert "--resume goes on" in result.stderr
    assert len(list((tmp_path / "audit").glob("fold-*/cnn/pending.json"))) == 4


def test_errors_name_cause_and_fix(data_dir: Path, run_fmnist: RunFmnist, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = ("--data-dir", data_dir)
    for arguments, code, message in (
        (("--model", "vgg", *data), 2, "no model called 'vgg'; choose from"),
        (("--folds", "1", *data), 2, "--folds"),
        (("-o", tmp_path / "file", *data), 2, "is a file; name a folder"),
        (("--data-dir", tmp_path), 1, "fmnist data download"),
        (("--probabilities", tmp_path / "none.npz", *data), 1, "none.npz: no such file"),
    ):
        done = run_fmnist("data", "audit", *arguments)
        assert done.code == code, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_probabilities_must_be_of_these_images(tmp_path: Path) -> None:
    path = tmp_path / "given.npz"
    path.touch()
    with pytest.raises(DataError, match=r"given.npz: not an .npz file"):
        Judgements.read(path, (4, 2))
    good = Judgements(np.full((4, 10), 0.1, np.float32), np.full((2, 10), 0.1, np.float32))
    good.save(path)
    np.testing.assert_array_equal(Judgements.read(path, (4, 2)).train, good.train)
    with pytest.raises(DataError, match=r"train is float32 of shape \(4, 10\) where .*\(5, 10\)"):
        Judgements.read(path, (5, 2))
    Judgements(good.train, good.test * 2).save(path)
    with pytest.raises(DataError, match="test holds rows that are no probabilities"):
        Judgements.read(path, (4, 2))
    np.savez(path, train=good.train)
    with pytest.raises(DataError, match=r"not an .npz file with the arrays train and test"):
        Judgements.read(path, (4, 2))
