"""HEIC and AVIF, which share a container and may each need something installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from fmnist_cli.errors import ImageError

HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
AVIF_BRANDS = frozenset({b"avif", b"avis"})


def kind_of_isomedia(head: bytes) -> str | None:
    """``AVIF`` or ``HEIF`` by the brands in the first box of a file; None for other files."""
    if head[4:8] != b"ftyp" or head[8:12] not in HEIF_BRANDS | AVIF_BRANDS:
        return None
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = {head[8:12], *(head[start : start + 4] for start in range(16, end, 4))}
    return "AVIF" if brands & AVIF_BRANDS else "HEIF"


def kinds_for(container: str, known: Sequence[str]) -> tuple[str, ...]:
    """The kind that Pillow is to read, made known to it if need be.

    Args:
        container: ``AVIF`` or ``HEIF``.
        known: the kinds that this Pillow reads by itself.

    Raises:
        ImageError: what it takes is not installed.
    """
    if container == "AVIF":
        from PIL import features

        if "AVIF" not in known or not features.check("avif"):
            raise ImageError("AVIF needs Pillow 11.3 or newer: pip install --upgrade pillow")
    else:
        try:
            # A module, because it is run once only, however many threads get here together.
            import_module("fmnist_cli.decode.heif")
        except ImportError:
            raise ImageError("HEIC needs a plug-in: pip install pillow-heif") from None
    return (container,)
