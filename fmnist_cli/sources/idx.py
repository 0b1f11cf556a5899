"""The images in an IDX file, the format of Fashion-MNIST and its family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_cli.contract import Picture
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.sources.containers import BrokenStreamError, ContainerSource, Forward
from fmnist_cli.sources.items import HeldItem, Item, UnreadableItem, too_large

_UINT8 = 0x08


class IdxSource(ContainerSource):
    """Images of an IDX file, plain or compressed, named 00000, 00001, … in order.

    Where the file ends too early, a last item named after it says so.

    Raises:
        UsageError: the file holds no images but labels, or values other than bytes.
        DataError: the header is damaged, or the file cannot be opened.
    """

    def __init__(self, path: Path, *rest: Any) -> None:
        super().__init__(path, *rest)
        with Forward(path, self._compression) as stream:
            self._shape(stream)

    def _shape(self, stream: Forward) -> tuple[int, int, int]:
        """Number, height and width of the images; the stream stands at the first."""
        try:
            magic = stream.read(4)
            axes = magic[3] if len(magic) == 4 else 0
            sizes = np.frombuffer(stream.read(4 * axes), ">u4").tolist()
        except (BrokenStreamError, ValueError) as error:
            raise DataError(f"{self._path}: the header is damaged ({error})") from error
        if axes == 1:
            raise UsageError(f"{self._path}: holds labels, not images; name the file of the images")
        if axes != 3 or magic[2] != _UINT8:
            raise UsageError(
                f"{self._path}: an IDX file of {axes} axes and type 0x{magic[2:3].hex()}; "
                "images are 3 axes (number, height, width) of bytes, type 0x08"
            )
        if len(sizes) < 3 or not sizes[1] * sizes[2]:
            raise DataError(f"{self._path}: the header is damaged")
        count, height, width = sizes
        return count, height, width

    def __iter__(self) -> Iterator[Item]:
        with Forward(self._path, self._compression) as stream:
            count, height, width = self._shape(stream)
            if height * width > self._selection.max_held:
                reason = str(too_large(height * width, self._selection.max_held))
                yield UnreadableItem(self._path.as_posix(), reason)
                return
            digits = max(5, len(str(count - 1)))  # as `fmnist data images` names them
            done = 0
            try:
                while done < count:
                    pixels = stream.read(height * width)
                    if len(pixels) < height * width:
                        stream.read(1)  # of damaged data raises the reason
                        raise BrokenStreamError("the file ends there")
                    name = f"{done:0{digits}d}"
                    if self._selection.wants(name):
                        grey = np.frombuffer(pixels, np.uint8).reshape(height, width)
                        yield HeldItem(self._prefix + name, Picture(grey, colorless=True))
                    done += 1
                if stream.read(1):  # which also makes gzip check its checksum
                    raise BrokenStreamError("more bytes follow")
            except BrokenStreamError as error:
                reason = f"cut off or damaged after {done:,} of {count:,} images: {error}"
                yield UnreadableItem(self._path.as_posix(), reason)
