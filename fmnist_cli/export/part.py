"""Writing a graph that helps all models, and its entry in the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from fmnist_cli.export.graph import count_parameters
from fmnist_cli.files import replace_file, write_text
from fmnist_cli.manifest import MANIFEST_FILE, Manifest, Part


def write_part(
    name: str,
    title: str,
    content: bytes,
    out: Path,
    metrics: Mapping[str, Any],
    training: Mapping[str, Any],
) -> Part:
    """Write ``out/<name>.onnx`` and note it in the manifest there, made if there is none.

    Raises:
        ModelError: the manifest there is damaged; nothing is written.
    """
    known = Manifest.read(out) if (out / MANIFEST_FILE).exists() else Manifest({})
    path = out / f"{name}.onnx"
    replace_file(path, lambda partial: partial.write_bytes(content))
    part = Part(
        file=path.name,
        title=title,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=count_parameters(onnx.load_from_string(content)),
        metrics=metrics,
        training=training,
    )
    write_text(out / MANIFEST_FILE, known._replace(parts={**known.parts, name: part}).to_json())
    return part
