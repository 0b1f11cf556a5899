"""The pictures in a tar archive, compressed or not; WebDataset shards are such archives."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from typing import Any

from fmnist_cli.sources.archive import (
    LINK,
    OUTSIDE,
    Archive,
    MemberItem,
    member_path,
    points_outside,
)
from fmnist_cli.sources.containers import BrokenStreamError, ContainerSource, Forward
from fmnist_cli.sources.items import HeldItem, Item, Skipped, UnreadableItem, too_large
from fmnist_cli.sources.kinds import SNIFF, has_image_suffix, looks_like_image

_NO_FILE = "is no file but a pipe or a device in the archive"
_SPARSE = "is stored as a sparse file, which is not supported; make the archive without --sparse"
_CUT_OFF, _DAMAGED = "cut off", "damaged"


class TarSource(ContainerSource):
    """Pictures in a tar archive, in its order; recognised by suffix or content, as in folders.

    Workers read from a plain archive by address. A compressed one can only be read from the
    front, so its items hold their content. Links with a picture's name are rejected with the
    reason: what they point to has its own row. Where the archive is damaged or cut off, a
    last item named after the archive says so.

    Raises:
        UsageError: on iteration, when this Python cannot decompress it.
        DataError: on iteration, when the file cannot be opened.
    """

    def __iter__(self) -> Iterator[Item]:
        self.skipped = Skipped()
        members = 0
        archive = Archive.at(self._path)
        with Forward(self._path, self._compression) as stream:
            try:
                for tar, member in _members(stream):
                    end = member.offset_data + member.size
                    if self._compression is None and member.isreg() and end > archive.size:
                        raise _BrokenTarError(_CUT_OFF)
                    yield from self._items(tar, member, archive)
                    members += 1
            except (*_BROKEN, *_HOSTILE) as error:
                reason = f"archive {_words(error).replace('…', f'after {members:,} members')}"
                yield UnreadableItem(self._path.as_posix(), reason)

    def _items(
        self, tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Archive
    ) -> Iterator[Item]:
        name = member_path(member.name)
        if name is None or member.isdir() or not self._selection.wants(name):
            return
        path = self._prefix + name
        suffix = has_image_suffix(name)
        fault = _fault(member, name)
        if fault is not None:
            if suffix:
                yield UnreadableItem(path, fault)
            else:
                self.skipped.add(path)
            return
        content = tar.extractfile(member)
        head = b"" if suffix or content is None else content.read(SNIFF)
        if content is None or not (suffix or looks_like_image(head)):
            self.skipped.add(path)
        elif self._compression is None:
            yield MemberItem(path, archive, member.offset_data, member.size, str(member.mtime))
        elif member.size > self._selection.max_held:
            yield UnreadableItem(path, str(too_large(member.size, self._selection.max_held)))
        else:
            data = head + content.read()
            if len(data) < member.size:
                raise _BrokenTarError(_CUT_OFF)
            yield HeldItem(path, data)


def _fault(member: tarfile.TarInfo, name: str) -> str | None:
    if member.islnk() or member.issym():
        return LINK
    if member.issparse():
        return _SPARSE
    if member.isdev():
        return _NO_FILE
    return OUTSIDE if points_outside(name) else None


class _BrokenTarError(Exception):
    """The archive is damaged or cut off; the message says which."""


_BROKEN = (_BrokenTarError, BrokenStreamError, tarfile.TarError)
_HOSTILE = (ValueError, OverflowError, RecursionError, MemoryError)  # what numbers lead to


def _words(error: Exception) -> str:
    if isinstance(error, BrokenStreamError):
        return f"damaged or cut off …: {error}"
    if isinstance(error, _BrokenTarError):
        return f"{error} …"
    return f"{_CUT_OFF if 'unexpected end' in str(error) else _DAMAGED} …"


_EXTENDED = (b"x", b"g", b"X", b"L", b"K")  # types of headers that say more, such as a long name
_MOST_EXTENDED = 1 << 20  # bytes
_MOST_SHARED = 16 << 10  # bytes
_NUMBER = re.compile(rb"[0-9]{300}")


class _Header(tarfile.TarInfo):
    """A header that does not let an archive end quietly without the mark of its end."""

    ended = False  # by blocks of zeros; what follows is padding, or another archive
    shared = 0  # bytes of headers for all members, which are copied for each

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        if not buf and not cls.ended:
            raise _BrokenTarError(_CUT_OFF)
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            cls.ended = True
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.TruncatedHeaderError:  # type: ignore[attr-defined]
            raise _BrokenTarError(_CUT_OFF) from None
        except tarfile.HeaderError:
            raise _BrokenTarError(_DAMAGED) from None
        if header.type == tarfile.XGLTYPE:
            cls.shared += header.size
        too_long = header.type in _EXTENDED and header.size > _MOST_EXTENDED
        if header.size < 0 or too_long or cls.shared > _MOST_SHARED:
            raise _BrokenTarError(_DAMAGED)
        cls.ended = False
        return header

    def _proc_pax(self, tar: Any) -> Any:
        """As in `tarfile`, whose older versions take hours for a few KB of hostile records."""
        stream = tar.fileobj
        content = stream.read(self._block(self.size))  # type: ignore[attr-defined]
        if not _are_records(content[: self.size]):
            raise _BrokenTarError(_DAMAGED)
        tar.fileobj = _Again(tar, stream, content)
        return super()._proc_pax(tar)  # type: ignore[misc]


class _Again:
    """Gives what was read of a stream once more; the stream then takes its place again."""

    def __init__(self, tar: Any, stream: Any, content: bytes) -> None:
        self._tar, self._stream, self._content = tar, stream, content

    def read(self, _size: int) -> bytes:
        self._tar.fileobj = self._stream
        return self._content


def _are_records(content: bytes) -> bool:
    """Whether these are records that end where they say, without numbers that none is."""
    position = 0
    while position < len(content) and content[position]:
        length = content[position : position + 9].partition(b" ")[0]
        end = position + (int(length) if length.isdigit() else 0)
        record = content[position:end]
        if b"=" not in record or not record.endswith(b"\n"):
            return False
        position = end
    return _NUMBER.search(content) is None


def _members(stream: Forward) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The members of an archive, and of archives appended to it; none is kept in memory.

    Raises one of `_BROKEN` and `_HOSTILE`: the rest of the archive cannot be read.
    """
    header = type("_Header", (_Header,), {})  # whether it ended is of this archive
    with tarfile.open(
        fileobj=stream,  # type: ignore[call-overload]
        mode="r|",
        tarinfo=header,
        ignore_zeros=True,
        errors="surrogateescape",
    ) as tar:
        for member in tar:
            yield tar, member
            tar.members.clear()
