"""`fmnist explain` as a person types it."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import toypictures
from htmlpage import Page
from PIL import Image
from process import Finished, RunFmnist
from synthetic import write_files
from typer.main import get_command
from typer.testing import CliRunner

from fmnist_cli.cli import build_app
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import FmnistError
from fmnist_cli.inference.models import shipped_dir
from fmnist_cli.manifest import Manifest

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 synthetic test images."""
    return write_files(tmp_path_factory.mktemp("data"), train=40, test=60)


def explain(*arguments: str | Path) -> Finished:
    """`fmnist explain ARGUMENT…` within this process, which has loaded PyTorch already."""
    result = CliRunner().invoke(build_app("explain"), ["explain", *map(str, arguments)])
    if isinstance(result.exception, FmnistError):
        return Finished(result.exception.exit_code, result.stdout, str(result.exception))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Finished(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="module")
def explained(run_fmnist: RunFmnist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made of two pictures and one that is none."""
    folder = tmp_path_factory.mktemp("explained")
    pictures = folder / "pictures <b>"
    pictures.mkdir()
    for name in ("coat.png", "sneaker.png"):
        (pictures / name).write_bytes((SAMPLES / "frames" / name).read_bytes())
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    done = run_fmnist("explain", pictures, "--model", "cnn", "-o", folder / "out")
    assert done.code == 3, done.stderr
    assert done.stdout.strip() == str(folder / "out")
    assert "2 explained by layercam at stages, 1 rejected" in done.stderr
    assert "rejected: broken.png: " in done.stderr
    return folder / "out"


def read(folder: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((folder / "explain.json").read_text(encoding="utf-8"))


def test_the_json_says_what_was_asked_and_found(explained: Path, run_fmnist: RunFmnist) -> None:
    document = read(explained)
    assert document["format"] == 1
    assert document["model"] == {
        "name": "cnn",
        "sha256": Manifest.read(shipped_dir()).models["cnn"].sha256,
    }
    assert str(explained.parent) not in json.dumps(document)
    assert [item["source"] for item in document["items"]] == ["coat.png", "sneaker.png"]
    assert [row["path"] for row in document["rejected"]] == ["broken.png"]
    frames = SAMPLES / "frames"
    labelled = run_fmnist("classify", frames / "coat.png", "--model", "cnn")
    row = json.loads(labelled.stdout)
    first = document["items"][0]
    assert (first["predicted"], first["confidence"]) == (row["label"], row["confidence"])
    assert first["target"] == first["predicted"]
    assert first["true"] is first["split"] is first["index"] is None
    heat = np.frombuffer(b64decode(first["heat"]), np.uint8)
    assert heat.size == 784
    assert heat.max() == 255


def test_the_files_show_the_pictures(explained: Path) -> None:
    for item in read(explained)["items"]:
        image = np.asarray(Image.open(explained / item["file"]).convert("RGB"))
        original = np.asarray(Image.open(SAMPLES / "frames" / item["source"]).convert("L"))
        np.testing.assert_array_equal(image[22 : 22 + 224 : 8, 8 : 8 + 224 : 8, 0], original)
    assert sorted(path.name for path in explained.iterdir()) == [
        *("0001-coat.png", "0002-sneaker.png", "explain.json", "index.html")
    ]


def test_the_page_is_whole_and_loads_nothing(explained: Path) -> None:
    content = (explained / "index.html").read_text(encoding="utf-8")
    images = Page(content).all("img")
    assert len(images) == 1 + 2 * 3
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in images)
    assert all(image["alt"] for image in images)
    assert "default-src 'none'" in content
    assert not re.search(r"https?://", content)
    assert "<b>" not in content
    assert "1 rejected" in content


def test_images_of_the_data_set(data_dir: Path, tmp_path: Path) -> None:
    options = ("--split", "test", "--class", "shirt", "--limit", "2", "--data-dir", data_dir)
    done = explain(
        *("--model", "cnn", "--method", "layercam", "--layer", "7x7", *options),
        *("--target", "true", "-o", tmp_path / "out"),
    )
    assert done.code == 0, done.stderr
    document = read(tmp_path / "out")
    assert document["method"] == "layercam"
    assert document["layer"] == "7x7"
    assert [(item["split"], item["index"]) for item in document["items"]] == [
        *(("test", 6), ("test", 16))
    ]
    assert {item["true"] for item in document["items"]} == {"Shirt"}
    assert {item["target"] for item in document["items"]} == {"Shirt"}
    assert "--class shirt --limit 2" in document["command"]
    assert "of another class than predicted" in (tmp_path / "out" / "index.html").read_text()


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    arguments = (SAMPLES / "frames" / "coat.png", "--model", "cnn", "-o", out)
    refused = explain(*arguments)
    assert refused.code == 2
    assert "is not empty (it holds mine.txt)" in refused.stderr
    assert explain(*arguments, "--force").code == 0
    assert (out / "mine.txt").read_text() == "mine"
    assert (out / "index.html").exists()


def test_only_rejected_pictures_are_reported_too(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    done = explain(broken, "--model", "cnn", "-o", tmp_path / "out")
    assert done.code == 3, done.stderr
    assert [row["path"] for row in read(tmp_path / "out")["rejected"]] == [str(broken)]


def test_the_gallery_has_maps_and_no_pixels(data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "explain.json"
    done = explain("--maps", target, "--model", "cnn", "--data-dir", data_dir)
    assert done.code == 0, done.stderr
    document = json.loads(target.read_text())
    assert document["command"] == (
        "fmnist explain --maps explain.json --model cnn --method layercam --layer stages"
    )
    assert set(document["models"]) == {"cnn"}
    keys = ["model", "method", "layer", "split", "index", "true", "predicted", "confidence"]
    for item in document["items"]:
        assert list(item) == [*keys, "target", "shape", "heat"]
        assert item["shape"] == [28, 28]
        assert len(b64decode(item["heat"])) == 784
        assert item["target"] == item["predicted"]
        assert CLASS_NAMES[item["index"] % 10] == item["true"]
    verdicts = [(item["true"], item["true"] == item["predicted"]) for item in document["items"]]
    assert len(verdicts) == len(set(verdicts)) >= 10


def test_errors_name_cause_and_fix(data_dir: Path, tmp_path: Path) -> None:
    coat, out = SAMPLES / "frames" / "coat.png", ("-o", tmp_path / "out")
    split = ("--split", "test", "--data-dir", data_dir)
    for arguments, code, message in (
        ((coat,), 2, "name the folder to write into with -o"),
        (out, 2, "name pictures, or take images of the data set with --split"),
        ((coat, *split, *out), 2, "one of both"),
        ((coat, "--wrong-only", *out), 2, "--wrong-only chooses from the data set"),
        ((coat, "--maps", "x.json"), 2, "--maps does not go with IMAGE"),
        (("--maps", "x.json", *out), 2, "--maps does not go with -o"),
        ((coat, "--model", "cnn", "-m", "resnet", *out), 2, "one --model at a time"),
        ((coat, "--model", "auto", *out), 2, "which explain does not; name one"),
        ((coat, "--prepare", "magic", *out), 2, "choose from auto, frame, product"),
        ((coat, "--target", "Hat", *out), 2, "--target 'Hat' is no class"),
        ((coat, "--target", "true", "-m", "cnn", *out), 2, "coat.png has not"),
        (
            (coat, "--method", "magic", *out),
            2,
            "gradcam, hirescam, layercam, gradcam++",
        ),
        ((coat, "--layer", "9x9", "-m", "cnn", *out), 2, "choose from stages, 14x14, 7x7"),
        ((coat, "--model", "svm", *out), 1, "was not exported from a PyTorch network"),
        ((coat, "--model", "mlp", *out), 1, "choose a convolutional one: cnn, resnet"),
        ((tmp_path / "none.png", *out), 2, "there is no file or folder"),
        (
            ("--split", "all", *out),
            2,
            "nvalid value for '--split': 'all' is not one of 'test', 'validation'",
        ),
        ((*split, "--index", "60", "-m", "cnn", *out), 2, "--index 60 is none of the 60"),
    ):
        done = explain(*arguments)
        assert done.code == code, (arguments, done.stderr)
        assert message in done.stderr, (arguments, done.stderr)
    assert not (tmp_path / "out").exists()


def test_every_option_is_documented() -> None:
    command = get_command(build_app("explain")).commands["explain"]  # type: ignore[attr-defined]
    text = (SAMPLES.parents[1] / "docs" / "explain.md").read_text(encoding="utf-8")
    parameters = [one for one in command.params if one.expose_value]  # others: command-line.md
    options = [name for one in parameters for name in one.opts if name[:2] == "--"]
    assert len(options) > 12
    assert not [name for name in options if name not in text and name not in {"--help", "--output"}]


def test_a_photo_is_explained_in_its_own_colours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    toypictures.register(monkeypatch)
    model = toypictures.file_of(toypictures.classifier(), tmp_path).path
    rows, columns = np.mgrid[0:120, 0:80]
    picture = np.stack([2 * rows, 3 * columns, rows + columns], axis=2).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    done = explain(tmp_path / "photo.png", "--model", model, "-o", tmp_path / "out")
    assert done.code == 0, done.stderr
    (item,) = read(tmp_path / "out")["items"]
    assert item["predicted"] in toypictures.NAMES
    assert item["shape"] == [48, 64]
    assert len(b64decode(item["heat"])) == 48 * 64
    content = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert content.count('class="whole" src="data:image/webp;base64,') == 4
    # The original comes first; it is drawn without losses in the file, and small on the page.
    shown = Page(content).all("img")[1]
    assert str(shown["alt"]).endswith("photo.png, the original")
    original = Image.open(io.BytesIO(b64decode(str(shown["src"]).partition(",")[2])))
    assert original.size == (80, 120)
    assert abs(np.asarray(original.convert("RGB")).astype(int) - picture).mean() < 4
    image = np.asarray(Image.open(tmp_path / "out" / item["file"]).convert("RGB")).astype(int)
    large = np.asarray(Image.fromarray(picture).resize((149, 224), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(image[22 : 22 + 224, 8 + 37 : 8 + 37 + 149], large)
    first = image[22 : 22 + 224, 16 + 224 : 16 + 448]
    # 80×120 becomes 32×48 in the middle of 64×48, and that 3.5 times as large.
    left, right = first[60, 60], first[160, 160]
    assert right[1] > left[1] + 100  # green grows from left to right
    assert right[0] > left[0] + 60  # and red from top to bottom
    assert np.ptp(first[100, 30]) < 8  # an even ground beside it
    refused = explain("--split", "test", "--model", model, "-o", tmp_path / "other")
    assert refused.code == 1
    assert "is for other images or classes than Fashion-MNIST's" in refused.stderr
    refused = explain(
        *(tmp_path / "photo.png", "--prepare", "product"),
        *("--model", model, "-o", tmp_path / "other"),
    )
    assert refused.code == 2
    assert "--prepare product is for models that take frames" in refused.stderr
