"""What the folders of labelled pictures mean: a small TOML, or their own names.

```toml
[classes]
t-shirt = "T-shirt/top"                        # a class of the model
shoes = ["Sandal", "Sneaker", "Ankle boot"]    # any of these is right
hat = "unknown"                                # no class: the right answer is "unknown"
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.contract import UNKNOWN
from fmnist_cli.data.fashion_mnist import SYNONYMS
from fmnist_cli.errors import DataError
from fmnist_cli.labelled.source import folded

Meanings = Mapping[str, tuple[str, ...]]  # folder → names of the right classes; none: unknown


class FolderClasses(NamedTuple):
    """Labelled folders in terms of a model's classes.

    Attributes:
        class_names: of the columns.
        columns: by folder, in the order of the folders: the columns that are right; none where
            the right answer is unknown.
    """

    class_names: tuple[str, ...]
    columns: Mapping[str, tuple[int, ...]]


def read_meanings(path: Path) -> Meanings:
    """The table ``[classes]`` of a TOML file.

    Raises:
        DataError: it cannot be read, or is no such table; says how one looks.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; it is to say what each folder means") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is no TOML ({error})") from error
    table = values.get("classes")
    if not isinstance(table, dict) or not table or len(values) > 1:
        raise DataError(f"{path}: must hold one table and nothing else, such as\n{_example()}")
    return {folder: _meaning(path, folder, value) for folder, value in table.items()}


def _meaning(path: Path, folder: str, value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise DataError(f"{path}: {folder!r} is {value!r}, which is neither a name nor several")
    cleaned = tuple(dict.fromkeys(name.strip() for name in names))
    if not all(cleaned):
        raise DataError(f"{path}: {folder!r} holds an empty name")
    if UNKNOWN in map(folded, cleaned):
        if len(cleaned) > 1:
            raise DataError(f'{path}: {folder!r} is "unknown" and a class; give one of them')
        return ()
    return cleaned


def resolve(
    folders: Sequence[str],
    class_names: Sequence[str],
    meanings: Meanings | None = None,
    *,
    source: str = "the folder",
) -> FolderClasses:
    """The columns that are right for each folder.

    A name means the class that equals it but for case, spaces, slashes and hyphens. Without
    `meanings` the folders' own names are looked up, then what garments are often called.

    Args:
        folders: their names.
        class_names: of the model.
        meanings: as from `read_meanings`.
        source: where the folders are, for messages.

    Raises:
        DataError: a folder means nothing, or a name is no class; shows what to write.
    """
    columns = {folded(name): column for column, name in enumerate(class_names)}
    result: dict[str, tuple[int, ...]] = {}
    missing: list[str] = []
    for folder in folders:
        meaning = _meaning_of(folder, columns, meanings)
        if meaning is None or any(folded(name) not in columns for name in meaning):
            missing.append(folder)
        else:
            result[folder] = tuple(sorted({columns[folded(name)] for name in meaning}))
    if missing:
        raise _missing(missing, class_names, meanings, source)
    return FolderClasses(tuple(class_names), result)


def _meaning_of(
    folder: str, columns: Mapping[str, int], meanings: Meanings | None
) -> tuple[str, ...] | None:
    """Names of the right classes; None where nothing says what the folder means."""
    if meanings is not None and folder in meanings:
        return meanings[folder]
    if folded(folder) in columns:
        return (folder,)
    return None if meanings is not None else SYNONYMS.get(folded(folder))


def _missing(
    folders: Sequence[str],
    class_names: Sequence[str],
    meanings: Meanings | None,
    source: str,
) -> DataError:
    wrong = next(
        (
            name
            for name in (meanings or {}).get(folders[0], ())
            if folded(name) not in map(folded, class_names)
        ),
        None,
    )
    many = len(folders) > 1
    what = f"the folder{'s' * many} {', '.join(folders)} of {source}"
    if wrong is not None:
        cause = f"the class {wrong!r}, which {folders[0]!r} is to mean, is none of the model's"
    elif meanings is not None:
        cause = f"{what} {'are' if many else 'is'} not in the file of --classes"
    else:
        cause = f"{what} {'have the names' if many else 'has the name'} of no class"
    return DataError(
        f"{cause}. The classes are {', '.join(class_names)}. Say what each folder means in a"
        f' TOML file and give it with --classes; "unknown" where no class is right:\n'
        + _example(folders)
    )


def _example(folders: Sequence[str] = ("hat",)) -> str:
    keys = [f if re.fullmatch(r"[\w-]+", f, re.ASCII) else f'"{f}"' for f in folders]
    lines = [f'  {key} = "unknown"' for key in keys]
    return "\n".join(["  [classes]", '  shoes = ["Sandal", "Sneaker"]', *lines])
