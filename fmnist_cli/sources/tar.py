"""The pictures in a tar archive, compressed or not; WebDataset shards are such archives."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.sources.archive import (
    LINK,
    OUTSIDE,
    Archive,
    MemberItem,
    member_path,
    points_outside,
)
from fmnist_cli.sources.containers import BrokenStreamError, Forward
from fmnist_cli.sources.items import HeldItem, Item, Selection, UnreadableItem, too_large
from fmnist_cli.sources.kinds import SNIFF, has_image_suffix, looks_like_image

BLOCK = 512
_END = bytes(BLOCK)
_EXTRA_LIMIT = 1 << 20  # bytes of a long name or of pax records
_WITHOUT_CONTENT = b"123456"  # links, devices, folders, pipes


class DamagedTarError(Exception):
    """The archive is damaged or cut off; the message says which."""


class TarHeader(NamedTuple):
    """One member.

    Attributes:
        name: as it stands in the archive.
        kind: "file", "link", "sparse" or "other".
        size: bytes of content that follow the header, without padding.
        changed: time of change, as it stands in the archive.
    """

    name: str
    kind: str
    size: int
    changed: str


def tar_headers(stream: Forward) -> Iterator[TarHeader]:
    """The members of an archive, and of archives appended to it.

    The caller may read of a member's content what it likes before it asks for the next.

    Raises:
        DamagedTarError: the rest of the archive cannot be read.
        BrokenStreamError: the compressed data around it cannot be read.
    """
    ended = False  # by blocks of zeros; what follows them is padding, or another archive
    extra: dict[str, str] = {}
    while block := stream.read(BLOCK):
        if block == _END:
            ended = True
            continue
        if len(block) < BLOCK:
            raise DamagedTarError("cut off")
        ended = False
        header = _parse(block)
        start, stored = stream.position, header.size
        letter = block[156:157]
        if letter in (b"L", b"x", b"X"):
            extra |= _extra(stream, header, letter)
        elif letter in (b"K", b"g"):
            pass  # the target of a link; pax records for all members, which name none
        else:
            if letter == b"S":
                _skip_sparse_map(stream, block)
                start = stream.position
            header = _amended(header, extra)
            extra = {}
            stored = header.size
            yield header
        stream.skip(start + stored + -stored % BLOCK - stream.position)
    if not ended:
        raise DamagedTarError("cut off")


def _parse(block: bytes) -> TarHeader:
    # The checksum is the sum of all bytes, its own eight counted as spaces.
    if _number(block[148:156]) != _sum(block) - sum(block[148:156]) + 8 * 32:
        raise DamagedTarError("damaged")
    raw = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0" and block[345]:
        raw = block[345:500].split(b"\0", 1)[0] + b"/" + raw
    letter = block[156]
    if letter in _WITHOUT_CONTENT or (letter == 0 and raw.endswith(b"/")):
        kind, size = ("link" if letter in b"12" else "other"), 0
    else:
        kind, size = ("sparse" if letter == ord("S") else "file"), _number(block[124:136])
    changed = block[136:148].rstrip(b"\0 ").decode("latin-1")
    return TarHeader(raw.decode("utf-8", "surrogateescape"), kind, size, changed)


def _sum(block: bytes) -> int:
    """The sum of 512 bytes, 30 times as fast as `sum`: Adler-32 is made of one, modulo 65521."""
    halves = zlib.adler32(block[:256]), zlib.adler32(block[256:])
    return sum((half & 0xFFFF) - 1 for half in halves)


def _number(field: bytes) -> int:
    """Octal digits, or big-endian binary when the first bit is set."""
    try:
        if field[0] == 0x80:
            return int.from_bytes(field[1:], "big")
        digits = field.split(b"\0", 1)[0].strip()
        return int(digits, 8) if digits else 0
    except ValueError:
        raise DamagedTarError("damaged") from None


def _extra(stream: Forward, header: TarHeader, letter: bytes) -> dict[str, str]:
    """What a header in front of a member says about it, by the names that pax gives it."""
    if header.size > _EXTRA_LIMIT:
        raise DamagedTarError("damaged")
    content = stream.read(header.size)
    if len(content) < header.size:
        raise DamagedTarError("cut off")
    if letter == b"L":
        return {"path": content.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")}
    records = {}
    while content.strip(b"\0"):
        length, _, rest = content.partition(b" ")
        try:
            end = int(length) - len(length) - 1
        except ValueError:
            raise DamagedTarError("damaged") from None
        key, separator, value = rest[:end].removesuffix(b"\n").partition(b"=")
        if end < 2 or not separator:
            raise DamagedTarError("damaged")
        records[key.decode("latin-1")] = value.decode("utf-8", "surrogateescape")
        content = rest[end:]
    return records


def _amended(header: TarHeader, extra: dict[str, str]) -> TarHeader:
    if not extra:
        return header
    size = header.size
    if header.kind in ("file", "sparse") and "size" in extra:
        if not extra["size"].isdecimal():
            raise DamagedTarError("damaged")
        size = int(extra["size"])
    sparse = any(key.startswith("GNU.sparse.") for key in extra)
    name = extra.get("GNU.sparse.name") or extra.get("path") or header.name
    kind = "sparse" if sparse else header.kind
    return TarHeader(name, kind, size, extra.get("mtime", header.changed))


def _skip_sparse_map(stream: Forward, block: bytes) -> None:
    more = block[482]
    while more:
        extension = stream.read(BLOCK)
        if len(extension) < BLOCK:
            raise DamagedTarError("cut off")
        more = extension[504]


_SPARSE = "is stored as a sparse file, which is not supported; make the archive without --sparse"


class TarSource:
    """Pictures in a tar archive, in its order; told by suffix or content, as in folders.

    Workers read from a plain archive by address. A compressed one can only be read from the
    front, so its items hold their content. Links with a picture's name are rejected with the
    reason: what they point to has its own row. Where the archive is damaged or cut off, a
    last item named after the archive says so.

    Args:
        path: the archive.
        prefix: put before the members' paths.
        selection: what to take.
        compression: as for `Forward`.

    Raises:
        UsageError: on iteration, when this Python cannot decompress it.
        DataError: on iteration, when the file cannot be opened.
    """

    skipped_archives = 0

    def __init__(
        self,
        path: Path,
        prefix: str = "",
        selection: Selection | None = None,
        compression: str | None = None,
    ) -> None:
        self._path = path
        self._prefix = prefix
        self._selection = selection or Selection()
        self._compression = compression
        self.skipped = 0

    def __iter__(self) -> Iterator[Item]:
        self.skipped = 0
        members = 0
        archive = Archive.at(self._path)
        with Forward(self._path, self._compression) as stream:
            try:
                for header in tar_headers(stream):
                    if self._compression is None and stream.position + header.size > archive.size:
                        raise DamagedTarError("cut off")
                    yield from self._member(header, stream, archive)
                    members += 1
            except (DamagedTarError, BrokenStreamError) as error:
                said = f": {error}" if isinstance(error, BrokenStreamError) else ""
                what = str(error) if isinstance(error, DamagedTarError) else "damaged or cut off"
                reason = f"archive {what} after {members:,} members{said}"
                yield UnreadableItem(self._path.as_posix(), reason)

    def _member(self, header: TarHeader, stream: Forward, archive: Archive) -> Iterator[Item]:
        name = member_path(header.name)
        if name is None or header.kind == "other" or not self._selection.wants(name):
            return
        path = self._prefix + name
        suffix = has_image_suffix(name)
        if header.kind != "file" or points_outside(name):
            if suffix:
                reason = {"link": LINK, "sparse": _SPARSE}.get(header.kind, OUTSIDE)
                yield UnreadableItem(path, reason)
            else:
                self.skipped += 1
            return
        offset = stream.position
        head = b"" if suffix else stream.read(min(SNIFF, header.size))
        if not suffix and not looks_like_image(head):
            self.skipped += 1
        elif self._compression is None:
            yield MemberItem(path, archive, offset, header.size, header.changed)
        elif header.size > self._selection.max_bytes:
            yield UnreadableItem(path, str(too_large(header.size, self._selection.max_bytes)))
        else:
            content = head + stream.read(header.size - len(head))
            if len(content) < header.size:
                raise DamagedTarError("cut off")
            yield HeldItem(path, content)
