"""The end of a zip archive, which says where the list of its members is."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO, NamedTuple

from fmnist_cli.errors import DataError

_END = struct.Struct("<4sHHHHLLH")
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQHHLLQQQQ")
_LONGEST_COMMENT = 0xFFFF
FULL = 0xFFFFFFFF  # the value is in the zip64 structure


class Extent(NamedTuple):
    """Where the list is."""

    start: int  # of the list in the file
    members: int
    shift: int  # bytes in front of the archive, which its offsets do not count


def find_list(path: Path, file: IO[bytes]) -> Extent:
    """Where the list of members is.

    Raises:
        DataError: nowhere: the archive is cut off, damaged, or one part of several.
    """
    size = file.seek(0, os.SEEK_END)
    tail_start = max(0, size - _END.size - _LONGEST_COMMENT)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    # The signature may also stand in a comment; the right one is followed by exactly its comment.
    while at >= 0 and at + _END.size + int.from_bytes(tail[at + 20 : at + 22], "little") != len(
        tail
    ):
        at = tail.rfind(b"PK\5\6", 0, at)
    if at < 0 or at + _END.size > len(tail):
        raise DataError(
            f"{path}: this zip archive has no list of its members: it is cut off or damaged. "
            "Fetch it again, or try: zip -FF"
        )
    _, disk, _, _, count, length, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if disk not in (0, 0xFFFF):
        raise DataError(f"{path}: one part of a split zip archive. Join the parts first: zip -s 0")
    if count == 0xFFFF or FULL in (length, start):
        file.seek(max(0, end - _LOCATOR.size))
        locator = file.read(_LOCATOR.size)
        if locator.startswith(b"PK\6\7"):
            file.seek(_LOCATOR.unpack(locator)[2])
            block = file.read(_END_64.size)
            if not block.startswith(b"PK\6\6") or len(block) < _END_64.size:
                raise DataError(f"{path}: the end of this zip archive is damaged. Fetch it again")
            end = _LOCATOR.unpack(locator)[2]
            *_, count, length, start = _END_64.unpack(block)
    shift = end - length - start
    if shift < 0:
        raise DataError(f"{path}: the end of this zip archive is damaged. Fetch it again")
    return Extent(start + shift, count, shift)
