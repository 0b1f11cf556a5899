"""TIFF, before Pillow reads it: which picture of the file is meant, and which way it is up."""

from __future__ import annotations

import struct
from typing import NamedTuple

from fmnist_cli.errors import ImageError

_SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _ORIENTATION = 254, 256, 257, 262, 274
_SUB_DIRECTORIES, _DNG_VERSION = 330, 50706
_REDUCED = 1  # a bit of the subfile type: a preview of another picture in the file
_SENSOR = (32803, 34892)  # photometric: values of a sensor, not yet colours
_SIZES = (1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 1, 1, 8, 8, 8)  # bytes of a value, by its type
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST = 64  # directories that are looked at
_ENTRIES = 5000  # of a directory; real ones have a few dozen
_VALUES = 250_000  # of an entry, such as strips; Pillow makes objects of each
_BYTES = (1, 2, 6, 7)  # types of entries that it does not


class _Directory(NamedTuple):
    offset: int
    following: int
    entries: dict[int, tuple[int, int, int]]  # tag → type, count, where the value lies


class _File:
    """A TIFF file of either byte order, with addresses of 32 or 64 bits."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data[:1] == b"I" else ">"
        self.big = 43 in data[2:4]
        self.first = self._unpack("Q", 8) if self.big else self._unpack("I", 4)

    def _unpack(self, code: str, position: int) -> int:
        (value,) = struct.unpack_from(self.order + code, self.data, position)
        return int(value)

    def directory(self, offset: int) -> _Directory:
        """The directory at an address.

        Raises:
            ImageError: it is cut off, or names more bytes than the file has.
        """
        count, entry, head = ("Q", "HHQ8x", 8) if self.big else ("H", "HHI4x", 2)
        try:
            number = self._unpack(count, offset)
            size = struct.calcsize(self.order + entry)
            start, end = offset + head, offset + head + number * size
            following = self._unpack("Q" if self.big else "I", end)
        except (struct.error, OverflowError):
            raise ImageError("damaged image: its directory is cut off") from None
        if number > _ENTRIES:
            raise ImageError(f"damaged image: a directory of {number:,} entries")
        entries: dict[int, tuple[int, int, int]] = {}
        named = 0
        rows = struct.iter_unpack(self.order + entry, self.data[start:end])
        for index, (tag, kind, values) in enumerate(rows):
            if values > _VALUES and kind not in _BYTES:
                raise ImageError(f"damaged image: {values:,} values in an entry of its directory")
            length = values * (_SIZES[kind] if kind < len(_SIZES) else 1)
            place = start + (index + 1) * size - (8 if self.big else 4)
            if length > (8 if self.big else 4):
                named += length
                place = self._unpack("Q" if self.big else "I", place)
            entries.setdefault(tag, (kind, values, place))
        if named > len(self.data):  # many entries may name the same bytes, and fill memory
            raise ImageError("damaged image: its directory names more bytes than the file has")
        return _Directory(offset, following, entries)

    def values(self, directory: _Directory, tag: int) -> tuple[int, ...]:
        """Whole numbers of an entry; none when it is not there, of another type, or cut off."""
        kind, count, place = directory.entries.get(tag, (0, 0, 0))
        if kind not in _NUMBERS or count > _MOST:
            return ()
        try:
            return struct.unpack_from(f"{self.order}{count}{_NUMBERS[kind]}", self.data, place)
        except (struct.error, OverflowError):
            return ()

    def all(self) -> list[_Directory]:
        """The directories of the file, those within others behind them."""
        found: list[_Directory] = []
        ahead = [self.first]
        seen = {0}
        while ahead and len(found) < _MOST:
            offset = ahead.pop(0)
            if offset in seen:
                continue
            seen.add(offset)
            try:
                found.append(self.directory(offset))
            except ImageError:
                if not found:
                    raise
                continue
            ahead += [found[-1].following, *self.values(found[-1], _SUB_DIRECTORIES)]
        return found

    def number(self, directory: _Directory, tag: int) -> int:
        """The first value of an entry; 0 without."""
        return next(iter(self.values(directory, tag)), 0)

    def area(self, directory: _Directory) -> int:
        """Pixels of a directory's picture."""
        return self.number(directory, _WIDTH) * self.number(directory, _HEIGHT)


def picture_in_tiff(data: bytes) -> tuple[bytes, int | None]:
    """The file in such a form that the picture that is meant comes first, and as it is stored.

    Raw photos have a small preview first; the picture is the largest that is no preview.

    Returns:
        The file, and the orientation as in EXIF; None where the file says none.

    Raises:
        ImageError: the picture is the raw values of a sensor, or a directory is damaged.
    """
    try:
        file = _File(data)
    except struct.error:
        raise ImageError("damaged image: its header is cut off") from None
    found = file.all()
    if not found:
        raise ImageError("damaged image: it has no directory")
    first = found[0]
    sensor = any(file.number(one, _PHOTOMETRIC) in _SENSOR for one in found)
    chosen = first
    if sensor or _DNG_VERSION in first.entries or file.number(first, _SUBFILE) & _REDUCED:
        whole = [one for one in found if not file.number(one, _SUBFILE) & _REDUCED]
        chosen = max(whole, key=file.area, default=first)
        if sensor and (not whole or file.number(chosen, _PHOTOMETRIC) in _SENSOR):
            raise ImageError(
                "a raw photo, whose sensor values are not read: develop it to JPEG or TIFF first"
            )
    turn = file.number(chosen, _ORIENTATION) or file.number(first, _ORIENTATION)
    if chosen is first and turn in (0, 1):
        return data, turn or None
    changed = bytearray(data)
    struct.pack_into(
        file.order + ("Q" if file.big else "I"), changed, 8 if file.big else 4, chosen.offset
    )
    if file.values(chosen, _ORIENTATION):  # Pillow would heed it, too
        kind, _, place = chosen.entries[_ORIENTATION]
        struct.pack_into(file.order + _NUMBERS[kind], changed, place, 1)
    return bytes(changed), turn
