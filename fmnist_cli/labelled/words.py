"""What a model makes of labelled folders, as text."""

from __future__ import annotations

from fmnist_cli.contract import UNKNOWN
from fmnist_cli.labelled.evaluation import FolderEvaluation


def folder_table(found: FolderEvaluation) -> str:
    """A row per folder: what it means, how many pictures, how many right, the usual mistake."""
    width = max(6, *(len(one.folder) for one in found.folders))
    head = f"{'folder':<{width}} {'images':>7} {'right':>7} {'recall':>7}"
    asked = found.unknown is not None
    lines = [head + (f" {UNKNOWN:>8}" if asked else "") + "  most often taken for"]
    for one in found.folders:
        right, recall = "–", "–"
        if one.right is not None:
            right = f"{one.right:,}"
            recall = f"{one.right / one.images:.1%}" if one.images else "–"
        line = f"{one.folder:<{width}} {one.images:>7,} {right:>7} {recall:>7}"
        if one.unknown is not None:
            line += f" {one.unknown:>8,}"
        mistaken = one.mistaken
        lines.append(line + (f"  {mistaken[0]} ({mistaken[1]:,})" if mistaken else ""))
    return "\n".join(lines)


def confusion_table(found: FolderEvaluation, class_names: tuple[str, ...]) -> str:
    """A row per folder, a column per label that was given at all."""
    given = {label for one in found.folders for label in one.labels}
    labels = [name for name in class_names if name in given]
    width = max(len("folder ↓ label →"), *(len(one.folder) for one in found.folders))
    lines = [f"{'folder ↓ label →':>{width}} " + " ".join(f"{n[:6]:>6}" for n in labels)]
    for one in found.folders:
        counts = " ".join(f"{one.labels.get(label, 0):>6,}" for label in labels)
        lines.append(f"{one.folder:>{width}} {counts}")
    return "\n".join(lines)


def unknown_words(found: FolderEvaluation) -> str:
    """What was made of folders that are no class of the model."""
    left_out = [one for one in found.folders if not one.classes]
    images = sum(one.images for one in left_out)
    if found.unknown is None:
        if not images:
            return ""
        names = ", ".join(one.folder for one in left_out)
        return f'left out of the accuracy: {images:,} pictures of {names}, which mean "unknown"'
    result = found.unknown
    words = f"called unknown: {result.wrongly_unknown:.1%} of pictures that have a class"
    if result.recognised is not None:
        words += f", {result.recognised:.1%} of the {result.images:,} that have none"
    if result.auroc is not None:
        words += f" (AUROC {result.auroc:.3f})"
    return f"{words}; labelled, and right: {result.accuracy:.1%}"
