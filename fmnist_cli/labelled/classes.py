"""What labels of pictures mean to a model: its classes by name, or by what people call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fmnist_cli.data.fashion_mnist import SYNONYMS
from fmnist_cli.errors import DataError
from fmnist_cli.labelled.source import folded


class FolderClasses(NamedTuple):
    """Labelled folders in terms of a model's classes.

    Attributes:
        class_names: of the columns.
        columns: by folder, in the order of the folders: the columns that are right; none where
            the right answer is unknown.
    """

    class_names: tuple[str, ...]
    columns: Mapping[str, tuple[int, ...]]


def resolve(
    folders: Sequence[str], class_names: Sequence[str], *, source: str = "the folder"
) -> FolderClasses:
    """The columns that are right for each folder.

    A name means the class that equals it but for case, spaces, slashes and hyphens; else what
    garments of that name are (`SYNONYMS`), of which some are several classes, or none.

    Args:
        folders: their names, or other labels.
        class_names: of the model.
        source: where the folders are, for messages.

    Raises:
        DataError: a folder means nothing.
    """
    columns: dict[str, tuple[int, ...]]
    columns = {folded(name): (column,) for column, name in enumerate(class_names)}
    for name, meaning in SYNONYMS.items():
        if all(folded(one) in columns for one in meaning):
            columns.setdefault(name, tuple(sorted(columns[folded(one)][0] for one in meaning)))
    missing = [folder for folder in folders if folded(folder) not in columns]
    if missing:
        many = len(missing) > 1
        raise DataError(
            f"{', '.join(missing)} of {source} {'are no classes' if many else 'is no class'} of"
            f" the model, which are {', '.join(class_names)}. Rename the folder, call it unknown if"
            " no class is right, or give a file of labels: --labels FILE"
        )
    return FolderClasses(
        tuple(class_names), {folder: columns[folded(folder)] for folder in folders}
    )
