"""Paths and URLs from a text file or from standard input, one per line or separated by NUL."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from typing import BinaryIO

from fmnist_cli.errors import UsageError
from fmnist_cli.remote import is_url, public
from fmnist_cli.sources.items import FileItem, Item, Selection, Skipped, everything
from fmnist_cli.sources.objects import RemoteItem

_BLOCK = 1 << 16
_LEADING = re.compile(r"^(\.\.?/|/)+")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST = 1 << 20  # bytes; far above what any system takes for a path


class ListSource:
    """The files of a list, in its order; each gets a row, whatever it is.

    Empty lines are no paths, a line may end in CR LF, and any bytes that the file system
    takes are fine. Relative paths start from the current directory. Lists from Windows may be in
    UTF-16 or begin with a byte order mark, and their backslashes may stand for slashes. Of a URL
    nothing is asked before it is read, so it never counts as changed.

    Args:
        name: the file with the list; "-" for standard input.
        null: whether paths are separated by NUL instead of newlines.
        selection: which of the listed paths to take.
        stdin: what "-" reads; by default the standard input of the process.

    Raises:
        UsageError: there is no such file; on iteration, when it cannot be read, when it is no
            list of paths, or when standard input is asked for a second time.
    """

    skipped = Skipped()  # nothing

    def __init__(
        self,
        name: str,
        *,
        null: bool = False,
        selection: Selection | None = None,
        stdin: BinaryIO | None = None,
    ) -> None:
        self._name = name
        self._null = null
        self._selection = selection or Selection()
        self._wants = self._selection.wants
        self._stdin = stdin
        self._used = False
        if name != "-" and not os.path.exists(name):  # noqa: PTH110
            raise UsageError(f"there is no file called {name!r} to read paths from")
        self._once = name == "-" or not os.path.isfile(name)  # noqa: PTH113 - a pipe under a name, too

    def __iter__(self) -> Iterator[Item]:
        if self._used and self._once:
            what = "standard input" if self._name == "-" else repr(self._name)
            raise UsageError(
                f"the paths on {what} can be read only once; "
                "put them into a file and name it with --from-file"
            )
        self._used = True
        try:
            with self._open() as stream:
                for raw in self._paths(stream):
                    path = location = os.fsdecode(raw)
                    if b"://" in raw and is_url(path):
                        if self._selection.wants(path.partition("://")[2]):
                            yield RemoteItem(public(path), path, limit=self._selection.max_bytes)
                        continue
                    if b"\\" in raw:
                        location = _with_slashes(path)
                    if self._wants is everything or self._wants(_below(location)):
                        yield FileItem(path, location)
        except OSError as error:
            raise UsageError(
                f"cannot read paths from {self._name!r}: {error.strerror or error}"
            ) from error

    def _open(self) -> BinaryIO | nullcontext[BinaryIO]:
        if self._name == "-":
            return nullcontext(self._stdin or sys.stdin.buffer)
        return open(self._name, "rb")  # noqa: PTH123

    def _paths(self, stream: BinaryIO) -> Iterator[bytes]:
        separator = b"\0" if self._null else b"\n"
        rest = b""
        for block in _blocks(stream):
            if not self._null and b"\0" in block:
                raise UsageError(
                    f"the list of paths {self._name!r} holds NUL; if that separates them, add -0;"
                    " if the list is UTF-16, it needs a byte order mark"
                )
            *whole, rest = (rest + block).split(separator)
            if len(rest) > _LONGEST:
                raise UsageError(f"{self._name!r} is no list of paths: one is longer than 1 MiB")
            yield from filter(None, map(self._trimmed, whole))
        if last := self._trimmed(rest):
            yield last

    def _trimmed(self, line: bytes) -> bytes:
        return line if self._null else line.removesuffix(b"\r")


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """What is in a stream, as it comes; without a byte order mark, and as UTF-8 if that says so."""
    read = getattr(stream, "read1", stream.read)
    block = read(_BLOCK)
    while any(block != mark and mark.startswith(block) for mark in _MARKS):
        if not (more := read(_BLOCK)):
            break
        block += more
    blocks = chain([block.removeprefix(codecs.BOM_UTF8)], iter(lambda: read(_BLOCK), b""))
    if not block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _with_slashes(path: str) -> str:
    """A path from Windows as this system takes it, if there is such a file and no other."""
    slashed = path.replace("\\", "/")
    is_literal = os.sep == "\\" or os.path.lexists(path)
    return slashed if not is_literal and os.path.exists(slashed) else path  # noqa: PTH110


def _below(path: str) -> str:
    """A listed path as patterns see it: without what leads up or to the root."""
    return _LEADING.sub("", os.path.normpath(path).replace(os.sep, "/"))
