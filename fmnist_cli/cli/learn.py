"""`fmnist learn`: a model of one's own classes from labelled pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fmnist_cli import __version__
from fmnist_cli.cli.options import Json, LabelsFile, LabelsRoot, require_extra
from fmnist_cli.cli.output import Level, Results, aligned, check_file, note, note_models_dir, say
from fmnist_cli.errors import EXIT_REJECTED, UsageError

if TYPE_CHECKING:
    from fmnist_cli.labelled.pictures import Members

_MANY = 100  # classes


def learn(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Folder, or archive, with one folder per class."),
    ] = None,
    labels: LabelsFile = None,
    root: LabelsRoot = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The model; by default ./NAME.onnx."),
    ] = None,
    add: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on from this own model.")
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Train the network, too; takes long.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a page of held-out pictures that are wrong."),
    ] = None,
    json_: Json = False,
) -> None:
    """Learn your own classes from labelled pictures.

    Five pictures of a class are a start. Says how good the model is on pictures that were held
    out. Exit code 3: some pictures could not be read; the model is made of the others.

    Examples:
        fmnist learn mine
        fmnist learn mine -o models/shop.onnx --report wrong.html
        fmnist learn --labels corrected.csv --root photos --add mine.onnx -o mine.onnx
    """
    if data is not None and data.suffix == ".onnx":
        raise UsageError(
            f"{data} is a model; name a folder of pictures. --add goes on from a model"
        )
    require_extra("train" if fine_tune else "learn")
    if add is not None and fine_tune:
        raise UsageError("--fine-tune needs all pictures; of old ones --add has only features")

    import numpy as np

    from fmnist_cli.files import check_target
    from fmnist_cli.inference.models import manifests, open_model
    from fmnist_cli.inference.session import Session
    from fmnist_cli.labelled.evaluation import accuracy_words, evaluate_folders, folder_rows
    from fmnist_cli.labelled.page import write_page
    from fmnist_cli.labelled.source import FolderClasses, open_labelled
    from fmnist_cli.learn.head import cross_validate, fit
    from fmnist_cli.learn.model import remembered, write
    from fmnist_cli.learn.pictures import check, check_names, see
    from fmnist_cli.progress import progress

    labelled = open_labelled(data, labels, root)
    target = output or Path(f"{Path(labelled.name).stem}.onnx")
    if target.suffix != ".onnx":
        raise UsageError(f"-o {target}: a model's file ends in .onnx")
    if any(target.stem in of.models for _, of in manifests()):
        raise UsageError(
            f"{target.stem} is the name of a model that is there already; give another with -o,"
            f" such as -o my-{target.stem}.onnx"
        )
    check_target(target)
    if report is not None:
        check_file(check_target(report), read=filter(None, (data, labels, add)))
    if add is None:
        note_models_dir()
    base = open_model("photo" if add is None else str(add))
    old = None if add is None else remembered(base)
    labelled, digests = check(labelled, Counter(() if old is None else old.labels.tolist()))
    if data is not None and all(path.count("/") > 1 for path in digests):
        note(f"the classes are the topmost folders of {labelled.name}, which hold folders only")
    session = Session(base)
    with progress(not Level.quiet, lambda: len(digests)) as advance:
        new, found = see(labelled, digests, session, advance)
    say("\n".join(found.told()))
    examples = new if old is None else old.updated(new)
    counts = Counter(examples.labels.tolist())
    check_names(counts, labelled.name)
    names = tuple(sorted(counts))
    members: Members = np.searchsorted(names, examples.labels)
    if len(names) > _MANY:
        say(f"fitting {len(names):,} classes takes minutes")
    strength, held = cross_validate(examples.embeddings, members)
    head = fit(examples.embeddings, members, strength)
    tuning: dict[str, float] | None = None
    if fine_tune:
        from fmnist_cli.learn.tune import RECIPE, tune

        total = RECIPE.epochs * RECIPE.folds * len(members)
        with progress(not Level.quiet, lambda: total) as advance:
            tuned = tune(labelled, examples.embeddings, strength, base, say, advance)
        tuning = {"tuned": tuned[2].accuracy(members), "frozen": held.accuracy(members)}
        words = "held out: {tuned:.1%} right fine-tuned, {frozen:.1%} without".format(**tuning)
        if tuning["tuned"] > tuning["frozen"]:
            say(words)
            base, head, held = tuned
            examples, _ = see(labelled, digests, Session(base), engine="threads")
        else:
            say(f"{words}; the model is the one without")
    temperature = held.temperature(members)
    write(target, base, head, held, names, examples, temperature)
    # Of old pictures only features are left: they count, but are not shown.
    shown = held.probabilities(temperature)[len(members) - len(found) :]
    columns = {name: (names.index(name),) for name in found.folders if name in names}
    evaluation = evaluate_folders(found, FolderClasses(names, columns), shown)
    evaluation = replace(evaluation, folds=held.folds)
    if report is not None:
        write_page(found, {target.stem: evaluation}, report)
    results = Results(json_)
    table = aligned(folder_rows(evaluation), "<>>><")
    results.show(f"held out in turn: {accuracy_words(evaluation)}\n\n{table}")
    say(
        f"{target}: {target.stat().st_size / 1e6:.1f} MB."
        f" Use it: fmnist classify PHOTOS -m {target.with_suffix('')} --unknown"
    )
    results.write(
        {
            "version": __version__,
            "model": target.name,
            "classes": list(names),
            "learned": len(members),
            "folds": held.folds,
            "fine_tuning": tuning,
            **evaluation.to_json(),
            "rejected": [row._asdict() for row in found.rejected],
        }
    )
    if found.rejected:
        raise typer.Exit(EXIT_REJECTED)
