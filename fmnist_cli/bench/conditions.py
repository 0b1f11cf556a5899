"""Under which conditions a measurement was made, and the document that holds it all."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

from fmnist_cli import __version__
from fmnist_cli.bench.compare import FORMAT
from fmnist_cli.bench.plan import Plan
from fmnist_cli.bench.run import Result
from fmnist_cli.machine import Machine


def head(command: str, plan: Plan, *, pixels: str, started: datetime) -> dict[str, Any]:
    """The document without its models.

    Args:
        command: that makes it again.
        plan: how time is measured.
        pixels: ``"test"`` or ``"random"``.
        started: when, with its time zone.
    """
    return {
        "format": FORMAT,
        "command": command,
        **circumstances(started),
        "pixels": pixels,
        **asdict(plan),
        "thread_counts": list(plan.thread_counts),
    }


def circumstances(started: datetime, more: Sequence[str] = ()) -> dict[str, Any]:
    """When, where and with what; `more` are packages besides those that every measurement needs."""
    packages = ("numpy", "onnxruntime", *more)
    return {
        "date": started.isoformat(timespec="seconds"),
        "machine": asdict(Machine.current()),
        "versions": {
            "fmnist-cli": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
    }


def complete(head: Mapping[str, Any], results: Mapping[str, Result]) -> dict[str, Any]:
    """The whole document, as JSON has it: every key a string.

    Where native models were measured, the versions of their libraries are added.
    """
    compared = any(result.native for result in results.values())
    libraries = ("torch", "scikit-learn") if compared else ()
    versions = {**head["versions"], **{package: version(package) for package in libraries}}
    models = {name: asdict(result) for name, result in results.items()}
    document: dict[str, Any] = _plain({**head, "versions": versions, "models": models})
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
