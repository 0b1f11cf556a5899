"""`fmnist merge DIR -o FILE`: one file of the parts that `classify -o DIR/` makes."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.output import say


def merge(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Folder of parts, made by classify -o DIR/.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File for the rows, or its URL: .jsonl, .csv, .excel.csv, .parquet or .txt.",
        ),
    ],
) -> None:
    """Make one file of a folder of parts.

    The file has the bytes that classify would have written. While parts are missing nothing is
    written: the exit code is 1, and the message says which they are.

    Examples:
        fmnist merge rows -o rows.parquet
    """
    from fmnist_cli.errors import UsageError
    from fmnist_cli.files import check_target
    from fmnist_cli.parts import merge as merge_parts
    from fmnist_cli.remote import is_url, public
    from fmnist_cli.sinks import KINDS, kind_of_name
    from fmnist_cli.sources import check_output
    from fmnist_cli.store import open_store

    kind = kind_of_name(output)
    if kind is None:
        known = ", ".join(suffix for one in KINDS.values() for suffix in one.suffixes)
        raise UsageError(f"--output {output!r}: no kind of output ends so; use one of {known}")
    store = open_store(folder)
    place: AbstractContextManager[Path]
    if is_url(output):
        if store.holds(output):
            raise UsageError(f"{public(output)} would lie among the parts; name a file elsewhere")
        elsewhere, _, name = output.rpartition("/")
        place, told = open_store(elsewhere).writing(name), public(output)
    else:
        target = check_target(Path(output))
        check_output(target)
        place, told = nullcontext(target), str(target)
    with place as target:
        parts, rows = merge_parts(store, target, KINDS[kind])
    say(f"{rows:,} rows of {parts:,} part{'s' * (parts > 1)} in {told}")
