"""`fmnist learn`: own classes, from folders and from files of labels."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from process import Finished, run, run_here

from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.learn.head import cross_validate, fit

COLORS = {"red ü": (40, 40, 220), "green 🧦": (60, 180, 40), "blue": (220, 80, 30)}


def write_pictures(root: Path, counts: dict[str, int], seed: int = 0) -> Path:
    """Noisy pictures, of one colour in each folder; a class may have folders below it."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.array(COLORS[name]) + rng.integers(-30, 31, (60, 50, 3))
            content = cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()
            (folder / f"{seed}-{number}.png").write_bytes(content)
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where ``mine`` was learned: three classes of six pictures, one of them damaged."""
    home = tmp_path_factory.mktemp("learn")
    write_pictures(home / "mine", dict.fromkeys(COLORS, 6))
    (home / "mine" / "blue" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (home / "mine" / "blue" / ".DS_Store").write_bytes(b"x")
    shutil.copy(home / "mine" / "blue" / "0-0.png", home / "mine" / "blue" / "again.png")
    return home


@pytest.fixture(scope="module")
def learned(home: Path) -> Finished:
    return run_here("learn", "mine", "--report", "wrong.html", home=home)


def rows(home: Path, *words: str) -> list[dict[str, object]]:
    done = run("classify", *words, home=home)
    assert done.code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_folders_are_learned_and_what_is_left_out_is_told(home: Path, learned: Finished) -> None:
    assert learned.code == 3, learned.stderr
    assert "left out: pictures that are there twice: 1" in learned.stderr
    assert "left out: blue/bad.png: " in learned.stderr
    assert "accuracy 1.0000 on 18 pictures" in learned.stdout
    # So few do not say much: 6 of 6 may still be half of them wrong.
    assert "6 of 6  100.0%  42%–100%" in learned.stdout
    assert "Every picture has the right label" in (home / "wrong.html").read_text("utf-8")
    assert (home / "mine.learned.npz").stat().st_size < 300_000


def test_by_name_and_by_path_it_says_the_same(home: Path, learned: Finished) -> None:
    test = write_pictures(home / "test", {"blue": 3, "green 🧦": 3}, seed=1)
    by_name = rows(home, str(test), "-m", "mine", "--unknown")
    assert by_name == rows(home, str(test), "-m", "mine.onnx", "--unknown")
    assert [row["label"] for row in by_name].count("unknown") < 3
    sure = rows(home, str(test), "-m", "mine")
    assert [row["label"] for row in sure] == ["blue"] * 3 + ["green 🧦"] * 3
    black = home / "strange.png"
    checkered = (np.indices((60, 50)).sum(axis=0) % 2 * 255).astype(np.uint8)
    black.write_bytes(cv2.imencode(".png", checkered)[1].tobytes())
    assert rows(home, str(black), "-m", "mine", "--unknown")[0]["label"] == "unknown"


def test_other_commands_know_it(home: Path, learned: Finished) -> None:
    test = write_pictures(home / "more", {"blue": 2, "red ü": 2}, seed=2)
    done = run_here("evaluate", "--data", test, "-m", "mine", "--json", home=home)
    assert json.loads(done.stdout)["models"]["mine"]["accuracy"] == 1
    done = run_here("explain", test / "blue", "-m", "mine", "-o", "maps", home=home)
    assert done.code == 0, done.stderr
    assert len(list((home / "maps").glob("*.png"))) >= 2
    done = run_here("bench", "-m", "mine", "--seconds", "0.1", "--rounds", "1", home=home)
    assert done.code == 0, done.stderr


def test_a_file_of_labels_is_learned_and_added(home: Path, learned: Finished) -> None:
    write_pictures(home / "new", {"blue": 3, "red ü": 2}, seed=3)
    write_pictures(home / "new", {"green 🧦": 5}, seed=4)
    (home / "new" / "'=quote.png").write_bytes((home / "new" / "blue" / "3-0.png").read_bytes())
    names = [p.relative_to(home / "new").as_posix() for p in sorted((home / "new").rglob("*.png"))]
    # Blue was wrong: these are called sky. One has no label, one is gone, one leads upward.
    labels = {name: "sky/day" if "blue" in name else "olive" for name in names if "red" not in name}
    labels.pop("'=quote.png")
    for seed in (5, 6):
        write_pictures(home / "new", {"blue": 3}, seed=seed)
        labels |= {f"blue/{seed}-{number}.png": "sky/day" for number in range(3)}
    with (home / "corrected.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "predicted", "mark"])
        writer.writerows([name, label, "x", ""] for name, label in labels.items())
        writer.writerow(["red ü/3-0.png", "", "x", ""])
        writer.writerow(["gone.png", "sky/day", "x", ""])
    words = ("--labels", "corrected.csv", "--root", "new", "--add", "mine.onnx", "-o", "two.onnx")
    done = run_here("learn", *words, "--json", home=home)
    assert done.code == 0, done.stderr
    assert "rows without a label: 1" in done.stderr
    assert "1 of 15 pictures are not in new: gone.png" in done.stderr
    values = json.loads(done.stdout)
    assert values["classes"] == sorted([*COLORS, "sky/day", "olive"])
    assert values["learned"] == 18 + 14
    assert sum(one["images"] for one in values["folders"].values()) == 14
    assert Session(open_model(str(home / "two.onnx"))).card.class_names == tuple(values["classes"])
    again = run_here("evaluate", "--labels", "corrected.csv", "--root", "new", "-m", "two",
                     "--json", home=home)  # fmt: skip
    assert json.loads(again.stdout)["models"]["two"]["images"] == 14


@pytest.mark.parametrize(
    ("counts", "extra", "said"),
    [
        ({}, {}, "holds no labelled pictures"),
        ({"blue": 6}, {}, "has one class only, blue"),
        ({"blue": 6, "red ü": 2}, {}, "at least 5 different pictures of a class are needed, too"),
        ({"blue": 6, "green 🧦": 6}, {"Unknown": "green 🧦"}, 'have the label "Unknown"'),
        ({"blue": 6, "green 🧦": 6}, {"BLUE": "green 🧦"}, "give both the same name"),
        ({"blue": 6, "green 🧦": 6}, {"other": "blue"}, "are the same picture in two classes"),
    ],
)
def test_what_cannot_be_learned_gets_a_clear_word(
    tmp_path: Path, counts: dict[str, int], extra: dict[str, str], said: str
) -> None:
    root = tmp_path / "own"
    root.mkdir()
    write_pictures(root, counts)
    for name, source in extra.items():
        shutil.copytree(root / source, root / name)
    done = run_here("learn", "own", home=tmp_path)
    assert (done.code, said in done.stderr) == (1, True), done.stderr
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.png,x\na.png,y\n", "a.png has two labels, x and y"),
        ("path,label\na.png,\n", "no row has a path and a label"),
        ("file,label\na.png,x\n", "with the columns path and label"),
        ("path,label\na.png,x\nb.png,y\n", "2 of 2 pictures are not in"),
        ('{"path": "a.png", "label": 3}\n', "is no CSV, JSON Lines or Parquet file"),
        ("[3]\n", "is no CSV, JSON Lines or Parquet file"),
    ],
)
def test_a_file_that_holds_no_labels_gets_a_clear_word(
    tmp_path: Path, text: str, said: str
) -> None:
    name = "labels.csv" if text.startswith(("path", "file")) else "labels.jsonl"
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = run_here("learn", "--labels", name, home=tmp_path)
    assert (done.code, said in done.stderr) == (1, True), done.stderr


def test_a_wrong_command_line_is_told_before_any_work(home: Path, learned: Finished) -> None:
    for words, said in (
        (("mine.onnx",), "is a model; name a folder"),
        (("mine", "-o", "photo.onnx"), "the name of a model that is there already"),
        (("mine", "-o", "mine.zip"), "ends in .onnx"),
        (("mine", "--labels", "x.csv"), "one of both"),
        (("none",), "no folder called 'none'"),
    ):
        done = run_here("learn", *words, home=home)
        assert (done.code, said in done.stderr) == (2, True), done.stderr


def test_memory_belongs_to_its_model(home: Path, learned: Finished, tmp_path: Path) -> None:
    shutil.copy(home / "mine.onnx", tmp_path / "a.onnx")
    shutil.copytree(home / "mine", tmp_path / "mine")
    for content, said in (
        (None, "No such file or directory"),
        (b"PK\x03\x04 no archive", "cannot be read"),
    ):
        if content is not None:
            (tmp_path / "a.learned.npz").write_bytes(content)
        done = run_here("learn", "mine", "--add", "a.onnx", "-o", "b.onnx", home=tmp_path)
        assert (done.code, said in done.stderr) == (1, True), done.stderr
    with np.load(home / "mine.learned.npz") as stored:
        np.savez(tmp_path / "a.learned.npz", **{**stored, "model": np.array("another")})
    done = run_here("learn", "mine", "--add", "a.onnx", "-o", "b.onnx", home=tmp_path)
    assert "does not belong to a.onnx" in done.stderr


def test_a_head_of_two_classes_and_its_cross_validation() -> None:
    rng = np.random.default_rng(0)
    members = np.repeat([0, 1], 20)
    centers = rng.normal(size=(2, 1, 1, 30))
    embeddings = (centers[members][:, 0] + rng.normal(size=(40, 2, 30))).astype(np.float32)
    strength, held = cross_validate(embeddings, members)
    assert held.folds == 10
    assert held.accuracy(members) > 0.9
    head = fit(embeddings, members, strength)
    said = head.logits(embeddings[:, 0])
    assert said.shape == (40, 2)
    assert (said.argmax(axis=1) == members).all()
    # The distance to the nearest center, written out.
    distances = ((embeddings[:, 0, None] - head.centers) ** 2).sum(axis=2).min(axis=1)
    assert head.novelty(embeddings[:, 0]) == pytest.approx(distances, rel=1e-4)
