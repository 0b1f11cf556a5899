"""The metadata of an ONNX file, without reading its graph.

The file is one protocol buffer message, ``ModelProto``: fields one after the other, each with a
tag that says its number and how it is stored. All but the metadata are skipped.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fmnist_cli.errors import ModelError

_METADATA_PROPS = 14  # of ModelProto: messages of a key (field 1) and a value (field 2)
_VARINT, _BYTES = 0, 2  # ways in which a field is stored
_FIXED = {1: 8, 5: 4}  # others, and their bytes


def read_metadata(path: Path) -> dict[str, str]:
    """Keys and values.

    Raises:
        ModelError: the file cannot be read, or is no ONNX model.
    """
    found = {}
    try:
        with path.open("rb") as file:
            for content in _fields(file, _METADATA_PROPS):
                key, value = (next(_fields(io.BytesIO(content), part)) for part in (1, 2))
                found[key.decode()] = value.decode()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    except (ValueError, OverflowError, RuntimeError) as error:
        raise ModelError(f"{path} is not a usable ONNX model: {error}") from error
    return found


def _fields(message: BinaryIO, wanted: int) -> Iterator[bytes]:
    """The content of all fields of this number, which are bytes."""
    while (tag := _number(message)) is not None:
        field, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            size = _number(message) or 0
            if field == wanted:
                content = message.read(size)
                if len(content) < size:
                    raise ValueError("it is cut off")
                yield content
            else:
                message.seek(size, os.SEEK_CUR)
        elif kind == _VARINT:
            _number(message)
        elif kind in _FIXED:
            message.seek(_FIXED[kind], os.SEEK_CUR)
        else:
            raise ValueError("it is no protocol buffer message")


def _number(message: BinaryIO) -> int | None:
    """A number stored in groups of seven bits, the lowest first; None at the end."""
    value = shift = 0
    while byte := message.read(1):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    return None
