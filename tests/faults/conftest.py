"""`fmnist` on faulty input: each test is a fault, its docstring the right outcome.

`make faults` prints the table: fault, outcome, CPU seconds and peak memory of its command.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from faulty import CPU, MEMORY, MIB, Faulty, Outcome
from process import command, environment

_WALL = 120  # seconds, for what waits instead of working
# A process between: of a process the system counts the memory of the one that it was forked from.
_WATCH = """
import json, os, resource, sys
file, seconds, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
pid = os.fork()
if not pid:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    os.execv(words[0], words)
_, status, used = os.wait4(pid, 0)
told = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
with open(file, "w") as stream:
    json.dump(told, stream)
"""
_BOUNDS = pytest.StashKey[list[tuple[float, int]]]()


@pytest.fixture
def fmnist(tmp_path: Path, request: pytest.FixtureRequest) -> Faulty:
    """Runs ``fmnist WORD…`` in an empty home, and holds it to bounds.

    Keywords: `cpu` seconds, `memory` bytes, `cwd`, `env` (added), and those of `subprocess.Popen`.
    """
    bounds = request.node.stash.setdefault(_BOUNDS, [])

    def run(
        *words: str | Path,
        cpu: float = CPU,
        memory: int = MEMORY,
        cwd: Path = tmp_path,
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> Outcome:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        out, err, used = (tmp_path / f"standard-{name}" for name in ("output", "error", "used"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            settings: dict[str, Any] = {
                "stdin": subprocess.DEVNULL,
                "stdout": stdout,
                "stderr": stderr,
                **options,
            }
            process = subprocess.Popen(
                [sys.executable, "-ISc", _WATCH, used, str(int(cpu) + 5), *command(*words)],
                cwd=cwd,
                env={**environment(home), **(env or {})},
                start_new_session=True,
                **settings,
            )
            try:
                process.wait(_WALL)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        code, seconds, largest = json.loads(used.read_text()) if used.exists() else (-9, cpu, 0)
        outcome = Outcome(code, out.read_bytes(), err.read_bytes(), seconds, largest)
        bounds.append((outcome.cpu, outcome.memory))
        assert outcome.cpu <= cpu, f"{outcome.cpu:.1f} s of CPU time"
        assert outcome.memory <= memory, f"{outcome.memory / MIB:,.0f} MiB"
        return outcome

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", action="store_true", help="Print faults, outcomes and costs.")


_TABLE: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call" or (report.when == "setup" and not report.passed):
        used = item.stash.get(_BOUNDS, [])
        cost = "– | –"
        if used:
            cost = f"{max(c for c, _ in used):.1f} s | {max(m for _, m in used) // MIB} MiB"
        kind = item.path.stem.removeprefix("test_faults_")
        right = " ".join((getattr(item, "function", None).__doc__ or "").split())
        _TABLE.append(f"| {kind} | {item.name[5:]} | {right} | {report.outcome} | {cost} |")
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.getoption("--table", default=False):
        lines = ["| kind | fault | right | outcome | CPU | memory |", "|---|---|---|---|---|---|"]
        for line in (*lines, *_TABLE):
            terminalreporter.write_line(line)
