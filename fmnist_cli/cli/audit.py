"""`fmnist data audit`: labels that are likely wrong, and images that are there twice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, Force, RunsDir, require_extra
from fmnist_cli.cli.output import Level, say, show
from fmnist_cli.cli.train import Device
from fmnist_cli.errors import EXIT_INTERRUPTED
from fmnist_cli.files import check_folder
from fmnist_cli.models.registry import REGISTRY, Preset, get_spec


def audit(
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", metavar="MODEL", help=f"Who judges: any of {', '.join(REGISTRY)}."
        ),
    ] = "cnn",
    preset: Annotated[Preset, typer.Option(help="How long each fold's model is trained.")] = (
        "standard"
    ),
    folds: Annotated[
        int, typer.Option(min=2, metavar="N", help="Parts of the training file; a model for each.")
    ] = 4,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of the folds and of training.")
    ] = 0,
    probabilities: Annotated[
        Path | None,
        typer.Option(
            "--probabilities",
            metavar="FILE",
            help="Train nothing; judge by this .npz: arrays train and test of a row per image and"
            " a column per class, by models that did not see the image. Every audit writes one.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ] = Path("audit"),
    top: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="How many of each the page shows.")
    ] = 300,
    device: Annotated[Device, typer.Option(help="Device for the PyTorch models.")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted audit.")
    ] = False,
    force: Force = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """List likely wrong labels and duplicate images.

    Models judge every image that they were not trained on. Writes audit.csv and duplicates.csv,
    audit.html to look at them, audit.json with counts, and probabilities.npz. Prints the folder.

    Examples:
        fmnist data audit --preset quick -o audit
        fmnist data audit --probabilities audit/probabilities.npz --top 100 --force
    """
    require_extra()
    spec = get_spec(model)
    check_folder(out, force=force or resume)

    from fmnist_cli.audit.labels import AuditData, Judgements
    from fmnist_cli.audit.report import Settings, write

    data = AuditData.load(data_dir)
    out.mkdir(parents=True, exist_ok=True)  # what cannot be written to shows now, not hours later
    try:
        if probabilities is None:
            # Models are trained for it, in ``RUNS_DIR/audit/fold-1/MODEL`` and so on.
            from fmnist_cli.audit.folds import judge, make_folds, start_anew, with_parents
            from fmnist_cli.training.job import Job
            from fmnist_cli.training.progress import console_reporter
            from fmnist_cli.training.run import choose_device

            chosen = choose_device(device)
            job = Job.of(spec, preset, seed)
            parts = make_folds(data, folds, seed, runs_dir / "audit")
            if not resume:
                start_anew(job, parts, data)
            fits = folds * len(with_parents(job))
            with console_reporter(fits, quiet=Level.quiet) as reporter:
                judgements = judge(job, parts, data, device=chosen, reporter=reporter)
            settings = Settings(
                f"Judged by: {spec.name}, {preset} preset, {folds} folds",
                {"model": spec.name, "preset": preset, "folds": folds, "seed": seed},
            )
        else:
            # The name without its folder: where a file lies says nothing of what it holds.
            name = probabilities.name
            settings = Settings(f"Judged by {name}", {"probabilities": name})
            judgements = Judgements.read(probabilities, (len(data.train), len(data.test)))
        findings = write(out, data, judgements, settings, top=top, say=say)
    except KeyboardInterrupt:
        again = "" if probabilities else " The same command with --resume goes on."
        say(f"\ninterrupted.{again}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    say(
        f"{len(findings.issues):,} labels likely wrong, {len(findings.groups):,} groups of"
        " duplicates"
    )
    show(str(out))
