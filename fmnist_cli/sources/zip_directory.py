"""The list of members at the end of a zip archive, read as a stream.

Not the standard library's `zipfile`, which holds some 600 bytes per member in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from fmnist_cli.sources.archive import unreadable_archive
from fmnist_cli.sources.zip_end import FULL, Extent, find_list

_RECORD = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_BUFFER = 1 << 16
_UTF8 = 1 << 11
_ENCRYPTED = 1
_FAT, _UNIX = 0, 3


class ZipRecord(NamedTuple):
    """One member.

    Attributes:
        name: as it stands in the archive, with "/" between folders.
        offset: of its header in the file.
        packed: bytes of its compressed content.
        size: bytes of its content.
        method: of compression.
        crc: CRC-32 of its content.
        encrypted: whether a password is needed.
        link: whether it is a symbolic link.
    """

    name: str
    offset: int
    packed: int
    size: int
    method: int
    crc: int
    encrypted: bool
    link: bool


class DamagedZipError(Exception):
    """The list of members is damaged; those before are right."""


def check_zip(path: Path) -> None:
    """See whether the list of members is there, so that its lack is told before any row.

    Raises:
        DataError: as for `zip_records`.
    """
    try:
        with path.open("rb") as file:
            find_list(path, file)
    except OSError as error:
        raise unreadable_archive(path, error) from error


def zip_records(path: Path) -> Iterator[ZipRecord]:
    """The members of an archive, in the order of its list; a few kilobytes are held.

    Raises:
        DataError: the file cannot be read, or has no such list: cut off, or no zip archive.
        DamagedZipError: the list breaks off.
    """
    try:
        with path.open("rb") as file:
            extent = find_list(path, file)
            file.seek(extent.start)
            yield from _records(file, extent)
    except OSError as error:
        raise unreadable_archive(path, error) from error


def _records(file: IO[bytes], extent: Extent) -> Iterator[ZipRecord]:
    buffer, at = b"", 0
    for _ in range(extent.members):
        # A record is at most the fixed part and three fields of 64 KB.
        if len(buffer) - at < _RECORD.size + 3 * 0xFFFF:
            buffer, at = buffer[at:] + file.read(_BUFFER * 4), 0
        if len(buffer) - at < _RECORD.size or buffer[at : at + 4] != b"PK\1\2":
            raise DamagedZipError
        fields = _RECORD.unpack_from(buffer, at)
        _, made, _, flags, method, _, _, crc, packed, size, *lengths, _, _, mode, offset = fields
        name_end = at + _RECORD.size + lengths[0]
        raw = buffer[at + _RECORD.size : name_end]
        extra = buffer[name_end : name_end + lengths[1]]
        at = name_end + lengths[1] + lengths[2]
        if at > len(buffer):
            raise DamagedZipError
        if FULL in (size, packed, offset):
            size, packed, offset = _long(extra, size, packed, offset)
        yield ZipRecord(
            _name(raw, flags, made >> 8),
            offset + extent.shift,
            packed,
            size,
            method,
            crc,
            bool(flags & _ENCRYPTED),
            made >> 8 == _UNIX and mode >> 28 == 0o12,
        )


def _long(extra: bytes, *values: int) -> Iterator[int]:
    """The values, those that did not fit taken from the zip64 field."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            field = extra[4 : 4 + length]
            for value in values:
                if value != FULL:
                    yield value
                elif len(field) < 8:
                    raise DamagedZipError
                else:
                    yield int.from_bytes(field[:8], "little")
                    field = field[8:]
            return
        extra = extra[4 + length :]
    yield from values


def _name(raw: bytes, flags: int, system: int) -> str:
    raw = raw.split(b"\0", 1)[0]
    name = raw.decode("utf-8", "surrogateescape") if flags & _UTF8 else raw.decode("cp437")
    # Some programs for Windows write its separator, against the standard.
    return name.replace("\\", "/") if system == _FAT else name
