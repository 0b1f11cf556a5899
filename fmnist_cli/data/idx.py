"""IDX, the file format of the MNIST family: a small header, then the values of one array.

The header is two zero bytes, a type code, the number of axes, and each axis as a big-endian
uint32. Files are plain or gzip; which one is told by their first bytes, not by their name.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.errors import DataError

_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_AXES = 32  # what every supported numpy can hold
_CHUNK = 1 << 20
_REFETCH = "Delete the file and run: fmnist data download"


def read_idx(
    path: Path, *, dtype: npt.DTypeLike | None = None, ndim: int | None = None
) -> npt.NDArray[Any]:
    """The array in an IDX file, plain or gzip.

    Args:
        path: the file.
        dtype: the type the array must have, in native byte order; any when ``None``.
        ndim: the number of axes the array must have; any when ``None``.

    Returns:
        A read-only array in native byte order with the shape the header states.

    Raises:
        DataError: the file is missing, is no IDX file, is truncated or corrupt, has bytes
            after its end, or holds another type or number of axes than asked for.

    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                    array = _read(path, stream)
            else:
                array = _read(path, raw)
    # BadGzipFile is an OSError, so it has to be told apart first.
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip data is corrupt ({error}). {_REFETCH}") from error
    except EOFError as error:
        raise DataError(f"{path}: the gzip data ends too early. {_REFETCH}") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Run: fmnist data download") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error

    if dtype is not None and array.dtype != np.dtype(dtype):
        raise DataError(
            f"{path}: holds {array.dtype} values where {np.dtype(dtype)} is needed; "
            "this is another file than its name says. " + _REFETCH
        )
    if ndim is not None and array.ndim != ndim:
        raise DataError(
            f"{path}: holds an array of {array.ndim} axes where {ndim} are needed; "
            "images and labels may be swapped. " + _REFETCH
        )
    return array


def _read(path: Path, stream: IO[bytes] | gzip.GzipFile) -> npt.NDArray[Any]:
    """Header and values of an open IDX file; gzip errors pass through."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise DataError(f"{path}: too short to be an IDX file. {_REFETCH}")
    zeros, code, axes = struct.unpack(">HBB", magic)
    if zeros != 0 or code not in _TYPES or not 1 <= axes <= _MAX_AXES:
        raise DataError(f"{path}: not an IDX file (it begins with {magic.hex(' ')}). {_REFETCH}")
    sizes = stream.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise DataError(f"{path}: truncated within the header. {_REFETCH}")
    shape = struct.unpack(f">{axes}I", sizes)
    stored = _TYPES[code]
    expected = math.prod(shape) * stored.itemsize

    # One byte more than expected: it shows trailing bytes, and makes gzip check its CRC.
    payload = _read_up_to(stream, expected + 1)
    if len(payload) < expected:
        raise DataError(
            f"{path}: truncated, {len(payload):,} of {expected:,} bytes of values are there. "
            + _REFETCH
        )
    if len(payload) > expected:
        raise DataError(
            f"{path}: has bytes after the {expected:,} that its header {shape} announces. "
            + _REFETCH
        )
    try:
        array = np.frombuffer(payload, dtype=stored).reshape(shape)
    except ValueError as error:  # an empty array whose other axes are beyond numpy
        raise DataError(f"{path}: impossible shape {shape} in the header. {_REFETCH}") from error
    array = array.astype(stored.newbyteorder("="), copy=False)
    array.setflags(write=False)
    return array


def _read_up_to(stream: IO[bytes] | gzip.GzipFile, limit: int) -> bytearray:
    """At most ``limit`` bytes, in steps: a header that lies about its size costs no memory."""
    content = bytearray()
    while len(content) < limit:
        chunk = stream.read(min(_CHUNK, limit - len(content)))
        if not chunk:
            break
        content += chunk
    return content
