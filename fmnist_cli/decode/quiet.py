"""Keeping what libraries say about damaged pictures off the user's screen."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def _own_stderr() -> bool:
    try:
        return sys.stderr.fileno() == 2
    except (AttributeError, ValueError, io.UnsupportedOperation):
        return False


@contextmanager
def libraries_quiet() -> Iterator[None]:
    """Silence C libraries and warnings; `sys.stderr` still reaches the user.

    libjpeg and libpng inside OpenCV write "Corrupt JPEG data" straight to file descriptor 2,
    without the file's name and through the progress bar; no setting of OpenCV stops that.
    The reason that matters is in the picture's row.
    """
    if not _own_stderr():
        # Standard error is replaced or closed already: no descriptor of ours to protect.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
        return
    original = sys.stderr
    original.flush()
    saved = os.dup(2)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        with (
            open(
                saved,
                "w",
                encoding=original.encoding,
                errors="backslashreplace",
                buffering=1,
                closefd=False,
            ) as kept,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            sys.stderr = kept
            yield
    finally:
        sys.stderr = original
        os.dup2(saved, 2)
        os.close(saved)
