"""`fmnist evaluate --data DIR`: exported models on labelled pictures of one's own."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fmnist_cli.errors import DataError

if TYPE_CHECKING:
    from fmnist_cli.contract import InputSpec
    from fmnist_cli.inference.session import Session
    from fmnist_cli.labelled.evaluation import FolderEvaluation
    from fmnist_cli.labelled.folders import LabelledFolders


class Asked(NamedTuple):
    """The options of the command; `unknown_at` is None not to ask what is unknown."""

    root: Path
    classes: Path | None
    prepare: str
    unknown_at: float | None
    json: str | None
    report: Path | None
    models_dir: Path | None


def evaluate_on_folders(sessions: Mapping[str, tuple[str, Session]], asked: Asked) -> int:
    """Measure, print and write; the exit code.

    Args:
        sessions: by name, SHA-256 of the file and the model.
        asked: what to do.

    Raises:
        FmnistError: it cannot be done, with the reason.
    """
    from fmnist_cli.data.classes import read_meanings, resolve
    from fmnist_cli.errors import EXIT_REJECTED
    from fmnist_cli.files import write_text
    from fmnist_cli.inference.guard import open_guard
    from fmnist_cli.inference.routes import route_of
    from fmnist_cli.labelled.evaluation import evaluate_folders, judge
    from fmnist_cli.labelled.folders import class_folders, read_folders
    from fmnist_cli.preprocess import check_mode
    from fmnist_cli.progress import progress
    from fmnist_cli.sinks.whole import check_target

    if asked.report is not None:
        check_target(asked.report)
    meanings = None if asked.classes is None else read_meanings(asked.classes)
    # Before any picture is read, which takes time.
    folders = class_folders(asked.root)
    routes = {}
    for name, (_, session) in sessions.items():
        check_mode(asked.prepare, session.spec)
        resolve(folders, session.card.class_names, meanings, source=str(asked.root))
        guard = open_guard(asked.unknown_at, session.card, asked.models_dir)
        routes[name] = route_of(session, guard)
    results: dict[str, FolderEvaluation] = {}
    read: list[LabelledFolders] = []
    # The pictures are read once for all models that want the same, and then let go.
    for spec in _distinct([session.spec for _, session in sessions.values()]):
        with progress(True, None) as advance:
            found = read_folders(asked.root, spec, asked.prepare, advance=advance)
        if read and found.paths != read[0].paths:
            raise DataError(f"the pictures in {asked.root} changed while they were read")
        for name, route in routes.items():
            if route.spec == spec:
                classes = resolve(found.folders, route.class_names, meanings)
                results[name] = evaluate_folders(found, classes, *judge(found, route))
        read.append(replace(found, pixels=found.pixels[:0]))
    results = {name: results[name] for name in sessions}
    found = read[0]
    prepared = _prepared(read)
    names = {name: session.card.class_names for name, (_, session) in sessions.items()}
    if asked.json != "-":
        titles = {name: session.card.title for name, (_, session) in sessions.items()}
        _print(found, prepared, {n: (titles[n], names[n], results[n]) for n in sessions})
    if asked.report is not None:
        _write_page(found, names, results, asked.report)
    if asked.json is not None:
        checksums = {name: sha256 for name, (sha256, _) in sessions.items()}
        document = _document(found, prepared, checksums, names, results, asked)
        text = json.dumps(document, indent=2) + "\n"
        if asked.json == "-":
            sys.stdout.write(text)
        else:
            write_text(Path(asked.json), text)
    return EXIT_REJECTED if found.rejected else 0


def _distinct(specs: Sequence[InputSpec]) -> list[InputSpec]:
    """Each once, in the order of the first of its kind; a spec cannot be hashed."""
    return [spec for at, spec in enumerate(specs) if spec not in specs[:at]]


def _print(
    found: LabelledFolders,
    counts: Mapping[str, int],
    results: Mapping[str, tuple[str, tuple[str, ...], FolderEvaluation]],
) -> None:
    from fmnist_cli.labelled.words import confusion_table, folder_table, unknown_words
    from fmnist_cli.sinks.text import printable

    prepared = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    lines = [f"{len(found):,} pictures of {found.root}, prepared: {prepared}"]
    lines += [f"not read: {printable(r.path)}: {printable(r.error)}" for r in found.rejected]
    lines.append("")
    for name, (title, class_names, result) in results.items():
        lines += [
            f"{title} ({name}): accuracy {result.accuracy:.4f} on {result.images:,} pictures,"
            f" mean over folders {result.macro_accuracy:.4f}",
            *filter(None, [unknown_words(result)]),
            "",
            *(folder_table(result), "", confusion_table(result, class_names), ""),
        ]
    if len(results) > 1:
        lines.append(f"{'model':<14} {'accuracy':>8} {'macro':>8}")
        lines += [
            f"{name:<14} {result.accuracy:>8.4f} {result.macro_accuracy:>8.4f}"
            for name, (_, _, result) in results.items()
        ]
    print("\n".join(lines))  # noqa: T201


def _prepared(read: Sequence[LabelledFolders]) -> Mapping[str, int]:
    """How many pictures were prepared how, for any of the models."""
    counts: Counter[str] = Counter()
    for found in read:
        counts |= Counter(found.prepared)
    return dict(counts.most_common())


def _document(
    found: LabelledFolders,
    prepared: Mapping[str, int],
    checksums: Mapping[str, str],
    names: Mapping[str, Sequence[str]],
    results: Mapping[str, FolderEvaluation],
    asked: Asked,
) -> dict[str, object]:
    from fmnist_cli import __version__

    return {
        "version": __version__,
        "pictures": {
            # Folders without those above them: what was measured, not where it lies.
            "folder": found.root.resolve().name,
            "classes": asked.classes and asked.classes.name,
            "prepare": found.mode,
            "unknown_at": asked.unknown_at,
            "images": len(found),
            "prepared": prepared,
            "rejected": [{"path": row.path, "error": row.error} for row in found.rejected],
        },
        "models": {
            name: {
                "sha256": checksums[name],
                "class_names": list(names[name]),
                **result.to_json(),
            }
            for name, result in results.items()
        },
    }


def _write_page(
    found: LabelledFolders,
    names: Mapping[str, Sequence[str]],
    results: Mapping[str, FolderEvaluation],
    target: Path,
) -> None:
    from fmnist_cli.decode.quiet import libraries_quiet
    from fmnist_cli.html.contact_sheet import Shown, Thumbnails
    from fmnist_cli.labelled.page import Wrong, page
    from fmnist_cli.sinks.whole import whole_file, writing
    from fmnist_cli.sources import open_source

    wrong = {
        found.paths[position]
        for result in results.values()
        for position in result.wrong.nonzero()[0].tolist()
    }
    items = {item.path: item for item in open_source(found.root) if item.path in wrong}
    thumbnails = Thumbnails({None: found.spec}, found.mode)

    def draw(path: str, prepared: str) -> list[Shown]:
        return thumbnails(items[path], path, prepared) if path in items else []

    shown = Wrong(found, found.root.resolve().name, names, results, draw)
    with libraries_quiet(), whole_file(target) as partial, writing(partial):
        partial.write_text("".join(page(shown)), encoding="utf-8", newline="\n")
