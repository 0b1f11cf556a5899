"""What is on the page: the numbers of the files, and nothing that loads."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from htmlpage import Page
from hypothesis import given
from hypothesis import strategies as st
from reportfiles import EPOCHS, TITLES, Folders

from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, ENV_VAR, find_data_dir
from fmnist_cli.errors import DataError
from fmnist_cli.manifest import Manifest
from fmnist_cli.report.accuracy import front
from fmnist_cli.report.inputs import Pictures, gather
from fmnist_cli.report.mistakes import mistakes
from fmnist_cli.report.page import make
from fmnist_cli.report.parts import sheet

ROOT = Path(__file__).resolve().parents[2]


def html_of(folders: Folders) -> str:
    return make(gather(folders.results, folders.models), Pictures.load(folders.data)).html


@pytest.fixture(scope="module")
def html(folders: Folders) -> str:
    return html_of(folders)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def percent(value: float, digits: int = 2) -> str:
    return f"{value * 100:.{digits}f}\N{NO-BREAK SPACE}%"


def test_the_final_table_has_the_numbers_of_the_files(page: Page, folders: Folders) -> None:
    header, *rows = page.tables["Final results"]
    assert header[:6] == [
        "model", "accuracy", "loss (nats)", "macro F1", "Shirt F1", "calibration error",
    ]  # fmt: skip
    models = folders.read("evaluate-test")["models"]
    manifest = gather(folders.results, folders.models).manifest
    for row, (name, result) in zip(rows, models.items(), strict=True):
        shirt = result["per_class"][CLASS_NAMES.index("Shirt")]["f1"]
        assert row[:6] == [
            name,
            percent(result["accuracy"]),
            f"{result['loss']:.4f}",
            f"{result['macro']['f1']:.4f}",
            f"{shirt:.4f}",
            f"{result['calibration_error']:.4f}",
        ]
        seconds = manifest.models[name].training["seconds"]
        number, unit, *star = row[7].replace("\N{NO-BREAK SPACE}", " ").split()
        assert float(number) * {"s": 1, "min": 60, "h": 3600}[unit] == pytest.approx(seconds, 0.05)
        assert star == (["*"] if name == "resnet" else [])
        assert row[8] == "cpu, Test CPU"
        last = ["–", "converged"] if name == "logreg" else [row[6], row[9]]
        assert [row[6], row[9]] == last
        if EPOCHS[name] > 1:
            assert row[6] == f"{EPOCHS[name]}"
            assert row[9] == f"best epoch {EPOCHS[name] - 1} of {EPOCHS[name]}"
    (run, *_) = page.tables["Every training run"][1:]
    assert run[7:11] == [percent(0.5125), percent(0.4875), "1.2500", "0.3750"]


def test_reports_and_matrices_have_the_numbers_of_the_file(
    html: str, page: Page, folders: Folders
) -> None:
    for name, result in folders.read("evaluate-test")["models"].items():
        rows = page.tables[f"{name}: classification report"][1:]
        for row, found in zip(rows, result["per_class"], strict=False):
            assert row == [
                found["label"],
                *(f"{found[key]:.4f}" for key in ("precision", "recall", "f1")),
                f"{found['support']}",
            ]
        assert rows[-3] == ["accuracy", "", "", f"{result['accuracy']:.4f}", "200"]
        assert rows[-2][3] == f"{result['macro']['f1']:.4f}"
        assert rows[-1][3] == f"{result['weighted']['f1']:.4f}"
        article = html.split(f'data-model="{name}"')[1].split("</table>")[0]
        counts = [
            int(re.sub("<[^>]*>", "", cell))
            for cell in re.findall(r'<td class="(?:hit|l\d)">(.*?)</td>', article)
        ]
        assert counts == [count for row in result["confusion"] for count in row]


def test_charts_have_the_numbers_of_the_files(page: Page, folders: Folders) -> None:
    models = folders.read("evaluate-test")["models"]
    for name, epochs in EPOCHS.items():
        if epochs > 1:
            record = json.loads((folders.models / f"{name}.json").read_text())
            for quantity in ("loss", "accuracy"):
                train, validation = page.data(f"spec-{name}-{quantity}")["data"]
                assert train["x"] == [one["epoch"] for one in record["history"]]
                assert train["y"] == [one[f"train_{quantity}"] for one in record["history"]]
                kept = [one[f"validation_{quantity}"] for one in record["history"]]
                assert validation["y"] == kept
        bins = [one for one in models[name]["reliability"] if one["images"]]
        dots = page.data(f"spec-reliability-{name}")["data"][1]
        assert dots["x"] == [one["confidence"] for one in bins]
        assert dots["y"] == [one["accuracy"] for one in bins]
        assert dots["customdata"] == [one["images"] for one in bins]
    scores = {trace["name"]: trace for trace in page.data("spec-classes")["data"]}
    for name, result in models.items():
        trace = scores[name]
        told = dict(zip(trace["text"], trace["x"], strict=True))
        assert told == {one["label"]: one["f1"] for one in result["per_class"]}
    points = {trace["name"]: trace for trace in page.data("spec-pareto")["data"]}
    for name, one in folders.read("bench")["models"].items():
        trace = points[name]
        assert trace["x"] == [one["timing"]["latency"]["p50_ms"]]
        assert trace["y"] == [one["quality"]["accuracy"]]
    train, test = page.data("spec-noise")["data"]
    noise = folders.read("audit")["estimated_noise"]
    assert dict(zip(train["y"], train["x"], strict=True)) == noise["train"]
    assert dict(zip(test["y"], test["x"], strict=True)) == noise["test"]
    splits = folders.read("data")["splits"]
    for trace in page.data("spec-counts")["data"]:
        assert dict(zip(trace["y"], trace["x"], strict=True)) == splits[trace["name"]]["classes"]


def test_every_chart_has_words_and_numbers(page: Page) -> None:
    charts = [one for one in page.all("figure") if one.get("class") == "chart"]
    assert len(charts) == 2 + 2 * 2 + 1 + 1 + 3 + 1 + 1
    plots = [one for one in page.all("div") if one.get("class") == "plot"]
    assert [one["role"] for one in plots] == ["img"] * len(charts)
    assert all(len(one["aria-label"] or "") > 60 for one in plots)
    assert len(page.all("details")) == len(charts) + 2  # and training runs, every corruption
    assert all("alt" in one for one in page.all("img"))
    assert all(one["alt"] for one in page.all("img") if "hidden" not in one)


def test_tables_beside_the_charts_have_the_same_numbers(page: Page, folders: Folders) -> None:
    bench = folders.read("bench")["models"]
    best = front(
        {n: (m["timing"]["latency"]["p50_ms"], m["quality"]["accuracy"]) for n, m in bench.items()}
    )
    for row, (name, one) in zip(page.tables["Accuracy and cost"][1:], bench.items(), strict=True):
        assert row[1] == percent(one["quality"]["accuracy"])
        latency = [float(cell) for cell in row[2:5]]
        wanted = [one["timing"]["latency"][key] for key in ("p50_ms", "p95_ms", "p99_ms")]
        assert latency == pytest.approx(wanted, rel=0.01)
        assert row[5] == f"{one['timing']['images_per_s']:,.0f}"
        assert row[7] == f"{one['parameters']:,}"
        assert row[8] == ("yes" if name in best else "no")


def test_robustness_has_the_numbers_of_the_file(page: Page, folders: Folders) -> None:
    document = folders.read("robustness")
    models = document["models"]
    for trace, (name, one) in zip(page.data("spec-strength")["data"], models.items(), strict=True):
        assert trace["name"] == name
        strengths = [at["mean"] for at in one["by_strength"]]
        assert trace["y"] == [one["clean"]["mean"], *strengths]
    for row, one in zip(page.tables["Accuracy by strength"][1:], models.values(), strict=True):
        mean = one["mean_corruption_accuracy"]
        ends = f" [{percent(mean['low'], 1)}, {percent(mean['high'], 1)}]"
        assert row[7:] == [percent(mean["mean"], 1) + ends, percent(one["relative_drop"], 1)]

    header, *rows = page.tables["Accuracy by kind of corruption"]
    assert header[1:] == list(models)
    told = {head: cells for head, *cells in rows}
    assert len(told) == len(rows)

    def cells(*keys: str) -> list[str]:
        found = list(models.values())
        for key in keys:
            found = [one[key] for one in found]
        return [f"{100 * share:.1f}" for share in found]

    assert told["Clean"] == cells("clean", "mean")
    assert told["Mean of 15 kinds"] == cells("mean_corruption_accuracy", "mean")
    for group in document["groups"].items():
        head = group[1]["title"][0].upper() + group[1]["title"][1:]
        assert told[head] == cells("by_group", group[0], "mean")
    sizes = Counter(kind["group"] for kind in document["kinds"].values())
    for name, kind in document["kinds"].items():
        if sizes[kind["group"]] > 1:
            assert told[kind["title"]] == cells("by_kind", name, "mean")

    rows = page.tables["Accuracy by kind and strength"][1:]
    assert len(rows) == sum(len(kind["levels"]) for kind in document["kinds"].values())
    for title, source, strength, level, *shares in rows:
        name = next(n for n, one in document["kinds"].items() if one["title"] == title)
        at = int(strength) - 1
        assert source == document["kinds"][name]["source"]
        assert float(level) == document["kinds"][name]["levels"][at]
        assert shares == [percent(m["by_kind"][name]["accuracy"][at], 1) for m in models.values()]


def test_examples_are_those_of_the_file(page: Page, folders: Folders) -> None:
    document = folders.read("robustness")
    strips = {
        (one["alt"] or "").partition(":")[0]: one
        for one in page.all("img")
        if "as it is, then with" in (one["alt"] or "")
    }
    assert list(strips) == [kind["title"] for kind in document["kinds"].values()]
    for name, kind in document["kinds"].items():
        shown = strips[kind["title"]]
        assert (shown["width"], shown["height"]) == ("168", "28")
        content = (shown["src"] or "").partition("base64,")[2]
        assert content == document["examples"][name]["strip"]
        picture = np.frombuffer(base64.b64decode(content), np.uint8)
        assert cv2.imdecode(picture, cv2.IMREAD_GRAYSCALE).shape == (28, 168)


def test_results_without_examples_have_all_else(own: Folders) -> None:
    document = own.read("robustness")
    del document["examples"]
    document["kinds"]["fog"]["levels"][0] = 0.25
    own.write("robustness", document)
    text = html_of(own)
    assert "a test image of" not in text
    assert ["Fog", "MNIST-C", "1", "0.25"] in [
        row[:4] for row in Page(text).tables["Accuracy by kind and strength"]
    ]


def test_the_page_needs_nothing_but_itself(html: str, page: Page) -> None:
    policy = next(one["content"] or "" for one in page.all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    running = [text for found, text in page.scripts if "type" not in found]
    hashes = re.search(r"script-src ([^;]*);", policy)
    assert hashes is not None
    assert hashes[1].split() == [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in running
    ]
    assert len(running) == 2
    assert not page.all("link")
    assert all((one["src"] or "").startswith("data:image/png;") for one in page.all("img"))
    assert all((one["href"] or "").startswith("#") for one in page.all("a"))
    anchors = {one["id"] for _, one in page.elements if "id" in one}
    assert {(one["href"] or "")[1:] for one in page.all("a")} <= anchors
    ids = [one["id"] for _, one in page.elements if "id" in one]
    assert len(ids) == len(set(ids))
    assert not [n for _, one in page.elements for n in one if n.startswith("on")]
    assert not re.search(r"url\(|@import", html.split("</style>")[0])


def test_mistakes_are_those_of_the_predictions(page: Page, folders: Folders) -> None:
    labels = load_split("test", folders.data).labels
    known = page.data("mistakes")
    for name, result in folders.read("evaluate-test")["models"].items():
        predicted = np.frombuffer(base64.b64decode(result["predictions"]["class_id"]), np.uint8)
        sure = np.frombuffer(base64.b64decode(result["predictions"]["confidence"]), "<u2")
        rows = known["models"][name]
        places = [known["places"][tile] for tile, *_ in rows]
        assert sorted(places) == np.flatnonzero(predicted != labels).tolist()
        for place, (_, true, said, confidence) in zip(places, rows, strict=True):
            assert (true, said) == (labels[place], predicted[place])
            assert confidence == sure[place]
        confidences = [row[3] for row in rows]
        assert confidences == sorted(confidences, reverse=True)


def test_predictions_of_other_images_show_no_pictures(own: Folders) -> None:
    labels = load_split("test", own.data).labels
    document = own.read("evaluate-test")
    result = document["models"]["cnn"]
    assert mistakes(result, labels) is not None
    assert mistakes(result, (labels + 1) % 10) is None
    assert mistakes(result, labels[:-1]) is None
    assert mistakes({key: value for key, value in result.items() if key != "predictions"}, labels) is None  # fmt: skip  # noqa: E501
    for one in document["models"].values():
        for key in ("predictions", "reliability", "calibration_error"):
            del one[key]
    own.write("evaluate-test", document)
    made = make(gather(own.results, own.models), Pictures.load(own.data))
    assert any("cells show no pictures" in notice for notice in made.notices)
    page = Page(made.html)
    assert page.tables["Final results"][1][5] == "–"
    assert not [one for one in page.all("button") if "data-true" in one]


def test_without_the_data_set_pictures_are_left_out_and_why(folders: Folders) -> None:
    made = make(gather(folders.results, folders.models), Pictures({}, "nothing in /home/me"))
    assert "Pictures are left out: the data set could not be read" in made.html
    assert any("fmnist data download" in notice for notice in made.notices)
    assert "/home/me" not in made.html  # a page may be passed on
    page = Page(made.html)
    assert not [one for one in page.all("button") if "data-true" in one]
    assert "Final results" in page.tables


def test_a_data_set_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--data-dir"):
        Pictures.load(tmp_path)


def test_a_benchmark_without_accuracy_is_said_and_not_drawn(own: Folders) -> None:
    document = own.read("bench")
    for result in document["models"].values():
        result["quality"] = None
    own.write("bench", document)
    made = make(gather(own.results, own.models), Pictures.load(own.data))
    assert any("without accuracy, so only in the table: " in notice for notice in made.notices)


def test_a_model_of_other_pictures_is_listed_with_its_cost(own: Folders) -> None:
    manifest = Manifest.read(own.models)
    photo = manifest.models["cnn"]._replace(title="Photos", sha256="1" * 64, metrics={})
    (own.models / "manifest.json").write_text(
        Manifest({**manifest.models, "photo": photo}).to_json(), encoding="utf-8"
    )
    history = (own.models / "cnn.json").read_text(encoding="utf-8")
    (own.models / "photo.json").write_text(history, encoding="utf-8")
    document = own.read("bench")
    cost = {**document["models"]["cnn"], "sha256": "1" * 64, "title": "Photos"}
    document["models"]["photo"] = {**cost, "quality": None, "of_data_set": False}
    own.write("bench", document)
    made = make(gather(own.results, own.models), Pictures.load(own.data))
    assert not any("photo" in notice.lower() for notice in made.notices)
    page = Page(made.html)
    results, costs = page.tables["Final results"][-1], page.tables["Accuracy and cost"][-1]
    assert results[:6] == ["photo", *["–"] * 5]
    assert results[8] == "cpu, Test CPU"
    assert (costs[0], costs[1], costs[-1]) == ("photo", "–", "–")
    assert costs[2:8] == page.tables["Accuracy and cost"][1 + list(TITLES).index("cnn")][2:8]
    assert "photo" not in {trace["name"] for trace in page.data("spec-pareto")["data"]}
    assert "–: photo, which is not for these images" in made.html


def test_training_images_left_out_are_no_other_data(own: Folders) -> None:
    manifest = own.models / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    checksum = own.read("data")["data_checksum"]
    assert checksum in text
    changed = text.replace(checksum, f"{checksum}, 12 images left out (ab12cd34)")
    manifest.write_text(changed, encoding="utf-8")
    made = make(gather(own.results, own.models), Pictures.load(own.data))
    assert not any("other data" in notice for notice in made.notices)


def test_maps_of_one_old_model_are_called_stale(own: Folders) -> None:
    document = own.read("explain")
    del document["models"]
    own.write("explain", {**document, "model": {"name": "cnn", "sha256": "0" * 64}})
    made = make(gather(own.results, own.models), Pictures.load(own.data))
    assert any("measured other files of cnn" in notice for notice in made.notices)


def test_what_is_stale_is_said_on_the_page(own: Folders) -> None:
    for name in ("evaluate-test", "bench", "robustness"):
        document = own.read(name)
        document["models"]["cnn"]["sha256"] = "0" * 64
        own.write(name, document)
    runs = own.read("accuracy")
    runs["runs"][0]["finished"] = "2020"
    own.write("accuracy", runs)
    own.write("audit", {**own.read("audit"), "data_checksum": "other"})
    own.write("data", {**own.read("data"), "data_checksum": "other"})
    made = make(gather(own.results, own.models), Pictures.load(own.data))
    for words in (
        "evaluate-test.json measured other files of cnn than",
        "bench.json measured other files of cnn than",
        "robustness.json measured other files of cnn than",
        "accuracy.json has not the runs that logreg were exported from",
        "audit.json audits other data",
        "data.json describes other data",
    ):
        assert f'<p class="notice">{words}' in made.html
        assert any(words in notice for notice in made.notices)


def test_no_name_becomes_markup(own: Folders) -> None:
    hostile = '"><script>alert(1)</script>'
    document = own.read("evaluate-test")
    document["models"][hostile] = document["models"]["cnn"]
    own.write("evaluate-test", document)
    audit = own.read("audit")
    audit["issues"]["by_label_and_suggestion"][0]["label"] = hostile
    own.write("audit", audit)
    text = html_of(own)
    assert "<script>alert" not in text
    assert len([one for one, _ in Page(text).scripts if "type" not in one]) == 2


@given(st.dictionaries(st.integers(), st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_the_front_is_what_nothing_beats(values: dict[int, tuple[int, int]]) -> None:
    points = {str(name): (float(x), float(y)) for name, (x, y) in values.items()}

    def beaten(x: float, y: float) -> bool:
        return any(a <= x and b >= y and (a, b) != (x, y) for a, b in points.values())

    best = front(points)
    assert {points[name] for name in best} == {at for at in points.values() if not beaten(*at)}
    assert len({points[name] for name in best}) == len(best)
    assert [points[name][0] for name in best] == sorted(points[name][0] for name in best)


def test_heat_lies_on_its_own_picture_only(folders: Folders) -> None:
    pictures = Pictures.load(folders.data)
    inputs = gather(folders.results, folders.models)

    def strips(images: Pictures) -> list[int]:
        text = make(inputs, images).html.split('id="gradcam"')[1].split("</section>")[0]
        found = re.findall(r'base64,([^"]*)" width="(\d+)"', text)
        decoded = [
            cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), 1) for one, _ in found
        ]
        if len(images.splits) and decoded[0].shape[1] > 28:
            shown = images.splits["test"].pixels[3]
            np.testing.assert_array_equal(decoded[0][:, :28, 0], shown)
        return [int(width) for _, width in found]

    assert strips(pictures) == [86, 86]
    assert strips(Pictures({}, "none")) == [28, 28]
    test = pictures.splits["test"]
    moved = {**pictures.splits, "test": replace(test, labels=(test.labels + 1) % 10)}
    assert strips(Pictures(moved)) == [28, 28]


def test_a_sheet_holds_the_pictures_row_by_row() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    found = sheet(pixels, 3)
    assert found.shape == (56, 84)
    for at, picture in enumerate(pixels):
        top, left = 28 * (at // 3), 28 * (at % 3)
        np.testing.assert_array_equal(found[top : top + 28, left : left + 28], picture)
    assert not found[28:, 56:].any()


def test_the_shipped_results_make_a_page_of_at_most_8_mb() -> None:
    try:
        find_data_dir()
    except DataError:
        pytest.skip(f"the data set is not there; set {ENV_VAR}")
    inputs = gather(ROOT / "benchmarks" / "results", ROOT / "exported")
    html = make(inputs, Pictures.load(None)).html
    assert len(html.encode()) <= 8_000_000
    assert Page(html).tables["Final results"][1:]
