"""Sorting more names than should be in memory: sorted runs in a temporary file, then a merge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice, pairwise
from typing import IO

from fmnist_cli.errors import DataError

# Together a few megabytes, whatever the number of names: the names of one run while it is
# made, then one block of each run while they are merged.
RUN = 20_000
_BLOCK = 8192
_END = b"/"  # no file name holds one, and no other character's UTF-8 does


def in_order(names: Iterable[str], run: int = RUN, folder: str | None = None) -> Iterator[str]:
    """The names in the order of `sorted`; from `run` names on they go through a file.

    Args:
        names: not empty, any characters but "/", lone surrogates included.
        run: how many names are held at once.
        folder: for the file; by default the system's one for temporary files.

    Raises:
        DataError: there is no room for the temporary file.
    """
    stream = iter(names)
    first = sorted(islice(stream, run))
    return iter(first) if len(first) < run else _merged(first, stream, run, folder)


def _merged(first: list[str], stream: Iterator[str], run: int, folder: str | None) -> Iterator[str]:
    from tempfile import TemporaryFile

    ends = [0]
    try:
        with TemporaryFile(prefix="fmnist-names-", dir=folder) as file:
            names = first
            while names:
                file.write(_END.join(name.encode("utf-8", "surrogatepass") for name in names))
                file.write(_END)
                ends.append(file.tell())
                names.clear()
                names += islice(stream, run)
                names.sort()
            file.flush()
            yield from merge(*(_run(file, *span) for span in pairwise(ends)))
    except OSError as error:
        raise DataError(
            f"cannot sort a large folder in a temporary file ({error.strerror or error}). "
            "Make room, or name another folder for temporary files in TMPDIR"
        ) from error


def _run(file: IO[bytes], position: int, end: int) -> Iterator[str]:
    """The names of one run; only a block of them is in memory."""
    rest = b""
    while position < end:
        file.seek(position)
        block = file.read(min(_BLOCK, end - position))
        position += len(block)
        *whole, rest = (rest + block).split(_END)
        for name in whole:
            yield name.decode("utf-8", "surrogatepass")
