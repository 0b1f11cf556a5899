"""Runs `fmnist` on faulty input, and holds it to bounds of CPU time and memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MIB = 1 << 20
CPU = 20  # seconds; bounds are of the processor's time, not of a busy machine's clock
MEMORY = 700 * MIB  # resident at most, of the largest process


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command.

    Attributes:
        code: exit code.
        out, err: what it wrote.
        cpu: seconds of all its processes.
        memory: bytes, resident at most, of the largest of its processes.
    """

    code: int
    out: bytes
    err: bytes
    cpu: float
    memory: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        """JSON Lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def said(self) -> str:
        """Standard error as text, without a traceback."""
        text = self.err.decode(errors="backslashreplace")
        assert "Traceback" not in text, text
        return text


Faulty = Callable[..., Outcome]
