"""How the models were trained and what came of it: curves, final results, every run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fmnist_cli.manifest import Entry
from fmnist_cli.report.inputs import KINDS, Inputs, Made
from fmnist_cli.report.parts import (
    ABOVE,
    COLOURS,
    chart,
    columns,
    duration,
    figure,
    made,
    percent,
    table,
    words,
)

if TYPE_CHECKING:
    from markupsafe import Markup

History = Sequence[Mapping[str, float]]
_SHOWN = 0.95  # share of the values that the axes make room for
# Quantity → title of the axis, format of Plotly, how a number is written.
_QUANTITIES: Mapping[str, tuple[str, str, Any]] = {
    "loss": ("cross-entropy (nats)", ".3f", figure),
    "accuracy": ("accuracy", ".2%", percent),
}
_NAMES = {"train": "training", "validation": "validation"}


def curves(inputs: Inputs) -> Made:
    """Loss and accuracy by epoch of each model with epochs, and where the others ended."""
    histories = {name: inputs.histories.get(name, []) for name in inputs.manifest.models}
    notices = [
        f"{name}.json with the learning curves of {name} is missing; export it again: fmnist"
        f" export {name}"
        for name, history in histories.items()
        if not history
    ]
    parts = [
        words(
            "Training figures of a network are running means over augmented batches while the"
            " weights move, so they may lie below those of validation, which belong to the averaged"
            " weights after each epoch. The dotted line marks the epoch that was kept. Axes make"
            " room for 95 % of the values; a double click shows the first epochs, too."
        )
    ]
    for name, history in histories.items():
        if len(history) > 1:
            best = int(inputs.manifest.models[name].training.get("best_epoch", 0))
            charts = [_curve(name, history, quantity, best) for quantity in _QUANTITIES]
            parts += [made("heading", text=name), columns(*charts)]
    alone = {name: history[0] for name, history in histories.items() if len(history) == 1}
    if alone:
        parts += [
            made("heading", text="Models without epochs"),
            words(
                "Training figures are those of the first 5,000 training images; of a stack, those"
                " of the validation images that it was fitted on."
            ),
            _ends(alone),
        ]
    return parts, notices


def _curve(name: str, history: History, quantity: str, best: int) -> Markup:
    unit, form, write = _QUANTITIES[quantity]
    epochs = [entry["epoch"] for entry in history]
    series = {part: [e[f"{part}_{quantity}"] for e in history] for part in _NAMES}
    if None in series["validation"]:  # a model of pictures has seen all it could be judged by
        del series["validation"]
    looks = {"train": (6, "dash", "diamond"), "validation": (5, "solid", "circle")}
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": _NAMES[part],
            "x": epochs,
            "y": values,
            "line": {"color": COLOURS[looks[part][0]], "dash": looks[part][1], "width": 2},
            "marker": {"symbol": looks[part][2], "size": 5, "maxdisplayed": 20},
            "hovertemplate": "epoch %{x}: %{y:" + form + "}<extra>" + _NAMES[part] + "</extra>",
        }
        for part, values in series.items()
    ]
    limits = _limits([v for values in series.values() for v in values], highest=quantity == "loss")
    share = ".0%" if quantity == "accuracy" else ""
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": unit}, "range": limits, "tickformat": share},
        "hovermode": "x unified",
        "legend": ABOVE,
    }
    finding = ""
    if "validation" in series and 0 < best <= len(history):
        line = {"color": "$soft", "dash": "dot", "width": 1.5}
        ends = {"x0": best, "x1": best, "yref": "paper", "y0": 0, "y1": 1}
        layout["shapes"] = [{"type": "line", "line": line, **ends}]
        kept = write(series["validation"][best - 1])
        finding = f"Epoch {best} was kept, with a validation {quantity} of {kept}."
    last = ", ".join(f"{_NAMES[part]} {write(values[-1])}" for part, values in series.items())
    rows = [
        [f"{epoch}", *(write(values[at]) for values in series.values())]
        for at, epoch in enumerate(epochs)
    ]
    header = ["epoch", *(_NAMES[part] for part in series)]
    return chart(
        f"{name}-{quantity}",
        f"{quantity.capitalize()} by epoch",
        f"Lines over {len(history)} epochs, ending at: {last}. {finding}",
        traces,
        layout,
        table(f"{name}: {quantity} by epoch", header, rows),
        height=300,
    )


def _limits(values: Sequence[float], *, highest: bool) -> list[float]:
    """The range of an axis that the first epochs do not flatten."""
    ordered = sorted(values)
    spare = int(len(ordered) * (1 - _SHOWN))
    low, high = ordered[0], ordered[-1]
    if highest:
        high = ordered[-1 - spare]
    else:
        low = ordered[spare]
    margin = 0.06 * (high - low or 1)
    return [low - margin, high + margin]


def _ends(alone: Mapping[str, Mapping[str, float]]) -> Markup:
    rows = [
        [
            name,
            *(percent(entry[f"{part}_accuracy"]) for part in _NAMES),
            *(figure(entry[f"{part}_loss"]) for part in _NAMES),
        ]
        for name, entry in alone.items()
    ]
    header = [
        "model", "training accuracy", "validation accuracy", "training loss", "validation loss",
    ]  # fmt: skip
    return table("Models without epochs", header, rows)


def results(inputs: Inputs) -> Made:
    """Accuracy, loss and what the training took, of every model that was evaluated."""
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
    how = (
        f"Measured on the {images:,} {document['split']} images with the exported files. Loss is"
        " cross-entropy; the calibration error is the mean distance between confidence and"
        " accuracy (ECE, 15 bins). Training times are wall times on the device named; convergence"
        " is known of models that iterate."
    )
    header = [
        "model", "accuracy", "loss (nats)", "macro F1", "Shirt F1", "calibration error",
        "epochs", "training time", "device", "convergence",
    ]  # fmt: skip
    parts = [words(how), table("Final results", header, rows, (0, 8, 9))]
    if others:
        names = ", ".join(others)
        what = f"–: {names}, which is not for these images. To measure it on labelled pictures:"
        parts.append(words(f"{what} fmnist evaluate --data DIR.", "soft words"))
    parts += _parents(inputs, [*models, *others])
    return parts, inputs.stale("evaluation")


def _row(inputs: Inputs, model: str, result: Mapping[str, Any] | None) -> list[str]:
    """The cells of a model; `result` is None where it was not evaluated."""
    measured = ["–"] * 5 if result is None else _measured(result)
    entry = inputs.manifest.models.get(model)
    trained = ["–"] * 4 if entry is None else _trained(entry, len(inputs.histories.get(model, ())))
    return [model, *measured, *trained]


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


def _parents(inputs: Inputs, models: Iterable[str]) -> list[Markup]:
    """What the asterisk of a training time means."""
    shown = [
        f"{name}: {', '.join(parent['model'] for parent in entry.training['parents'])}"
        for name, entry in inputs.manifest.models.items()
        if name in models and entry.training.get("parents")
    ]
    if not shown:
        return []
    what = "* without the time of the runs it was made from: " + "; ".join(shown) + "."
    return [words(what, "soft words")]


def runs(inputs: Inputs) -> Made:
    """Every training run there is a record of, shipped or not."""
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
    inner = table("Every training run", header, rows, (0, 1, 2, 6, 11))
    how = (
        f"The native models, measured on the {document['test_images']:,} test images: other seeds"
        " and variants that are not shipped, too."
    )
    folded = made("folded", summary=f"All {len(rows):,} runs", content=inner)
    return [words(how), folded], _stale_runs(inputs)


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
