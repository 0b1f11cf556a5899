"""The serving half starts quickly and without the training libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fmnist_cli.cli import COMMANDS

TRAINING = {"torch", "torchvision", "sklearn", "skl2onnx", "onnx", "onnxscript", "plotly", "skops"}
REMOTE = {"fsspec", "s3fs", "aiohttp"}
HEAVY = TRAINING | REMOTE | {"onnxruntime", "cv2", "PIL", "scipy", "pandas", "matplotlib"}

SCRIPT = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name.removesuffix(".*"))
    if not name.endswith(".*"):
        continue
    name = name.removesuffix(".*")
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        importlib.import_module(found.name)
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages in a fresh interpreter after importing modules; `.*`: all below, too."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *modules], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_command_line_loads_nothing_heavy() -> None:
    commands = {f"fmnist_cli.cli.{module}" for module, _ in COMMANDS.values()}
    loaded = loaded_by("fmnist_cli.cli", "fmnist_cli.errors", *commands)
    assert "typer" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "modules",
    [
        (
            "fmnist_cli.run",
            "fmnist_cli.sources.*",
            "fmnist_cli.decode.*",
            "fmnist_cli.preprocess.*",
            "fmnist_cli.inference.*",
            "fmnist_cli.engines.*",
            "fmnist_cli.sinks.*",
            "fmnist_cli.html.*",
            "fmnist_cli.api",
            "fmnist_cli.cli.*",
        ),
        (
            "fmnist_cli.evaluate.*",
            "fmnist_cli.contract",
            "fmnist_cli.manifest",
            "fmnist_cli.data.*",
            "fmnist_cli.bench.*",
        ),
        ("fmnist_cli.models.registry",),
    ],
    ids=lambda modules: modules[0],
)
def test_serving_loads_no_training_library(modules: tuple[str, ...]) -> None:
    assert not loaded_by(*modules) & (TRAINING | REMOTE)


def test_templates_cost_only_who_makes_a_page() -> None:
    loaded = loaded_by("fmnist_cli.run", "fmnist_cli.sinks.*", "fmnist_cli.html.*")
    assert "cv2" in loaded
    assert not loaded & {"jinja2", "markupsafe"}
