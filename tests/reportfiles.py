"""A data set, a folder of exported models and a folder of results, as the commands leave them."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness.corruptions import KINDS
from robustness import described, examples, summary
from synthetic import write_files

from fmnist_cli.cli.evaluate import predictions_json
from fmnist_cli.contract import Labels, Probabilities
from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.evaluate.metrics import evaluate
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest

TITLES = {"logreg": "Logistic regression", "cnn": "Convolutional network", "resnet": "Residual"}
NEAR = ("near-by.onnx", "nearer-by.onnx", "very-near.onnx")
EPOCHS = {"logreg": 1, "cnn": 6, "resnet": 8}


@dataclass(frozen=True, slots=True)
class Folders:
    """Where everything lies."""

    data: Path
    models: Path
    results: Path

    def arguments(self) -> list[str]:
        """Options of `fmnist report`."""
        named = {"--data-dir": self.data, "--models-dir": self.models, "--results": self.results}
        return [word for name, folder in named.items() for word in (name, str(folder))]

    def read(self, name: str) -> Any:
        """A result as it is in its file."""
        return json.loads((self.results / f"{name}.json").read_text(encoding="utf-8"))

    def write(self, name: str, document: Any) -> None:
        """Replace a result."""
        text = json.dumps(document)
        (self.results / f"{name}.json").write_text(text, encoding="utf-8")


def write_all(folder: Path) -> Folders:
    """Three models that err often on 200 small test images, and every kind of result."""
    data = folder / "data"
    data.mkdir(parents=True)
    folders = Folders(write_files(data, 240, 200), folder / "models", folder / "results")
    folders.models.mkdir()
    folders.results.mkdir()
    rng = np.random.default_rng(5)
    entries = {name: _entry(name, rng) for name in TITLES}
    text = Manifest(entries).to_json()
    (folders.models / MANIFEST_FILE).write_text(text, encoding="utf-8")
    for name in TITLES:
        record = json.dumps({"model": name, "history": _history(EPOCHS[name], rng)})
        (folders.models / f"{name}.json").write_text(record, encoding="utf-8")
    folders.write("evaluate-test", _evaluation(entries, load_split("test", data).labels, rng))
    folders.write("bench", _bench(entries, folders.read("evaluate-test"), rng))
    folders.write("robustness", _robustness(entries, data, rng))
    folders.write("data", _description(data, rng))
    folders.write("accuracy", {"test_images": 200, "runs": [_run(n, entries[n]) for n in TITLES]})
    folders.write("explain", _explanations(entries, load_split("test", data).labels))
    folders.write("audit", _audit())
    return folders


def _entry(name: str, rng: np.random.Generator) -> Entry:
    epochs = EPOCHS[name]
    return Entry(
        file=f"{name}.onnx",
        title=TITLES[name],
        sha256=rng.bytes(32).hex(),
        bytes=int(rng.integers(10_000, 9_000_000)),
        parameters=int(rng.integers(1_000, 900_000)),
        metrics={"test": {"images": 200, "accuracy": 0.5, "loss": 1.5}},
        verification={},
        training={
            "preset": "best",
            "seed": 0,
            "seconds": round(float(rng.uniform(50, 9000)), 2),
            "best_epoch": epochs - 1,
            "converged": True,
            "recipe": {"params": {"max_iter": 10}} if epochs == 1 else {},
            "data_checksum": "d" * 32,
            "machine": {"device": "cpu", "processor": "Test CPU"},
            "parents": [{"model": "cnn"}] if name == "resnet" else [],
            "finished": f"2026-01-0{len(name)}T00:00:00+00:00",
        },
    )


def _history(epochs: int, rng: np.random.Generator) -> list[dict[str, float]]:
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds")
    values = rng.uniform(0.1, 0.9, (epochs, len(names)))
    return [
        {"epoch": at + 1, **dict(zip(names, map(float, row), strict=True))}
        for at, row in enumerate(values)
    ]


def _evaluation(
    entries: dict[str, Entry], labels: Labels, rng: np.random.Generator
) -> dict[str, Any]:
    models = {}
    for name, entry in entries.items():
        scores = rng.normal(size=(len(labels), 10)) + 2.5 * np.eye(10)[labels]
        odds = np.exp(scores)
        probabilities: Probabilities = (odds / odds.sum(1, keepdims=True)).astype(np.float32)
        models[name] = {
            "sha256": entry.sha256,
            **asdict(evaluate(probabilities, labels, CLASS_NAMES)),
            "predictions": predictions_json(probabilities),
        }
    return {"command": "fmnist evaluate", "version": "0", "split": "test", "models": models}


def _bench(
    entries: dict[str, Entry], evaluation: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    models = {}
    for name, entry in entries.items():
        p50 = float(rng.uniform(0.05, 2))
        models[name] = {
            "title": entry.title,
            "sha256": entry.sha256,
            "file_bytes": entry.bytes,
            "parameters": entry.parameters,
            "quality": {"accuracy": evaluation["models"][name]["accuracy"], "macro_f1": 0.5},
            "timing": {
                "latency": {"p50_ms": p50, "p95_ms": 1.5 * p50, "p99_ms": 2 * p50},
                "images_per_s": float(rng.uniform(1e3, 9e4)),
            },
            "a key of a later version": [],
        }
    # Files that are not exported models, so near to one that labels beside points would collide.
    for number, name in enumerate(NEAR, start=1):
        near = json.loads(json.dumps(models["cnn"]))
        near["timing"]["latency"]["p50_ms"] *= 1 + number / 100
        near["quality"]["accuracy"] += number / 1000
        models[name] = near
    return {"format": 2, "machine": {"processor": "Test CPU"}, "threads": 2, "models": models}


def _robustness(entries: dict[str, Entry], data: Path, rng: np.random.Generator) -> dict[str, Any]:
    models = {}
    for name, entry in entries.items():
        hits = {n: [rng.random(80) < 0.6 for _ in kind.levels] for n, kind in KINDS.items()}
        found = summary(rng.random(80) < 0.9, hits)
        models[name] = {"title": entry.title, "sha256": entry.sha256, **found}
    shown = {**described(), "examples": examples(load_split("test", data))}
    return {"format": 1, "split": "test", "images": 80, "seed": 0, **shown, "models": models}


def _description(data: Path, rng: np.random.Generator) -> dict[str, Any]:
    points = load_split("validation", data)
    assert points.positions is not None
    each = {"pixels": {"mean": 0.25, "standard_deviation": 0.5, "share_background": 0.125}}
    sizes = {"train": 22, "validation": 2, "test": 20}
    return {
        "data_checksum": "d" * 32,
        "splits": {
            name: {"images": 10 * count, "classes": dict.fromkeys(CLASS_NAMES, count), **each}
            for name, count in sizes.items()
        },
        "mean_images": {name: b64encode(rng.bytes(784)).decode() for name in CLASS_NAMES},
        "embedding": {
            "split": "validation",
            "method": "t-SNE",
            "seed": 0,
            "perplexity": 30.0,
            "index": points.positions.tolist(),
            "class_id": points.labels.tolist(),
            "x": np.round(rng.normal(0, 20, len(points)), 2).tolist(),
            "y": np.round(rng.normal(0, 20, len(points)), 2).tolist(),
        },
    }


def _run(name: str, entry: Entry) -> dict[str, Any]:
    return {
        "model": name, "features": "pixels", "preset": "best", "seed": 0, "epochs": EPOCHS[name],
        "seconds": 12.5, "device": "cpu", "validation_accuracy": 0.5125, "test_accuracy": 0.4875,
        "test_loss": 1.25, "shirt_f1": 0.375, "shipped": True,
        "finished": entry.training["finished"],
    }  # fmt: skip


def _explanations(entries: dict[str, Entry], labels: Labels) -> dict[str, Any]:
    items = [
        {
            "model": "cnn", "method": "hirescam", "layer": "14x14", "split": "test", "index": at,
            "true": CLASS_NAMES[labels[at]], "predicted": CLASS_NAMES[predicted],
            "confidence": 0.625, "target": CLASS_NAMES[predicted],
            "heat": b64encode(bytes(range(256)) * 3 + bytes(16)).decode(),
        }
        for at, predicted in ((3, labels[3]), (7, (labels[7] + 1) % 10))
    ]  # fmt: skip
    return {"models": {"cnn": entries["cnn"].sha256}, "items": items}


def _audit() -> dict[str, Any]:
    return {
        "command": "fmnist data audit",
        "data_checksum": "d" * 32,
        "issues": {
            "total": 12,
            "by_split": {"train": 12},
            "by_label_and_suggestion": [{"label": "Coat", "suggested": "Shirt", "images": 12}],
        },
        "estimated_noise": {
            part: {name: (at + 1) / 100 for at, name in enumerate(CLASS_NAMES)}
            for part in ("train", "test")
        },
        "duplicates": {
            "groups": 4, "images": 9, "exact_images": 0, "test_images_also_in_train": 1,
        },
    }  # fmt: skip
