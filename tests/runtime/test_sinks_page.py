"""The page of `classify`: what is on it, and what no name can make of it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from htmlpage import Page
from pictures import encoded, exif, frame, smooth
from PIL import Image
from tinymodel import card_of

from fmnist_cli.contract import UNKNOWN, Candidate, Prediction, Rejected, Row
from fmnist_cli.errors import UsageError
from fmnist_cli.sinks.base import Sink
from fmnist_cli.sinks.page import PageSink
from fmnist_cli.sources.items import HeldItem, Item, UnreadableItem

HOSTILE = [
    '"><script>alert(1)</script>.png',
    "'onerror=x .png",
    "</style>&amp;",
    "\x1b[2J\u202egnp",
]
HOSTILE += [os.fsdecode(b"caf\xe9.png"), "new\nline", "a\0b"]

TOOLS = ("tools", "pager")


def row_of(path: str, confidence: float, label: str = "Bag") -> Prediction:
    top = (Candidate("Bag", confidence), Candidate("Shirt", round(1 - confidence, 6)))
    return Prediction(path, None if label == UNKNOWN else 8, label, confidence, top, "product")


def picture(path: str, data: bytes | None = None) -> HeldItem:
    return HeldItem(path, encoded(frame()) if data is None else data, "m")


def page_of(folder: Path, rows: list[Row], items: list[Item], **options: int) -> str:
    path = folder / "page.html"
    sink: Sink = PageSink(path, card_of("cnn"), **options)
    with sink:
        for row, item in zip(rows, items, strict=True):
            sink.write([row], [item])
    assert [file.name for file in folder.iterdir()] == ["page.html"]
    return path.read_text(encoding="utf-8")


def data_of(text: str) -> dict[str, Any]:
    """What the page holds for its script."""
    (data,) = [text for attributes, text in Page(text).scripts if attributes.get("id") == "data"]
    found: dict[str, Any] = json.loads(data)
    return found


def paths(text: str) -> list[str]:
    return [row["path"] for row in data_of(text)["rows"]]


def test_all_are_there_the_least_sure_first(tmp_path: Path) -> None:
    values = np.random.default_rng(3).permutation(np.linspace(0.2, 0.9, 60)).round(6).tolist()
    labels = ["Bag", "Shirt", UNKNOWN]
    rows: list[Row] = [row_of(f"{v}", v, labels[n % 3]) for n, v in enumerate(values)]
    rows.append(row_of("as sure as the last", max(values)))
    text = page_of(tmp_path, rows, [picture(row.path) for row in rows])
    expected = [*map(str, sorted(values)), "as sure as the last"]
    assert paths(text) == expected
    # Without a script the first are there, too.
    assert re.findall(r'<p class="path">(.*?)</p>', text) == expected[:28]
    assert "These are the first 28 pictures" in text
    assert "of each\nlabel" not in text


def test_of_too_many_each_label_keeps_its_least_sure(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    names = ["Bag"] * 50 + ["Shirt"] * 30 + ["Dress"] * 4
    values = dict(zip(rng.permutation(84).tolist(), np.linspace(0.2, 0.9, 84), strict=True))
    rows: list[Row] = [row_of(f"{n}", float(values[n]), names[n]) for n in rng.permutation(84)]
    text = page_of(tmp_path, rows, [picture(row.path) for row in rows], most=24)
    assert "24 pictures of 84" in text
    kept = [row["label"] for row in data_of(text)["rows"]]
    assert (kept.count("Bag"), kept.count("Shirt"), kept.count("Dress")) == (10, 10, 4)
    for label in set(names):
        sure = sorted(row.confidence for row in rows if row.label == label)
        found = [row["confidence"] for row in data_of(text)["rows"] if row["label"] == label]
        assert found == sure[: len(found)]


def test_a_bin_of_few_is_seen_beside_one_of_many(tmp_path: Path) -> None:
    rows: list[Row] = [row_of("many", 0.97)] * 5_000 + [row_of("few", 0.42)]
    text = page_of(tmp_path, rows, [UnreadableItem(row.path, "gone") for row in rows])
    drawn = re.findall(r"<title>(.*?)</title>.*?height=\"100\"/>.*?height=\"([\d.]+)\"", text)
    assert [(words, float(height)) for words, height in drawn if float(height)] == [
        ("40 to 45%: 1 picture", 1.0),
        ("95 to 100%: 5,000 pictures", 100.0),
    ]


def test_counts_and_histogram(tmp_path: Path) -> None:
    rows: list[Row] = [row_of("a", 0.5), row_of("b", 1.0), row_of("c", 0.2, UNKNOWN)]
    rows += [Rejected("d", "empty file")] * 300
    items: list[Item] = [picture("a"), picture("b"), picture("c")]
    items += [UnreadableItem("d", "empty file")] * 300
    text = page_of(tmp_path, rows, items)
    page = Page(text)
    assert re.findall(r"<dt>(\w+)</dt><dd>([\d,]+)</dd>", text) == [
        ("pictures", "303"),
        ("labelled", "2"),
        ("unknown", "1"),
        ("rejected", "300"),
    ]
    assert re.findall(r'<tr><th scope="row">([\d to.%]+)</th><td>(\d+)', text) == [
        ("20 to 25%", "1"),
        ("50 to 55%", "1"),
        ("95 to 100%", "1"),
    ]
    assert text.count("<code>d</code> empty file") == 200
    assert "… and 100 more" in text
    assert page.words[page.words.index("Pictures by label") :][2] == "cnn"
    # The labels of the table lead to the pictures, which the script then filters by name.
    data = data_of(text)
    named = [data["names"][int(a["data-name"])] for a in page.all("a") if "data-name" in a]
    assert named == ["Bag", UNKNOWN]
    assert {a["href"] for a in page.all("a")} == {"#pictures"}


def test_no_name_becomes_markup(tmp_path: Path) -> None:
    rows: list[Row] = [row_of(name, 0.5, name)._replace(prepared="frame") for name in HOSTILE]
    rows += [Rejected(name, name) for name in HOSTILE]
    items: list[Item] = [picture(name) for name in HOSTILE]
    items += [UnreadableItem(name, name) for name in HOSTILE]
    plain = row_of("a", 0.5, "b")._replace(prepared="frame")
    calm = Page(page_of(tmp_path, [plain, Rejected("a", "b")], [*items[:1]] * 2))
    text = page_of(tmp_path, rows, items)
    page = Page(text)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in calm.elements}
    assert len(page.all("script")) == 2  # of which one is data
    assert len(page.all("style")) == 1
    # The script gets the names as they are, for the file that it writes.
    assert set(paths(text)) == set(HOSTILE)
    assert set(HOSTILE) < set(data_of(text)["names"])
    attributes = {name for _, attributes in page.elements for name in attributes}
    assert attributes == {name for _, attributes in calm.elements for name in attributes}
    assert {image["alt"] for image in page.all("img")} == {
        HOSTILE[0],
        HOSTILE[1],
        HOSTILE[2],
        r"\x1b[2J\u202egnp",
        r"caf\udce9.png",
        r"new\nline",
        r"a\x00b",
    }


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    rows: list[Row] = [row_of("a", 0.5)]
    text = page_of(tmp_path, rows, [picture("a", encoded(smooth(300, 200, 3), "JPEG"))])
    page = Page(text)
    policy = page.all("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"url\(|@import", text)
    assert all((image["src"] or "").startswith("data:image/") for image in page.all("img"))
    assert all(image["alt"] for image in page.all("img"))
    assert "href" not in "".join(name for a in page.all("link") for name in a)
    assert not [a for _, a in page.elements if "style" in a or any(n.startswith("on") for n in a)]
    assert page.all("html")[0]["lang"] == "en"
    # Without a script there is nothing that only a script can do.
    tools = [a for tag, a in page.elements if tag in ("div", "nav") and a.get("class") in TOOLS]
    assert len(tools) == 2
    assert all("hidden" in a for a in tools)


def image_of(uri: str | None) -> Image.Image:
    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_thumbnails_are_small_upright_coloured_and_over_white(tmp_path: Path) -> None:
    tall = encoded(smooth(300, 200, 3), "JPEG", exif=exif(6))
    clear = Image.new("RGBA", (200, 200), (255, 0, 0, 0))
    clear.paste((250, 250, 250, 255), (60, 60, 140, 140))
    clear.paste((230, 230, 230, 255), (60, 100, 140, 140))
    deep = (np.arange(40_000, dtype=np.uint16) + 10_000).reshape(200, 200)
    files = [tall, encoded(clear), encoded(deep), encoded(frame())]
    rows: list[Row] = [row_of(str(n), 0.1 * (n + 1)) for n in range(4)]
    rows[3] = rows[3]._replace(prepared="frame")
    text = page_of(tmp_path, rows, [picture(str(n), data) for n, data in enumerate(files)])
    images = Page(text).all("img")
    originals = [image_of(a["src"]) for a in images if a["class"] == "original"]
    frames = [image_of(a["src"]) for a in images if a["class"] != "original"]
    assert [image.size for image in originals] == [(64, 96), (96, 96), (96, 96)]
    assert [image.format for image in originals] == ["WEBP"] * 3
    assert np.asarray(originals[1]).min() >= 225
    low, high = np.asarray(originals[2].convert("L"))[[0, -1]].mean(axis=1)
    assert 30 < low < 50 < 180 < high < 205  # 16 bits are scaled
    assert [image.size for image in frames] == [(28, 28)] * 4
    assert (np.asarray(frames[3]) == frame()).all()  # and is not shown twice
    assert images[-1]["class"] == "frame alone"


def test_a_picture_without_preview_stays_on_the_page(tmp_path: Path) -> None:
    rows: list[Row] = [row_of("gone.png", 0.5), row_of("broken.png", 0.6)]
    items: list[Item] = [UnreadableItem("gone.png", "gone"), picture("broken.png", b"no picture")]
    text = page_of(tmp_path, rows, items)
    assert [(row["path"], row["pictures"]) for row in data_of(text)["rows"]] == [
        ("gone.png", []),
        ("broken.png", []),
    ]
    assert text.count(">no preview<") == 2


def test_many_pictures_make_no_larger_page(tmp_path: Path) -> None:
    class Counting:
        reads = 0

        def read(self, max_bytes: int = 0) -> bytes:
            Counting.reads += 1
            return encoded(frame())

    rng = np.random.default_rng(4)
    rows: list[Row] = [row_of("a.png", round(float(v), 6)) for v in rng.random(3_000)]
    sizes = []
    for count in (300, 3_000):
        Counting.reads = 0
        items: list[Item] = [Counting()] * count  # type: ignore[list-item]
        sizes.append(len(page_of(tmp_path, rows[:count], items, most=100)))
    assert sizes[1] < 1.05 * sizes[0]
    assert 100 < Counting.reads < 600  # only those that were among the least sure


def test_no_pictures_make_a_page_too(tmp_path: Path) -> None:
    text = page_of(tmp_path, [], [])
    assert "NaN" not in text
    assert ">0 pictures</p>" in text


def test_after_an_error_there_is_no_page(tmp_path: Path) -> None:
    sink = PageSink(tmp_path / "page.html", card_of("cnn"))
    with pytest.raises(ValueError, match="zip"), sink:
        sink.write([row_of("a", 0.5)], [])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="is a folder"):
        PageSink(tmp_path, card_of("cnn"))
