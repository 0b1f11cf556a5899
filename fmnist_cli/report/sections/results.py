"""The final table, and the table of training runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fmnist_cli.manifest import Entry
from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.kinds import KINDS
from fmnist_cli.report.markup import Section, duration, paragraph, percent, table
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import absent

_HEADER = [
    "model", "accuracy", "loss (nats)", "macro F1", "Shirt F1", "calibration error",
    "epochs", "training time", "device", "convergence",
]  # fmt: skip


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """Accuracy, loss and what the training took, of every model that was evaluated."""
    del pictures
    name, title = "results", "Results"
    if "evaluation" not in inputs.sources:
        return absent(name, title, "evaluation")
    document = inputs.sources["evaluation"].document
    models = document["models"]
    rows = [_row(inputs, model, result) for model, result in models.items()]
    others = [
        model
        for model, entry in inputs.manifest.models.items()
        if model not in models and "test" not in entry.metrics
    ]
    rows += [_row(inputs, model, None) for model in others]
    images = next(iter(models.values()))["images"]
    body = paragraph(
        f"Measured on the {images:,} {document['split']} images with the exported files. Loss is"
        " cross-entropy; the calibration error is the mean distance between confidence and"
        " accuracy (ECE, 15 bins). Training times are wall times on the device named; convergence"
        " is told of what iterates."
    )
    body += table(_HEADER, rows, words=(0, 8, 9), name="Final results")
    if others:
        names = ", ".join(inputs.title(model) for model in others)
        words = f"–: {names}, which is not for these images. To measure it on labelled pictures:"
        body += paragraph(f"{words} fmnist evaluate --data DIR.", "soft words")
    body += _parents(inputs, [*models, *others])
    return Section(name, title, body, inputs.stale("evaluation"))


def _row(inputs: Inputs, model: str, result: Mapping[str, Any] | None) -> list[str]:
    """The cells of a model; `result` is None where it was not evaluated."""
    measured = ["–"] * 5 if result is None else _measured(result)
    entry = inputs.manifest.models.get(model)
    trained = ["–"] * 4 if entry is None else _trained(entry, len(inputs.histories.get(model, ())))
    return [inputs.title(model), *measured, *trained]


def _measured(result: Mapping[str, Any]) -> list[str]:
    shirt = next((c["f1"] for c in result["per_class"] if c["label"] == "Shirt"), None)
    error = result.get("calibration_error")
    return [
        percent(result["accuracy"]),
        f"{result['loss']:.4f}",
        f"{result['macro']['f1']:.4f}",
        "–" if shirt is None else f"{shirt:.4f}",
        "–" if error is None else f"{error:.4f}",
    ]


def _trained(entry: Entry, epochs: int) -> list[str]:
    training = entry.training
    machine = training.get("machine", {})
    device = f"{machine.get('device', '–')}, {machine.get('processor', '–')}"
    best = training.get("best_epoch", 0)
    if best:
        convergence = f"best epoch {best} of {epochs}"
    elif not training.get("converged", True):
        convergence = "stopped before it converged"
    else:  # records say so of models, too, in which nothing iterates
        iterates = "max_iter" in training.get("recipe", {}).get("params", {})
        convergence = "converged" if iterates else "–"
    time = duration(training["seconds"]) + (" *" if training.get("parents") else "")
    return [f"{epochs}" if best else "–", time, device, convergence]


def _parents(inputs: Inputs, models: Iterable[str]) -> str:
    """What the asterisk of a training time means."""
    shown = [
        f"{entry.title}: {', '.join(parent['model'] for parent in entry.training['parents'])}"
        for name, entry in inputs.manifest.models.items()
        if name in models and entry.training.get("parents")
    ]
    if not shown:
        return ""
    words = "* without the time of the runs it was made from: " + "; ".join(shown) + "."
    return paragraph(words, "soft words")


def runs(inputs: Inputs, pictures: Pictures) -> Section:
    """Every training run there is a record of, shipped or not."""
    del pictures
    name, title = "runs", "Training runs"
    if "runs" not in inputs.sources:
        return absent(name, title, "runs")
    document = inputs.sources["runs"].document
    rows = [
        [
            run["model"],
            run["features"],
            run["preset"],
            f"{run['seed']}",
            f"{run['epochs']}" if run["epochs"] else "–",
            duration(run["seconds"]),
            run["device"],
            percent(run["validation_accuracy"]),
            percent(run["test_accuracy"]),
            f"{run['test_loss']:.4f}",
            f"{run['shirt_f1']:.4f}",
            "yes" if run["shipped"] else "no",
        ]
        for run in document["runs"]
    ]
    header = [
        "model", "features", "preset", "seed", "epochs", "training time", "device",
        "validation accuracy", "test accuracy", "test loss", "Shirt F1", "shipped",
    ]  # fmt: skip
    inner = table(header, rows, words=(0, 1, 2, 6, 11), name="Every training run")
    body = paragraph(
        f"The native models, measured on the {document['test_images']:,} test images: other seeds"
        " and variants that are not shipped, too."
    )
    body += f"<details><summary>All {len(rows):,} runs</summary>{inner}</details>\n"
    return Section(name, title, body, _stale_runs(inputs))


def _stale_runs(inputs: Inputs) -> list[str]:
    runs = inputs.sources["runs"]
    shipped = {run["model"]: run["finished"] for run in runs.document["runs"] if run["shipped"]}
    other = [
        name
        for name, entry in inputs.manifest.models.items()
        if "test" in entry.metrics
        and shipped.get(name) != entry.training.get("finished", shipped.get(name))
    ]
    if not other:
        return []
    return [
        f"{runs.name} has not the runs that {', '.join(other)} were exported from; make it again:"
        f" {KINDS['runs'].command}"
    ]
