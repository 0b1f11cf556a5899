"""Writing IDX files, which the package only reads."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(name).newbyteorder("="): code for code, name in _TYPES.items()}


def write_idx(path: Path, array: npt.NDArray[Any]) -> None:
    """Writes an array as an IDX file, as gzip when the name ends in ``.gz``.

    The same array gives the same bytes each time: the gzip header has no time and no name.

    Args:
        path: the file; its folder must exist, an older file is replaced.
        array: 1 to 32 axes of uint8, int8, int16, int32, float32 or float64.
    """
    code = _CODES[array.dtype.newbyteorder("=")]
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
