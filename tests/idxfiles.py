"""Writing IDX files, which the package only reads."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy.typing as npt

from fmnist_cli.data.dataset import _TYPES
from fmnist_cli.errors import DataError

_CODES = {dtype.newbyteorder("="): code for code, dtype in _TYPES.items()}
_MAX_AXES = 32


def write_idx(path: Path, array: npt.NDArray[Any]) -> None:
    """Writes an array as an IDX file, as gzip when the name ends in ``.gz``.

    The same array gives the same bytes each time: the gzip header has no time and no name.

    Args:
        path: the file; its folder must exist, an older file is replaced.
        array: 1 to 32 axes of uint8, int8, int16, int32, float32 or float64.

    Raises:
        DataError: IDX has no code for the array's type, or it has too many or too long axes.

    """
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        names = ", ".join(str(dtype) for dtype in _CODES)
        raise DataError(f"{path}: IDX cannot hold {array.dtype}; convert to one of {names} first")
    if not 1 <= array.ndim <= _MAX_AXES or max(array.shape) >= 1 << 32:
        raise DataError(f"{path}: IDX cannot hold an array of shape {array.shape}")
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    content = header + array.astype(_TYPES[code], copy=False).tobytes()
    if path.suffix != ".gz":
        path.write_bytes(content)
        return
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as stream,
    ):
        stream.write(content)
