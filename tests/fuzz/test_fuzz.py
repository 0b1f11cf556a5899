"""Edited files of every kind give a row or an error for people; hours of it: benchmarks/fuzz.py."""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path

import fuzz
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.errors import DataError

EDITS = st.lists(
    st.tuples(
        st.integers(0, 999),
        st.sampled_from([0, 1, 2, 4, 8, 100, 100_000]),
        st.sampled_from(fuzz.INTERESTING) | st.binary(max_size=12),
    ),
    min_size=1,
    max_size=5,
)
TARGETS = fuzz.examples()


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_edited_files(name: str, tmp_path: Path, data: st.DataObject) -> None:
    """a row, or an error with a reason"""
    example = data.draw(st.sampled_from(TARGETS[name][1]))
    made = fuzz.edited(example, data.draw(EDITS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzz.check(name, fuzz.summed(made) if data.draw(st.booleans()) else made, tmp_path)


def test_what_a_run_of_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """an exception, the end of a process and a loop, each with its seed"""

    def faulty(data: bytes, _folder: Path) -> None:
        match data[0]:
            case 0:
                raise DataError("for people")
            case 1:
                raise RecursionError("not for people")
            case 2:
                os.kill(os.getpid(), signal.SIGKILL)
            case 3:
                while True:
                    pass

    monkeypatch.setattr(fuzz, "examples", lambda: {"x": (faulty, [b"\0"])})
    monkeypatch.setattr(fuzz, "CPU", 0.05)
    monkeypatch.setattr(fuzz, "input_of", lambda _name, seed: bytes([seed % 5]))
    tried, found = fuzz.fuzz(["x"], first=0, count=10, seconds=60)
    assert tried == 10
    assert found == {
        "x: RecursionError: not for people": [1, 6],
        "x: exit code -9": [2, 7],
        "x: time": [3, 8],
    }


def test_seeds_are_kept(tmp_path: Path) -> None:
    with libraries_quiet():
        for seed in range(20):
            assert fuzz.input_of("zip", seed) == fuzz.input_of("zip", seed)
    assert fuzz.edited(b"0123456789", [(500, 2, b"ab"), (0, 1, b"")]) == b"1234ab789"
