"""Train, export, serve and measure Fashion-MNIST classifiers behind one ONNX contract.

`load` and `classify` do from Python what `fmnist classify` does; see `fmnist_cli.api`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# ONNX Runtime reads this when it is loaded; without it, it writes to the user's cache, starts a
# thread and looks up a host to send its telemetry to.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from fmnist_cli.api import Model, classify, load
    from fmnist_cli.contract import Prediction, Rejected

__all__ = ["Model", "Prediction", "Rejected", "__version__", "classify", "load"]


def __dir__() -> list[str]:
    return __all__  # for help(fmnist_cli), which would not see what is loaded on demand


def __getattr__(name: str) -> Any:
    # On demand: commands that do not label anything should not wait for ONNX Runtime.
    if name in __all__:
        return getattr(import_module("fmnist_cli.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
