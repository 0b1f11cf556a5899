"""`fmnist models`: what can be used, with accuracy, size and parameters."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from fmnist_cli.cli.options import ModelsDir


def models(
    models_dir: ModelsDir = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the exported models and how each came to be."""
    from fmnist_cli.inference.models import manifests
    from fmnist_cli.models.registry import REGISTRY

    # One's own models first: of two with the same name that is the one in use.
    found = [
        (name, folder, entry)
        for folder, manifest in manifests(models_dir)
        for name, entry in manifest.models.items()
    ]
    if json_:
        document = {
            name: {"folder": str(folder), **entry._asdict()}
            for name, folder, entry in reversed(found)
        }
        sys.stdout.write(json.dumps(dict(reversed(document.items())), indent=2) + "\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Models", title_justify="left", box=box.SIMPLE)
    table.add_column("name", style="bold", no_wrap=True)
    for column in ("accuracy", "size", "parameters"):
        table.add_column(column, justify="right")
    table.add_column("trained")
    table.add_column("folder", overflow="fold")
    for name, folder, entry in found:
        training, test = entry.training, entry.metrics.get("test")
        table.add_row(
            name,
            f"{test['accuracy']:.2%}" if test else "–",
            f"{entry.bytes / 1e6:.2f} MB",
            f"{entry.parameters:,}",
            f"{training['preset']}, seed {training['seed']}, {training['seconds']:,.0f} s",
            str(folder),
        )
    Console().print(table)
    known = {name for name, _, _ in found}
    missing = [name for name in REGISTRY if name not in known]
    if missing:
        names = " ".join(missing)
        sys.stderr.write(f"not exported yet: {names}; fmnist train {names}, then fmnist export\n")
