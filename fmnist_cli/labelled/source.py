"""Where labelled pictures are, in folders or a file of labels; and what labels mean to a model."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fmnist_cli.data.fashion_mnist import SYNONYMS
from fmnist_cli.errors import DataError, MissingExtraError, UsageError
from fmnist_cli.sinks.base import original
from fmnist_cli.sources import open_source
from fmnist_cli.sources.items import FileItem, Item

_SHOWN = 3  # examples in a message


def folded(name: str) -> str:
    """A name without what people write differently: case, spaces, slashes, hyphens."""
    return re.sub(r"[\s/_\-]+", "", name.casefold())


class Labelled(NamedTuple):
    """Pictures with labels; nothing of them is read yet.

    Attributes:
        name: of the folder or file, for people.
        items: the pictures, in order; may be gone through more than once.
        labels: of each path; None where the topmost folder of a path is the label.
        left_out: how many rows of a file have no label, or are of no file, in words.
    """

    name: str
    items: Iterable[Item]
    labels: Mapping[str, str] | None = None
    left_out: tuple[str, ...] = ()

    def label(self, path: str) -> str | None:
        """The label of a picture; None where it lies in no class folder."""
        if self.labels is not None:
            return self.labels[path]
        folder, slash, _ = path.partition("/")
        return folder if slash else None

    def names(self) -> tuple[str, ...]:
        """All labels, sorted; no picture is read."""
        return tuple(sorted({label for item in self.items if (label := self.label(item.path))}))


def open_labelled(data: Path | None, labels: Path | None, root: Path | None = None) -> Labelled:
    """What the options of a command say: class folders, or a file of paths and labels.

    Args:
        data: a folder of class folders, or an archive of them.
        labels: a file with columns ``path`` and ``label``: CSV, JSON Lines or Parquet.
        root: folder or archive that the paths in it start from; by default the file's folder.

    Raises:
        UsageError: neither or both are given, or they do not exist.
        DataError: the file is none, or says nothing of any picture.
    """
    if (data is None) == (labels is None):
        raise UsageError("give a folder with one folder per class, or --labels FILE; one of both")
    if data is not None:
        if root is not None:
            raise UsageError("--root says where the paths of --labels FILE start")
        _check_path(data)
        if not data.exists():
            raise UsageError(f"there is no folder called {str(data)!r}")
        return Labelled(data.resolve().name, open_source(data))
    assert labels is not None  # noqa: S101
    for path in filter(None, (labels, root)):
        _check_path(path)
    root = root or labels.parent
    if not root.exists():
        raise UsageError(f"there is no folder called {str(root)!r}")
    found, left_out = _labels(labels)
    inside: dict[str, Item]
    if root.is_dir():
        files = ((path, root / path) for path in found if "\0" not in path)
        inside = {path: FileItem(path, str(file)) for path, file in files if file.exists()}
    else:
        inside = {item.path: item for item in open_source(root)}
    missing = [path for path in found if path not in inside]
    if missing:
        words = f"{len(missing):,} of {len(found):,} pictures are not in {root}: {some(missing)}"
        if len(missing) == len(found):
            raise DataError(f"{labels}: {words}. --root DIR says where its paths start")
        left_out = (*left_out, words)
    items = [inside[path] for path in found if path in inside]
    return Labelled(labels.name, items, found, left_out)


def _check_path(path: Path) -> None:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", path.as_posix()) and not path.exists():
        raise UsageError(
            f"{path} is a URL, and this command reads files; URLs are read by fmnist classify,"
            " prepare and explain"
        )


def some(names: Sequence[str]) -> str:
    """A few of them, for a message."""
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _labels(file: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Path → label, and what was left out."""
    found: dict[str, str] = {}
    without = 0
    for path, label in _rows(file):
        label = label.strip()
        if not label or not path:
            without += 1
        elif found.setdefault(path, label) != label:
            raise DataError(
                f"{file}: {path} has two labels, {found[path]} and {label}; leave one of them"
            )
    if not found:
        raise DataError(f"{file}: no row has a path and a label")
    return found, (f"rows without a label: {without:,}",) if without else ()


def _rows(file: Path) -> Iterator[tuple[str, str]]:
    """Path and label of each row, empty where there is none."""
    try:
        kind = file.suffix.lower()
        if kind in (".parquet", ".pq"):
            from pyarrow import parquet

            for found in parquet.read_table(file, columns=["path", "label"]).to_pylist():
                yield _row(found, original)
            return
        with file.open(encoding="utf-8-sig", newline="") as stream:
            if kind in (".jsonl", ".ndjson", ".json"):
                import orjson

                for line in filter(str.strip, stream):
                    yield _row(orjson.loads(line), original)
                return
            for row in csv.DictReader(stream, strict=True):
                yield _row(row, _cell)
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet") from None
    except FileNotFoundError:
        raise UsageError(f"there is no file called {str(file)!r}") from None
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(
            f"{file}: is no CSV, JSON Lines or Parquet file with the columns path and label"
            f" ({error or type(error).__name__})"
        ) from error


def _cell(text: str) -> str:
    """The text in a cell of a CSV file as `fmnist_cli.sinks.csv` writes it."""
    return original(text[1:] if text.startswith("'") else text)


def _row(row: Mapping[str, Any], text: Any) -> tuple[str, str]:
    if "path" not in row or "label" not in row:
        raise KeyError(f"its columns are {', '.join(map(str, row))}")
    return text(row["path"] or ""), text(row["label"] or "")


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
