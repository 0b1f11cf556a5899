"""Importing this makes HEIC known to Pillow.

Raises:
    ImportError: pillow-heif is not installed.
"""

from __future__ import annotations

from importlib import import_module

# By name, because it is optional and type checkers would want it. One thread, as for OpenCV.
import_module("pillow_heif").register_heif_opener(
    decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
)
