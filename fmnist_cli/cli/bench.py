"""`fmnist bench`: accuracy of exported models against what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fmnist_cli.cli.options import (
    DataDir,
    Json,
    Models,
    ModelsDir,
    Prepare,
    ResultsFile,
    one_of,
    open_named,
)
from fmnist_cli.cli.output import (
    Level,
    Results,
    aligned,
    check_file,
    error,
    note,
    note_altered,
    say,
    show,
)
from fmnist_cli.errors import EXIT_RULE_FAILED, DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fmnist_cli.bench.rounds import Plan
    from fmnist_cli.bench.tables import Table
    from fmnist_cli.data.dataset import LabelledImages


def _test_split(data_dir: Path | None) -> LabelledImages | None:
    """The test split; None, with a note, where nobody said it should be there."""
    import os

    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.data.fashion_mnist import ENV_VAR, find_data_dir

    try:
        find_data_dir(data_dir, split="test")
    except DataError as missing:
        if data_dir is not None or os.environ.get(ENV_VAR):
            raise
        note(f"no accuracy, and timing on random pixels: {missing}")
        return None
    return load_split("test", data_dir)


def _command(models: Sequence[str], plan: Plan, images: Path | None, prepare: str) -> str:
    """The command line that measures the same again."""
    import shlex

    # File names without their folders: the checksums say which files they were.
    words = [word for one in models for word in ("--model", Path(one).name)]
    words += ["--threads", str(plan.threads), "--seconds", f"{plan.seconds_per_model:g}"]
    words += ["--rounds", str(plan.rounds)]
    words += ["--images", images.name or str(images)] if images else []
    words += [] if prepare == "auto" else ["--prepare", prepare]
    return shlex.join(["fmnist", "bench", *words])


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, and what moves it on: told what happens next, `steps` times."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from fmnist_cli.contract import printable

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(
        *columns, console=console, transient=True, disable=Level.quiet or not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=steps)
        begun = 0

        def on_step(step: str) -> None:
            nonlocal begun
            progress.update(task, completed=begun, description=escape(printable(step)))
            begun += 1

        yield on_step


def _table_text(table: Table, models: Mapping[str, Any]) -> str:
    """One line per model; what was not measured shows as –."""
    rows: list[Sequence[str]] = list(
        zip(("", "model"), *(column.head for column in table.columns), strict=True)
    )
    for name, result in models.items():
        values = [(column, column.value(result)) for column in table.columns]
        rows.append([name, *("–" if v is None else column.words(v) for column, v in values)])
    return aligned(rows, "<" + ">" * len(table.columns), heads=2)


def _document_text(document: Mapping[str, Any]) -> str:
    """Machine, tables and how to read them."""
    from fmnist_cli.bench.tables import footer_text, header_text, tables_of

    tables = [_table_text(table, document["models"]) for table in tables_of(document)]
    return "\n\n".join([header_text(document), *tables, footer_text(document)])


def _changes_text(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The figures that moved beyond their intervals, and how many there are of each kind."""
    from collections import Counter

    from fmnist_cli.bench.compare import compare, only_in
    from fmnist_cli.bench.tables import rounded, shortened

    def words(value: float) -> str:
        if value >= 1e5:
            return shortened(value)
        return f"{value:.4f}" if value < 1 else rounded(value)

    cells = compare(old, new)
    rows = [("model", "figure", "then", "now", "change", "")]
    for cell in cells:
        if cell.verdict != "same":
            before, after = cell.old.median, cell.new.median
            change = f"{after / before - 1:+.1%}" if before else "–"
            rows.append(
                (cell.model, cell.metric, words(before), words(after), change, cell.verdict)
            )
    counts = Counter(cell.verdict for cell in cells)
    lines = [
        "",
        f"Since {old['date']}: {counts['better']} figures better, {counts['worse']} worse,"
        f" {counts['same']} the same within their 95 % intervals.",
    ]
    lines += [aligned(rows, "<<>>>>")] if len(rows) > 1 else []
    for names, what in (
        (only_in(old, new), "not measured now"),
        (only_in(new, old), "not measured then"),
    ):
        lines += [f"{what}: {', '.join(names)}"] if names else []
    return "\n".join(lines)


def bench(
    model: Models = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, max=1024, metavar="N", help="Threads per call; by default all available cores."
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.01, metavar="SECONDS", help="Timing of each model; slow models take longer."
        ),
    ] = 4.0,
    rounds: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Turns per model; more turns narrow the intervals."),
    ] = 5,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Also time fmnist classify on this folder."),
    ] = None,
    prepare: Prepare = "auto",
    json_: Json = False,
    output: ResultsFile = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Also write a CSV file with a row per model."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write the tables as an HTML page."),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            "--compare", metavar="OLD", help="Say what changed since OLD, a file written with -o."
        ),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            metavar="RULE",
            help="Exit with code 4 if this holds for a model; repeatable: 'accuracy < 94%',"
            " 'latency_p50 > 1.2x' (times OLD).",
        ),
    ] = None,
    data_dir: DataDir = None,
    models_dir: ModelsDir = None,
) -> None:
    """Measure accuracy against latency and size.

    Also throughput and memory, all models side by side, with intervals.

    Examples:
        fmnist bench -m cnn -m resnet
        fmnist bench -o bench.json --report bench.html
        fmnist bench --compare bench.json --fail-if 'latency_p50 > 1.2x'
    """
    from datetime import UTC, datetime

    from fmnist_cli.bench import compare as earlier
    from fmnist_cli.bench.rounds import Plan
    from fmnist_cli.bench.run import Pictures, head, noisy_models, run, steps_of
    from fmnist_cli.bench.tables import page
    from fmnist_cli.files import write_text
    from fmnist_cli.inference.session import Session
    from fmnist_cli.machine import available_cores
    from fmnist_cli.preprocess import MODES, check_mode

    one_of(prepare, MODES, "--prepare")
    if images is None and prepare != "auto":
        raise UsageError("--prepare says how the pictures of --images are prepared; name some")
    rules = [earlier.parse_rule(text) for text in fail_if or ()]
    if compare is None and (relative := [rule.text for rule in rules if rule.relative]):
        raise UsageError(f"--fail-if {relative[0]!r} needs --compare OLD.json to be a multiple of")
    results = Results(json_, output)
    # What would fail after minutes of measuring fails now.
    if images is not None and not images.exists():
        raise UsageError(f"--images {images} does not exist")
    check_file(output, csv, report)
    files = open_named(model, models_dir)
    if prepare != "auto":
        for file in files.values():
            check_mode(prepare, Session(file).spec)
    plan = Plan(threads or available_cores(), seconds, rounds)
    split = _test_split(data_dir)
    begun = head(
        _command(model or (), plan, images, prepare),
        plan,
        pixels="random" if split is None else "test",
        started=datetime.now(UTC),
    )
    other_files = note_altered("test", data_dir) if split is not None else []
    old: dict[str, Any] | None = None
    if compare is not None:  # what cannot be compared shows before minutes of measuring
        old = earlier.read(compare)
        earlier.check_comparable(old, {**begun, "models": files}, compare)

    pictures = None if images is None else Pictures(images, prepare)
    with _progress(steps_of(len(files), plan, pictures=images is not None)) as on_step:
        measured = run(files, plan, split, pictures=pictures, on_step=on_step)
    document = {**begun, "altered": other_files, "models": measured}
    if noisy := noisy_models(measured):
        say(
            "warning: machine is noisy: timings of the same model differ by more than 30 % between"
            f" rounds ({', '.join(noisy)}); stop other work, or give more --rounds"
        )

    results.show(_document_text(document))
    results.write(document)
    if csv is not None:
        write_text(csv, earlier.csv_text(document))
    if report is not None:
        write_text(report, "".join(page(document)))
    if old is not None:
        (say if json_ else show)(_changes_text(old, document))
    broken = list(earlier.violations(rules, document["models"], old["models"] if old else {}))
    if broken:
        for line in broken:
            error(f"rule failed: {line}")
        raise typer.Exit(EXIT_RULE_FAILED)
