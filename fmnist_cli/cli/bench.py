"""`fmnist bench`: accuracy of exported models against what they cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fmnist_cli.cli.options import (
    DataDir,
    JsonFile,
    Models,
    ModelsDir,
    Prepare,
    RunsDir,
    one_of,
    require_extra,
)
from fmnist_cli.errors import DataError, FmnistError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fmnist_cli.bench.plan import Candidate, Plan
    from fmnist_cli.bench.run import FindNative, NativeModel
    from fmnist_cli.data.dataset import LabelledImages
    from fmnist_cli.inference.store import ModelFile


def _note(text: str) -> None:
    sys.stderr.write(f"note: {text}\n")


def _test_split(data_dir: Path | None) -> LabelledImages | None:
    """The test split; None, with a note, where nobody said it should be there."""
    import os

    from fmnist_cli.data.dataset import find_data_dir, load_split
    from fmnist_cli.data.files import ENV_VAR

    try:
        find_data_dir(data_dir, split="test")
    except DataError as error:
        if data_dir is not None or os.environ.get(ENV_VAR):
            raise
        _note(f"no accuracy, and timing on random pixels: {error}")
        return None
    return load_split("test", data_dir)


def _native_of(candidates: list[Candidate], runs_dir: Path, threads: int) -> FindNative | None:
    """What finds native models; None, with a note, where their libraries are missing."""
    from fmnist_cli.inference.session import Session
    from fmnist_cli.models.registry import REGISTRY

    if not any(Session(candidate.file).card.name in REGISTRY for candidate in candidates):
        return None  # files of others: PyTorch need not even be imported
    try:
        require_extra()
    except MissingExtraError:
        _note(
            "no comparison with native models, which needs PyTorch and scikit-learn:"
            " pip install 'fmnist-cli[train]'"
        )
        return None

    def find(file: ModelFile) -> NativeModel:
        # Not before it is needed: PyTorch is to take no part in what is timed until then.
        from fmnist_cli.export.native import find_native

        return find_native(file, runs_dir, threads)

    return find


def _check_paths(images: Path | None, targets: Sequence[Path | None]) -> None:
    """What would fail after minutes of measuring fails now.

    Raises:
        UsageError: the pictures are not there, or a target is a folder.
    """
    if images is not None and not images.exists():
        raise UsageError(f"--images {images} does not exist")
    for target in filter(None, targets):
        if target.is_dir():
            raise UsageError(f"{target} is a folder; name a file to write the results to")


def _candidates(asked: Sequence[str] | None, models_dir: Path | None) -> list[Candidate]:
    """The models asked for, or all, under unique names.

    Raises:
        UsageError: there are none.
        ModelError: a file is missing or another one than its manifest says.
    """
    from fmnist_cli.bench.plan import Candidate
    from fmnist_cli.bench.run import unique_names
    from fmnist_cli.inference.store import find_models_dir, open_model
    from fmnist_cli.manifest import Manifest

    names = asked or list(Manifest.read(find_models_dir(models_dir)).models)
    if not names:
        raise UsageError(
            f"{find_models_dir(models_dir)} has no models; make some with: fmnist export"
        )
    files = [open_model(one, models_dir) for one in names]
    unique = unique_names([file.name for file in files])
    return [Candidate(name, file) for name, file in zip(unique, files, strict=True)]


def _command(
    models: Sequence[str], plan: Plan, native: bool, images: Path | None, prepare: str
) -> str:
    """The command line that measures the same again."""
    import shlex

    # File names without their folders: the checksums say which files they were.
    words = [word for one in models for word in ("--model", Path(one).name)]
    words += ["--threads", str(plan.threads), "--seconds", f"{plan.seconds_per_model:g}"]
    words += ["--rounds", str(plan.rounds)]
    words += [] if native else ["--no-native"]
    words += ["--images", images.name or str(images)] if images else []
    words += [] if prepare == "auto" else ["--prepare", prepare]
    return shlex.join(["fmnist", "bench", *words])


def _write(
    document: Mapping[str, Any], json_: str | None, csv: Path | None, html: Path | None
) -> None:
    """The document where it was asked for, and tables unless standard output holds JSON."""
    from fmnist_cli.bench.page import page
    from fmnist_cli.bench.rows import csv_text
    from fmnist_cli.cli.bench_text import print_document
    from fmnist_cli.files import write_text

    text = json.dumps(document, indent=2) + "\n"
    if json_ == "-":
        sys.stdout.write(text)
    else:
        print_document(document)
        if json_ is not None:
            write_text(Path(json_), text)
    if csv is not None:
        write_text(csv, csv_text(document))
    if html is not None:
        write_text(html, "".join(page(document)))


def bench(
    model: Models = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads per call; all available cores by default.")
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(min=0.01, help="Timing per model; slow models take longer, the rest extra."),
    ] = 6.0,
    rounds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Turns per model; more say more of the noise.")
    ] = 10,
    native: Annotated[
        bool, typer.Option("--native/--no-native", help="Compare with PyTorch and scikit-learn.")
    ] = True,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Also time classify on these pictures."),
    ] = None,
    prepare: Prepare = "auto",
    json_: JsonFile = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="A row per model, with intervals.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="The tables as a page.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="OLD.json", help="Say what changed since --json OLD."),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            metavar="RULE",
            help="Exit with 1 if it holds for a model, repeatable: 'accuracy < 94%',"
            " 'latency_p50 > 1.2x' (of OLD).",
        ),
    ] = None,
    data_dir: DataDir = None,
    models_dir: ModelsDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Accuracy against latency, throughput, memory and size, side by side."""
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.markup import escape

    from fmnist_cli.bench import compare as earlier
    from fmnist_cli.bench.conditions import complete, head
    from fmnist_cli.bench.endtoend import Pictures
    from fmnist_cli.bench.plan import Plan
    from fmnist_cli.bench.rules import parse_rule, violations
    from fmnist_cli.bench.run import noisy_models, run
    from fmnist_cli.cli.bench_text import print_changes
    from fmnist_cli.cores import available_cores
    from fmnist_cli.inference.session import Session
    from fmnist_cli.preprocess import MODES, check_mode

    one_of(prepare, MODES, "--prepare")
    if images is None and prepare != "auto":
        raise UsageError("--prepare says how the pictures of --images are prepared; name some")
    rules = [parse_rule(text) for text in fail_if or ()]
    if compare is None and (relative := [rule.text for rule in rules if rule.relative]):
        raise UsageError(f"--fail-if {relative[0]!r} needs --compare OLD.json to be a multiple of")
    _check_paths(images, [Path(json_) if json_ and json_ != "-" else None, csv, html])
    candidates = _candidates(model, models_dir)
    if prepare != "auto":
        for candidate in candidates:
            check_mode(prepare, Session(candidate.file).spec)
    plan = Plan(threads or available_cores(), seconds, rounds)
    split = _test_split(data_dir)
    find_native = _native_of(candidates, runs_dir, plan.threads) if native else None
    begun = head(
        _command(model or (), plan, native, images, prepare),
        plan,
        pixels="random" if split is None else "test",
        started=datetime.now(UTC),
    )
    old: dict[str, Any] | None = None
    if compare is not None:  # what cannot be compared shows before minutes of measuring
        old = earlier.read(compare)
        names: Mapping[str, Any] = {candidate.name: None for candidate in candidates}
        earlier.check_comparable(old, {**begun, "models": names}, compare)

    missing: dict[str, list[str]] = {}
    with Console(stderr=True).status("") as status:
        results = run(
            candidates,
            plan,
            split,
            find_native=find_native,
            pictures=None if images is None else Pictures(images, prepare),
            on_step=lambda step: status.update(escape(step)),
            on_missing=lambda name, reason: missing.setdefault(reason, []).append(name),
        )
    document = complete(begun, results)
    for reason, without in missing.items():
        _note(f"no native model of {', '.join(without)}: {reason}")
    if noisy := noisy_models(results):
        sys.stderr.write(
            "warning: machine is noisy: timings of the same model differ by more than 30 % between"
            f" rounds ({', '.join(noisy)}); stop other work, or give more --rounds\n"
        )

    _write(document, json_, csv, html)
    if old is not None:
        print_changes(
            earlier.compare(old, document),
            old["date"],
            earlier.only_in(old, document),
            earlier.only_in(document, old),
            stderr=json_ == "-",
        )
    broken = list(violations(rules, document["models"], old["models"] if old else {}))
    if broken:
        sys.stderr.write("".join(f"failed: {line}\n" for line in broken))
        raise typer.Exit(FmnistError.exit_code)
