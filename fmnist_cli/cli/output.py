"""What commands say: results on standard output, words about the work on standard error.

`--quiet` leaves out the words, `--verbose` adds to them. Errors are always told.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmnist_cli.errors import UsageError

if TYPE_CHECKING:
    from fmnist_cli.data.fashion_mnist import Split


class Level:
    """How much to say; set by the options that all commands share.

    Attributes:
        quiet: no words about the work.
        verbose: which settings and files are used, and where an unexpected error arose.
        command: what runs, such as ``fmnist data info``.
    """

    quiet = False
    verbose = False
    command = "fmnist"


def say(text: str) -> None:
    """Words about the work, on standard error; not with `--quiet`."""
    if not Level.quiet:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def note(text: str) -> None:
    """Something that the user may want to know or change."""
    say(f"note: {text}")


def note_altered(split: Split, data_dir: Path | None) -> list[str]:
    """The files of a split that are not the published ones; a note says so."""
    from fmnist_cli.data.fashion_mnist import altered

    names = altered(split, data_dir)
    if names:
        note(
            f"{' and '.join(names)}: not as published (MD5 differs), so these are no figures of"
            " Fashion-MNIST"
        )
    return names


def detail(text: str) -> None:
    """Which settings and files are used, on standard error; with `--verbose` only."""
    if Level.verbose:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def error(text: str, hint: str = "") -> None:
    """What went wrong and, if there is more to say than the text does, what to do about it."""
    from fmnist_cli.contract import printable

    lines = [*f"error: {text}".split("\n"), *([f"hint: {hint}"] if hint else [])]
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
    sys.stderr.flush()


def show(text: str) -> None:
    """A result, on standard output."""
    sys.stdout.write(f"{text}\n")


def aligned(rows: Iterable[Sequence[str]], columns: str) -> str:
    """A table with aligned columns, never wrapped or cut.

    Args:
        rows: cells; the first row holds the headings.
        columns: how each column is aligned: ``<`` left, ``>`` right.
    """
    from fmnist_cli.contract import printable

    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(columns, widths, strict=True))
    return "\n".join(form.format(*row).rstrip() for row in cells)


def check_file(*targets: Path | None, read: Iterable[Path] = ()) -> None:
    """Find out before the work which files cannot or must not be written after it.

    Args:
        targets: the files; None is passed over.
        read: files that are read.

    Raises:
        UsageError: one is a folder, a picture, or read.
    """
    from fmnist_cli.sources import check_output

    for target in filter(None, targets):
        if target.is_dir():
            raise UsageError(f"{target} is a folder; name a file to write the results to")
        check_output(target, read)


class Results:
    """Where the results of a command go: tables, JSON on standard output, a JSON file.

    Args:
        as_json: JSON on standard output (`--json`) instead of tables.
        file: file for the same JSON (`-o FILE`).
    """

    def __init__(self, as_json: bool = False, file: Path | None = None) -> None:
        self.as_json, self.file = as_json, file

    def check(self) -> None:
        """Find out before the work what could not be written after it.

        Raises:
            UsageError: the file is a folder, or a picture.
        """
        check_file(self.file)

    @property
    def has_tables(self) -> bool:
        """Whether people see tables: not where JSON goes, nor, if quiet, beside a file."""
        return not self.as_json and not (Level.quiet and self.file is not None)

    def show(self, text: str) -> None:
        """Tables for people."""
        if self.has_tables:
            show(text)

    def write(self, document: Mapping[str, Any], indent: int | None = 2) -> None:
        """The same results as JSON, where they were asked for."""
        import json

        from fmnist_cli.files import write_text

        text = json.dumps(document, indent=indent) + "\n"
        if self.as_json:
            sys.stdout.write(text)
        if self.file is not None:
            write_text(self.file, text)
            detail(f"results written to {self.file}")
