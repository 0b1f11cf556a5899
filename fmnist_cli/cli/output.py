"""What commands say: results on standard output, words about the work on standard error.

`--quiet` leaves out the words, `--verbose` adds to them. Errors are always told. Names of files,
models and columns come from strangers, so nothing that is said moves the cursor of a terminal.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fmnist_cli.errors import FmnistError, UsageError

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


def _lines(text: str) -> str:
    from fmnist_cli.contract import printable

    return "".join(f"{printable(line)}\n" for line in text.split("\n"))


def to_nowhere(stream: TextIO) -> None:
    """Let what is still to be written, and cannot be, vanish instead of failing again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def words(text: str) -> None:
    """Text on standard error, as it is; lost if it cannot be written there."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BrokenPipeError:  # a reader that has seen enough
        raise
    except OSError:  # a full disk, where results may well fit on another one
        to_nowhere(sys.stderr)


def tell(text: str) -> None:
    """Words on standard error, whatever the level."""
    words(_lines(text))


def say(text: str) -> None:
    """Words about the work, on standard error; not with `--quiet`."""
    if not Level.quiet:
        tell(text)


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


def note_models_dir() -> None:
    """A note that ./exported, which nobody named, is where models are looked for first."""
    from fmnist_cli.inference.models import ENV_VAR, find_models_dir, shipped_dir
    from fmnist_cli.manifest import MANIFEST_FILE

    manifests = [folder / MANIFEST_FILE for folder in (find_models_dir(), shipped_dir())]
    contents = {one.read_bytes() for one in manifests if one.is_file()}
    if len(contents) > 1 and ENV_VAR not in os.environ:
        note(
            f"models of ./{manifests[0].parent} are used before those that are shipped;"
            f" --models-dir or {ENV_VAR} names another folder"
        )


def detail(text: str) -> None:
    """Which settings and files are used, on standard error; with `--verbose` only."""
    if Level.verbose:
        tell(text)


def error(text: str, hint: str = "") -> None:
    """What went wrong and, if there is more to say than the text does, what to do about it."""
    tell(f"error: {text}" + (f"\nhint: {hint}" if hint else ""))


def show(text: str) -> None:
    """A result, on standard output."""
    write(_lines(text))


def write(text: str) -> None:
    """Text on standard output, as it is.

    Raises:
        FmnistError: it cannot be written there.
    """
    try:
        sys.stdout.write(text)
    except BrokenPipeError:  # a reader that has seen enough
        raise
    except OSError as error:
        raise FmnistError(f"cannot write to standard output: {error.strerror or error}") from error


def aligned(rows: Iterable[Sequence[str]], columns: str, heads: int = 1) -> str:
    """A table with aligned columns; a paragraph per row where the terminal is too narrow for it.

    Args:
        rows: cells; the first rows hold the headings.
        columns: how each column is aligned: ``<`` left, ``>`` right.
        heads: how many rows of headings there are.
    """
    from fmnist_cli.contract import printable

    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(columns, widths, strict=True))
    lines = [form.format(*row).rstrip() for row in cells]
    room = shutil.get_terminal_size().columns
    if not sys.stdout.isatty() or max(map(len, lines)) <= room:
        return "\n".join(lines)
    import textwrap

    # A word of two lines is divided by a hyphen.
    headings = zip(*cells[:heads], strict=True)
    names = [" ".join(filter(None, head)).replace("- ", "") for head in headings]
    told = []
    for name, *values in filter(any, cells[heads:]):
        pairs = zip(names[1:], values, strict=True)
        text = ", ".join(f"{head} {value}".strip() for head, value in pairs if value)
        told.append(textwrap.fill(f"{name}: {text}", room, subsequent_indent="  "))
    return "\n".join(told)


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
            write(text)
        if self.file is not None:
            write_text(self.file, text)
            detail(f"results written to {self.file}")
