"""Which way is up: what EXIF and XMP say, and turning the pixels accordingly.

Read here for JPEG rather than left to OpenCV and Pillow, whose readers differ on unusual blocks.
"""

from __future__ import annotations

import re
import struct

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Picture

Pixels = npt.NDArray[np.uint8]

_TAG = 0x0112
_VALUES = {1: "B", 3: "H", 4: "I"}  # EXIF type of a whole number → its code in `struct`
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"  # before a packet in JPEG
_XMP_NAME = "http://ns.adobe.com/tiff/1.0/ Orientation"
_XMP_BROKEN = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])")


def exif_orientation(block: bytes) -> int | None:
    """The orientation in an EXIF block (from its byte order mark on), 1 to 8; None without."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return None
    try:
        (position,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, position)
        for entry in range(position + 2, position + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(order + "HH", block, entry)
            if tag == _TAG:
                (value,) = struct.unpack_from(order + _VALUES[kind], block, entry + 8)
                return value if 1 <= value <= 8 else None
    except (struct.error, KeyError):
        return None  # damaged, but no reason to reject the picture
    return None


def xmp_orientation(packet: bytes) -> int | None:
    """The orientation in an XMP packet, 1 to 8; None without.

    Read as XML, so however it is spelled and encoded; in a packet that is none, by its usual name.
    """
    if b"Orientation" not in packet and b"\0O\0r\0i\0e\0n\0t\0a\0t\0i\0o\0n" not in packet:
        return None
    from xml.parsers import expat

    said: list[str] = []
    inside = 0  # how deep within the element

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        inside += bool(inside) or name == _XMP_NAME
        if _XMP_NAME in attributes:
            said.append(attributes[_XMP_NAME])

    def end(_name: str) -> None:
        nonlocal inside
        inside -= bool(inside)

    def text(content: str) -> None:
        if inside and content.strip():
            said.append(content)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse  # entities are of no use here, but of harm
    try:
        parser.Parse(packet, True)
    except (expat.ExpatError, ValueError):
        said += [found[1].decode() for found in [_XMP_BROKEN.search(packet)] if found]
    value = said[0].strip() if said else ""
    return int(value) if value in _TURNS else None


_TURNS = frozenset("12345678")


def _refuse(*_: object) -> None:
    raise ValueError("an XMP packet declares no document type")


def orientation_of(exif: bytes, xmp: bytes) -> int | None:
    """The orientation in an EXIF block, else in an XMP packet; None without."""
    found = exif_orientation(exif.removeprefix(b"Exif\0\0")) if exif else None
    return found or (xmp_orientation(xmp) if xmp else None)


def upright(
    picture: Picture, orientation: int, *, stored: tuple[int, int] | None = None
) -> Picture:
    """The picture, whose pixels lie as they are stored, as it was meant to be seen.

    Args:
        orientation: as in EXIF.
        stored: width and height as stored, when the picture may be a reduced version.
    """
    grey, colorless, full, color, alpha = picture
    if stored is not None and grey.shape != stored[::-1]:
        full = stored if 5 <= orientation <= 8 else stored[::-1]
    return Picture(
        turned_upright(grey, orientation),
        colorless,
        full,
        None if color is None else turned_upright(color, orientation),
        None if alpha is None else turned_upright(alpha, orientation),
    )


def turned_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels [H, W] or [H, W, C] as they were meant to be seen; [W, H] for 5 to 8.

    Args:
        orientation: as in EXIF; everything but 2 to 8 leaves it as it is.
    """
    match orientation:
        case 2:
            turned = cv2.flip(pixels, 1)
        case 3:
            turned = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(pixels, 0)
        case 5:
            turned = cv2.transpose(pixels)
        case 6:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(pixels), -1)
        case 8:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels
    return np.asarray(turned, np.uint8)
