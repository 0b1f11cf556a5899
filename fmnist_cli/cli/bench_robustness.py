"""`fmnist bench --robustness`: accuracy on pictures made worse, as JSON, CSV and a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmnist_cli.errors import UsageError

if TYPE_CHECKING:
    import typer

    from fmnist_cli.bench.plan import Candidate

WIDTH = 100
_HEADS, _GAP, _NAME = 20, 2, 14  # columns of the terminal: first column, between, widest name


# What `--robustness` uses; all other options are of what it does not do.
_OF_ROBUSTNESS = frozenset(
    {"model", "threads", "json_", "csv", "robustness", "robustness_images"}
    | {"data_dir", "models_dir"}
)


def check_options(context: typer.Context) -> None:
    """Refuse options of the benchmark that would be ignored.

    Raises:
        UsageError: one was given.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        given = source is not None and source.name == "COMMANDLINE"
        if given and parameter.name not in _OF_ROBUSTNESS:
            raise UsageError(
                f"--robustness measures accuracy alone; leave out {parameter.opts[0]},"
                " or measure twice"
            )


def bench_robustness(
    asked: Sequence[str],
    candidates: Sequence[Candidate],
    threads: int | None,
    count: int | None,
    data_dir: Path | None,
    json_: str | None,
    csv: Path | None,
) -> None:
    """Measure and write.

    Args:
        asked: models as they were named; none for all.
        candidates: what they are.
        threads: ONNX Runtime's threads; all cores by default.
        count: test images; `IMAGES` by default.
        data_dir: of the data set; None for the usual places.
        json_: file for the document, - for standard output.
        csv: file for a row per model, kind and strength.

    Raises:
        DataError: the test split is not there.
        ModelError: a model cannot be used, or none is of the data set.
    """
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.markup import escape

    from fmnist_cli.bench.conditions import circumstances
    from fmnist_cli.bench.robustness import FORMAT, IMAGES, choose, measure
    from fmnist_cli.bench.robustness_rows import csv_text
    from fmnist_cli.cores import available_cores
    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.files import write_text

    started = datetime.now(UTC)
    images = choose(load_split("test", data_dir), count or IMAGES)
    others: list[str] = []
    with Console(stderr=True).status("") as status:
        measured = measure(
            candidates,
            images,
            threads or available_cores(),
            on_step=lambda step: status.update(escape(step)),
            on_others=others.append,
        )
    if others:
        sys.stderr.write(
            f"note: left out, as models of other images or classes: {', '.join(others)}\n"
        )
    document = {
        "format": FORMAT,
        "command": _command(asked, len(images)),
        **circumstances(started, more=("opencv-python-headless",)),
        "split": "test",
        **measured,
    }
    text = json.dumps(document, indent=2) + "\n"
    if json_ == "-":
        sys.stdout.write(text)
    else:
        print_robustness(document)
        if json_ is not None:
            write_text(Path(json_), text)
    if csv is not None:
        write_text(csv, csv_text(document))


def _command(asked: Sequence[str], count: int) -> str:
    """The command line that measures the same again."""
    import shlex

    # File names without their folders: the checksums say which files they were.
    words = [word for one in asked for word in ("--model", Path(one).name)]
    words = ["--robustness", "--robustness-images", str(count), *words]
    return shlex.join(["fmnist", "bench", *words])


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, list[float | None]]]:
    """Heads and the share of each model; kinds are indented below their group."""
    models = document["models"].values()
    counted = [group for group, about in document["groups"].items() if about["counted"]]
    mean_of = sum(kind["group"] in counted for kind in document["kinds"].values())
    yield "clean", [one["clean"]["mean"] for one in models]
    yield f"mean of {mean_of} kinds", [one["mean_corruption_accuracy"]["mean"] for one in models]
    yield "relative drop", [one["relative_drop"] for one in models]
    for group, about in document["groups"].items():
        kinds = [name for name, kind in document["kinds"].items() if kind["group"] == group]
        yield about["title"], [one["by_group"][group]["mean"] for one in models]
        for kind in kinds if len(kinds) > 1 else ():
            title = document["kinds"][kind]["title"].lower()
            yield f"  {title}", [one["by_kind"][kind]["mean"] for one in models]


def _parts(names: Sequence[str]) -> Iterator[slice]:
    """As many models side by side as fit."""
    start, used = 0, _HEADS
    for at, name in enumerate(names):
        width = max(min(len(name), _NAME), 5) + _GAP
        if at > start and used + width > WIDTH:
            yield slice(start, at)
            start, used = at, _HEADS
        used += width
    yield slice(start, len(names))


def print_robustness(document: Mapping[str, Any]) -> None:
    """A row per kind, a column per model, and how to read them, on standard output."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=WIDTH, highlight=False)
    names, rows = list(document["models"]), list(_rows(document))
    for part in _parts(names):
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
        table.add_column("accuracy in %", no_wrap=True)
        for name in names[part]:
            table.add_column(escape(name), justify="right", overflow="fold", max_width=_NAME)
        for head, shares in rows:
            words = ["–" if share is None else f"{100 * share:.1f}" for share in shares[part]]
            table.add_row(head, *words, style=None if head.startswith(" ") else "bold")
        console.print(table)
        console.print()
    margin = max(
        (one[key]["high"] - one[key]["low"]) / 2
        for one in document["models"].values()
        for key in ("clean", "mean_corruption_accuracy")
    )
    console.print(
        f"{document['images']:,} test images, the same for all models; means over strengths. Half"
        f" of the 95 %\ninterval is at most ±{100 * margin:.1f} points for the first two rows;"
        " it is over images. A single strength\nis in --json and --csv. Relative drop: share of"
        " the clean accuracy that these kinds take away.",
        markup=False,
    )
