"""The pictures in a zip archive, whose list of members is read as a stream.

Not the standard library's `zipfile`, which holds some 600 bytes per member in memory.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.sources.archive import (
    LINK,
    OUTSIDE,
    Archive,
    member_path,
    points_outside,
    read_at,
    unreadable_archive,
)
from fmnist_cli.sources.items import HEAD, MAX_BYTES, Item, Selection, UnreadableItem, too_large
from fmnist_cli.sources.kinds import has_image_suffix, looks_like_image

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


_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
METHODS = {_STORED, _DEFLATED, _BZIP2, _LZMA}
_HEADER = 30  # bytes of a member's own header, without its name and extra field
_USUAL_EXTRA = 512  # bytes, so that header and content usually come in one read
# Compressed bytes that give the first `HEAD` of any sane member; bzip2 gives whole blocks only.
_HEAD_PACKED = {_BZIP2: 1 << 20}
_HEAD_PACKED_USUAL = 1024


class ZipItem(NamedTuple):
    """A member of a zip archive; whichever worker reads it also inflates it."""

    path: str
    archive: Archive
    offset: int  # of the member's header
    packed: int  # bytes
    length: int  # bytes
    method: int
    crc: int

    @property
    def location(self) -> None:
        """None: it is part of a file."""
        return

    @property
    def held(self) -> int:
        """Nothing: the worker reads it."""
        return 0

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """The member's bytes; checked, and never more of them than `max_bytes`."""
        if max(self.length, self.packed) > max_bytes:
            raise too_large(max(self.length, self.packed), max_bytes)
        packed = self._packed(self.packed)
        if len(packed) < self.packed:
            raise ImageError("cut off: the archive ends within it")
        # One byte more than announced is enough to see that there are more.
        data = _inflated(packed, self.method, self.length + 1)
        if len(data) != self.length or zlib.crc32(data) != self.crc:
            raise ImageError("damaged in the archive: wrong size or checksum")
        return data

    def head(self) -> bytes:
        """The member's first bytes."""
        enough = _HEAD_PACKED.get(self.method, _HEAD_PACKED_USUAL)
        packed = self._packed(min(self.packed, enough))
        return _inflated(packed, self.method, HEAD)[:HEAD]

    def signature(self) -> str:
        """Size and checksum."""
        return f"{self.length} {self.crc:08x}"

    def size(self) -> int:
        """Size of the member."""
        return self.length

    def _packed(self, count: int) -> bytes:
        block = read_at(self.archive, self.offset, _HEADER + _USUAL_EXTRA + count)
        if not block.startswith(b"PK\3\4") or len(block) < _HEADER:
            raise ImageError("damaged: it is not where the archive's list says")
        start = _HEADER + int.from_bytes(block[26:28], "little")
        start += int.from_bytes(block[28:30], "little")
        if start > _HEADER + _USUAL_EXTRA:
            return read_at(self.archive, self.offset + start, count)
        return block[start : start + count]


def _inflated(packed: bytes, method: int, limit: int) -> bytes:
    """The first `limit` bytes of the content."""
    try:
        if method == _STORED:
            return packed[:limit]
        if method == _DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
        if method == _BZIP2:
            import bz2

            return bz2.BZ2Decompressor().decompress(packed, limit)
        return _unpacked_lzma(packed, limit)
    except Exception as error:
        # Each decompressor has exceptions of its own; damaged data is all they mean here.
        raise ImageError(f"damaged in the archive: {error or type(error).__name__}") from error


def _unpacked_lzma(packed: bytes, limit: int) -> bytes:
    import lzma

    # Two bytes of version, the size of the properties (always 5), and those.
    end = 4 + int.from_bytes(packed[2:4], "little")
    size = int.from_bytes(packed[5:9], "little")
    properties, rest = divmod(packed[4], 9)
    chain = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(4096, min(size, MAX_BYTES)),
        "lc": rest,
        "lp": properties % 5,
        "pb": properties // 5,
    }
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain])
    return unpacker.decompress(packed[end:], limit)


class ZipSource:
    """Pictures in a zip archive, in the order of its list; told by suffix or content.

    Links with a picture's name are rejected with the reason. Where the list breaks off, a
    last item named after the archive says so.

    Raises:
        DataError: the file is no whole zip archive.
    """

    skipped_archives = 0

    def __init__(self, path: Path, prefix: str = "", selection: Selection | None = None) -> None:
        self._path = path
        self._prefix = prefix
        self._selection = selection or Selection()
        self.skipped = 0
        check_zip(path)

    def __iter__(self) -> Iterator[Item]:
        self.skipped = 0
        archive = Archive.at(self._path)
        members = 0
        try:
            for record in zip_records(self._path):
                members += 1
                name = member_path(record.name)
                if name is None or record.name.endswith("/") or not self._selection.wants(name):
                    continue
                item = _item(record, name, self._prefix + name, archive)
                if item is None:
                    self.skipped += 1
                else:
                    yield item
        except DamagedZipError:
            reason = f"archive damaged: its list breaks off after {members:,} members"
            yield UnreadableItem(self._path.as_posix(), reason)


def _item(record: ZipRecord, name: str, path: str, archive: Archive) -> Item | None:
    """The item of a member; None when it is no picture."""
    fault = _fault(record, name)
    suffix = has_image_suffix(name)
    if fault is not None:
        return UnreadableItem(path, fault) if suffix or record.encrypted else None
    item = ZipItem(
        path, archive, record.offset, record.packed, record.size, record.method, record.crc
    )
    if suffix:
        return item
    try:
        return item if looks_like_image(item.head()) else None
    except ImageError:
        return item  # it might be a picture: its row will hold the reason


def _fault(record: ZipRecord, name: str) -> str | None:
    if record.link:
        return LINK
    if points_outside(name):
        return OUTSIDE
    if record.encrypted:
        return "is encrypted in the archive; unpack it with its password first"
    if record.method not in METHODS:
        return f"is compressed by method {record.method} of zip, which is not supported"
    return None
