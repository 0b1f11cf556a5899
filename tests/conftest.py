"""A folder with a tiny exported model, and the command as a process."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import pytest
from process import RunFmnist, run
from tinymodel import write_exported

if "PYTEST_XDIST_WORKER" in os.environ:
    # There are several test processes: threads that wait by spinning would hold them all up.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


# Commands are started by the hundred; where bytecode is not written, each compiles all modules.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(gettempdir(), "fmnist-tests-bytecode")))


@pytest.fixture(scope="session")
def exported_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny model, `cnn`; not to be written to."""
    return write_exported(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def run_fmnist(tmp_path_factory: pytest.TempPathFactory) -> RunFmnist:
    """`fmnist ARGUMENT…` as a process of its own, in an empty folder and home."""
    return partial(run, home=tmp_path_factory.mktemp("home"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was skipped, and why."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)
    if reasons:
        told = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"skipped: {told}")
