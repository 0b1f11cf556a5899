"""Learning curves of the models with epochs, and where the others ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import (
    COLOURS,
    Chart,
    Section,
    figure,
    paragraph,
    percent,
    table,
    text,
)
from fmnist_cli.report.pictures import Pictures

History = Sequence[Mapping[str, float]]
_SHOWN = 0.95  # share of the values that the axes make room for
_WORDS = (
    "Training figures of a network are running means over augmented batches while the weights"
    " move, so they may lie below those of validation, which belong to the averaged weights after"
    " each epoch. The dotted line marks the epoch that was kept. Axes make room for 95 % of the"
    " values; a double click shows the first epochs, too."
)


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """A pair of charts, loss and accuracy, for each model with epochs."""
    del pictures
    histories = {name: inputs.histories.get(name, []) for name in inputs.manifest.models}
    notices = [
        f"{name}.json with the learning curves of {name} is missing; export it again: fmnist"
        f" export {name}"
        for name, history in histories.items()
        if not history
    ]
    body = [paragraph(_WORDS)]
    for name, history in histories.items():
        if len(history) > 1:
            best = int(inputs.manifest.models[name].training.get("best_epoch", 0))
            title = inputs.title(name)
            body += [f"<h3>{text(title)}</h3>\n", '<div class="pair">\n']
            body += [
                _chart(name, title, history, quantity, best).html() for quantity in _QUANTITIES
            ]
            body.append("</div>\n")
    alone = {name: history[0] for name, history in histories.items() if len(history) == 1}
    if alone:
        body += [
            "<h3>Models without epochs</h3>\n",
            paragraph(
                "Training figures are those of the first 5,000 training images; of a stack, those"
                " of the validation images that it was fitted on."
            ),
            _ends(inputs, alone),
        ]
    return Section("curves", "Training curves", "".join(body), notices)


# Quantity → title, format of Plotly, how a number is written.
_QUANTITIES: Mapping[str, tuple[str, str, Any]] = {
    "loss": ("cross-entropy (nats)", ".3f", figure),
    "accuracy": ("accuracy", ".2%", percent),
}


def _chart(name: str, title: str, history: History, quantity: str, best: int) -> Chart:
    unit, form, write = _QUANTITIES[quantity]
    epochs = [entry["epoch"] for entry in history]
    parts = {part: [e[f"{part}_{quantity}"] for e in history] for part in ("train", "validation")}
    if None in parts["validation"]:  # a model of pictures has seen all it could be judged by
        del parts["validation"]
    names = {"train": "training", "validation": "validation"}
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": names[part],
            "x": epochs,
            "y": values,
            "line": {"color": COLOURS[colour], "dash": dash, "width": 2},
            "marker": {"symbol": symbol, "size": 5, "maxdisplayed": 20},
            "hovertemplate": "epoch %{x}: %{y:" + form + "}<extra>" + names[part] + "</extra>",
        }
        for (part, values), colour, dash, symbol in zip(
            parts.items(), (6, 5), ("dash", "solid"), ("diamond", "circle"), strict=False
        )
    ]
    limits = _limits([v for values in parts.values() for v in values], highest=quantity == "loss")
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero"},
        "yaxis": {
            "title": {"text": unit},
            "range": limits,
            "tickformat": ".0%" if quantity == "accuracy" else "",
        },
        "hovermode": "x unified",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    }
    if "validation" in parts and 0 < best <= len(history):
        kept = parts["validation"][best - 1]
        layout["shapes"] = [
            {"type": "line", "x0": best, "x1": best, "yref": "paper", "y0": 0, "y1": 1,
             "line": {"color": "$soft", "dash": "dot", "width": 1.5}},
        ]  # fmt: skip
        finding = f"Epoch {best} was kept, with a validation {quantity} of {write(kept)}."
    else:
        finding = ""
    ends = ", ".join(f"{names[part]} {write(values[-1])}" for part, values in parts.items())
    rows = [
        [f"{epoch}", *(write(values[at]) for values in parts.values())]
        for at, epoch in enumerate(epochs)
    ]
    return Chart(
        f"{name}-{quantity}",
        f"{quantity.capitalize()} by epoch",
        f"Lines over {len(history)} epochs, ending at: {ends}. {finding}",
        traces,
        layout,
        table(
            ["epoch", *(names[part] for part in parts)], rows, name=f"{title}: {quantity} by epoch"
        ),
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


def _ends(inputs: Inputs, alone: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        [
            inputs.title(name),
            percent(entry["train_accuracy"]),
            percent(entry["validation_accuracy"]),
            figure(entry["train_loss"]),
            figure(entry["validation_loss"]),
        ]
        for name, entry in alone.items()
    ]
    header = [
        "model", "training accuracy", "validation accuracy", "training loss", "validation loss",
    ]  # fmt: skip
    return table(header, rows, name="Models without epochs")
