"""What an ordinary run writes and whom it asks, as the system sees it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pictures import encoded, frame
from process import command, environment

TRACE = ("strace", "-f", "-qq", "-e", "trace=%file,%network,ftruncate")
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|^\S+ +(mkdir|rename|link|symlink|unlink|truncate)")


def can_trace() -> bool:
    if shutil.which(TRACE[0]) is None:
        return False
    tried = subprocess.run([*TRACE, "-o", os.devnull, "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.skipif(not can_trace(), reason="needs strace, and the right to use it")
def test_traced_run(tmp_path: Path) -> None:
    """no socket, and no file written but the outputs"""
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(encoded(frame(number)))
    words = command("classify", ".", "--workers", "2", "-o", "out.csv")
    env = {**environment(home), "PYTHONDONTWRITEBYTECODE": "1", "ORT_DISABLE_TELEMETRY": "0"}
    subprocess.run([*TRACE, "-o", trace, *words], cwd=tmp_path, env=env, check=True)
    calls = trace.read_text().splitlines()
    assert any("out.csv" in call for call in calls)
    # Workers are reached by unnamed pairs; nothing else is.
    assert not [call for call in calls if re.search(r"socket\(|connect\(|sendto\(", call)]
    written = [call for call in calls if WRITES.search(call) and " = -1 E" not in call]
    # The folder of the output, which is there; the end of such a call may stand in a later line.
    written = [call for call in written if f'mkdir("{tmp_path}"' not in call]
    assert not [call for call in written if "out.csv" not in call and '"/dev/null"' not in call]
    assert not list(home.iterdir())
