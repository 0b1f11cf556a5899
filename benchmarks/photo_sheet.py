"""Photos above the frames that are made of them: the picture in the README.

Run: python benchmarks/photo_sheet.py PHOTOS [docs/photos-prepared.png]

Takes one photo of each folder, the same every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.prepare import needs_color, prepare, reduction
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.isolate import open_isolator

TILE, GAP = 112, 8
WHICH = 12  # of each folder, by name

Image = npt.NDArray[np.uint8]


def tile(image: Image) -> Image:
    """RGB [h, w, 3] in the middle of a white square."""
    scale = TILE / max(image.shape[:2])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    near = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    inner = cv2.resize(image, size, interpolation=near)
    result = np.full((TILE, TILE, 3), 255, np.uint8)
    top, left = (TILE - size[1]) // 2, (TILE - size[0]) // 2
    result[top : top + size[1], left : left + size[0]] = inner
    return result


def column(path: Path) -> Image:
    """A photo, and below it its frame."""
    options = {"reduction": reduction("auto"), "color": needs_color("auto")}
    picture = decode(path.read_bytes(), **options)  # type: ignore[arg-type]
    if picture.color is None:
        raise SystemExit(f"{path} has no colour")
    frame, _ = prepare(picture, "auto", open_isolator("auto"))
    grey = np.repeat(frame[..., None], 3, axis=2)
    gap = np.full((GAP, TILE, 3), 255, np.uint8)
    return np.concatenate([tile(picture.color), gap, tile(grey)])


def main() -> None:
    """Write the picture."""
    photos = Path(sys.argv[1])
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "docs/photos-prepared.png")
    gap = np.full((2 * TILE + GAP, GAP, 3), 255, np.uint8)
    parts: list[Image] = []
    for folder in sorted(path for path in photos.iterdir() if path.is_dir()):
        parts += [column(sorted(folder.iterdir())[WHICH]), gap]
    cv2.imwrite(str(out), np.concatenate(parts[:-1], axis=1)[..., ::-1])


if __name__ == "__main__":
    main()
