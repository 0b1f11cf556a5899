"""JPEG, as OpenCV writes and reads it."""

from __future__ import annotations

import numpy as np

from fmnist_cli.evaluate.corruptions.sampling import Images


def jpeg(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Every picture saved at quality `level` of 100 and read again."""
    import cv2

    del rng
    setting = [cv2.IMWRITE_JPEG_QUALITY, int(level)]
    pixels = np.rint(images * 255).astype(np.uint8)
    read = [
        cv2.imdecode(cv2.imencode(".jpg", one, setting)[1], cv2.IMREAD_GRAYSCALE) for one in pixels
    ]
    return np.asarray(read, np.float32).reshape(images.shape) / 255
