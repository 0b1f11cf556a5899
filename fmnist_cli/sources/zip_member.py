"""One member of a zip archive, inflated by whichever worker reads it."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from fmnist_cli.errors import ImageError
from fmnist_cli.sources.archive import Archive, read_at
from fmnist_cli.sources.base import HEAD, MAX_BYTES, too_large

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
