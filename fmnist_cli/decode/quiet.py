"""Keeping what libraries say about damaged pictures off the user's screen."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fmnist_cli.errors import DEBUG


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
    The reason that matters is in the picture's row. With FMNIST_DEBUG all is heard.
    """
    if os.environ.get(DEBUG):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            saved = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        original = kept = sys.stderr
        if _own_stderr():  # else, as in a notebook, what we say takes another way
            original.flush()
            kept = open(  # noqa: SIM115
                saved,
                "w",
                encoding=original.encoding,
                errors="backslashreplace",
                buffering=1,
                closefd=False,
            )
        try:
            sys.stderr = kept
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            sys.stderr = original
            if kept is not original:
                with suppress(OSError):  # what it has to say does not fit on a disk
                    kept.close()
            os.dup2(saved, 2)
            os.close(saved)
