"""`fmnist evaluate --data DIR`: exported models on labelled pictures of one's own."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fmnist_cli.labelled.evaluation import FolderEvaluation
    from fmnist_cli.labelled.folders import LabelledFolders
    from fmnist_cli.prepare import Isolate
    from fmnist_cli.runtime.session import Session


class Asked(NamedTuple):
    """The options of the command; `unknown_at` is None to ask no guard."""

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
    from fmnist_cli.labelled.evaluation import evaluate_folders, strangeness_of
    from fmnist_cli.labelled.folders import class_folders, read_folders
    from fmnist_cli.runtime.guard import open_guard
    from fmnist_cli.runtime.isolate import open_isolator
    from fmnist_cli.runtime.sinks.whole import check_target
    from fmnist_cli.runtime.tally import progress

    if asked.report is not None:
        check_target(asked.report)
    meanings = None if asked.classes is None else read_meanings(asked.classes)
    # Before any picture is read, which takes time.
    folders = class_folders(asked.root)
    for _, session in sessions.values():
        resolve(folders, session.card.class_names, meanings, source=str(asked.root))
    every = {name for _, session in sessions.values() for name in session.card.class_names}
    guard = open_guard(asked.unknown_at, sorted(every), asked.models_dir)
    isolate = open_isolator(asked.prepare, asked.models_dir)
    with progress(True, None) as advance:
        found = read_folders(asked.root, asked.prepare, isolate, advance=advance)
    strangeness = None if guard is None else strangeness_of(found, guard)
    results = {}
    for name, (_, session) in sessions.items():
        classes = resolve(found.folders, session.card.class_names, meanings)
        probabilities = session.probabilities(found.pixels)
        results[name] = evaluate_folders(found, classes, probabilities, strangeness)
    names = {name: session.card.class_names for name, (_, session) in sessions.items()}
    if asked.json != "-":
        _print(found, {n: (s.card.title, names[n], results[n]) for n, (_, s) in sessions.items()})
    if asked.report is not None:
        _write_page(found, names, results, isolate, asked.report)
    if asked.json is not None:
        checksums = {name: sha256 for name, (sha256, _) in sessions.items()}
        text = json.dumps(_document(found, checksums, names, results, asked), indent=2) + "\n"
        if asked.json == "-":
            sys.stdout.write(text)
        else:
            write_text(Path(asked.json), text)
    return EXIT_REJECTED if found.rejected else 0


def _print(
    found: LabelledFolders,
    results: Mapping[str, tuple[str, tuple[str, ...], FolderEvaluation]],
) -> None:
    from fmnist_cli.labelled.words import confusion_table, folder_table, unknown_words
    from fmnist_cli.runtime.sinks.text import printable

    prepared = ", ".join(f"{count:,} {name}" for name, count in _prepared(found).items())
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


def _prepared(found: LabelledFolders) -> Mapping[str, int]:
    return dict(Counter(found.prepared).most_common())


def _document(
    found: LabelledFolders,
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
            "prepared": _prepared(found),
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
    isolate: Isolate | None,
    target: Path,
) -> None:
    from fmnist_cli.labelled.page import Shown, page
    from fmnist_cli.runtime.decode import MAX_PIXELS
    from fmnist_cli.runtime.quiet import libraries_quiet
    from fmnist_cli.runtime.sinks.gallery.thumbnails import Thumbnails
    from fmnist_cli.runtime.sinks.whole import whole_file, writing
    from fmnist_cli.runtime.sources import open_source
    from fmnist_cli.runtime.sources.base import MAX_BYTES

    wrong = {
        found.paths[position]
        for result in results.values()
        for position in result.wrong.nonzero()[0].tolist()
    }
    items = {item.path: item for item in open_source(found.root) if item.path in wrong}
    thumbnails = Thumbnails(MAX_PIXELS, MAX_BYTES, found.mode, isolate)

    def draw(path: str, prepared: str) -> tuple[str | None, str | None]:
        return thumbnails(items[path], prepared) if path in items else (None, None)

    shown = Shown(found, found.root.resolve().name, names, results, draw)
    with libraries_quiet(), whole_file(target) as partial, writing(partial):
        partial.write_text("".join(page(shown)), encoding="utf-8", newline="\n")
