from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest

from fmnist_cli.decode.quiet import libraries_quiet

SCRIPT = """
import os, sys, warnings
from fmnist_cli.decode.quiet import libraries_quiet
with libraries_quiet():
    os.write(2, b"from a C library")
    warnings.warn("from Python")
    print("progress é", file=sys.stderr)
os.write(2, b"after")
print(sys.stderr.fileno())
"""


def test_only_our_own_words_reach_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    assert done.stderr.decode("utf-8", "replace").startswith("progress ")
    assert done.stderr.endswith(b"\nafter")
    assert b"from" not in done.stderr
    assert done.stdout == b"2\n"


def test_standard_error_comes_back_after_a_failure() -> None:
    before = sys.stderr
    with pytest.raises(RuntimeError), libraries_quiet():
        raise RuntimeError
    assert sys.stderr is before


def test_a_standard_error_that_is_no_file_is_left_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with libraries_quiet():
        warnings.warn("from Python", stacklevel=1)
        sys.stderr.write("ours")
    os.fstat(2)
    assert capsys.readouterr().err == "ours"
