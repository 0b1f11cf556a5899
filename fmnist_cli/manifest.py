"""`manifest.json` beside the exported models: what each file is and how it came to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from fmnist_cli.errors import ModelError
from fmnist_cli.files import read_json

MANIFEST_FILE = "manifest.json"
FORMAT = 1


class Entry(NamedTuple):
    """One exported graph: a model, or a part that helps them all, such as ``guard``.

    Attributes:
        file: name of the ONNX file, beside the manifest.
        title: name for people.
        sha256: of the file.
        bytes: its size.
        parameters: numbers the graph holds.
        metrics: measured on this very file; of a model per split ``{"images", "accuracy", "loss",
            "calibration_error"}``.
        verification: what `verify` measured against the native model.
        training: how it came to be; of a model its training record without the learning curves.
        calibration: the curve at the end of the graph, by which rule and on how many images it
            was fitted, and loss and calibration error without it; None if it has none.
        card: the card in the file, known before the file is read; None in manifests made by 0.1.
    """

    file: str
    title: str
    sha256: str
    bytes: int
    parameters: int
    metrics: Mapping[str, Any]
    verification: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}
    calibration: Mapping[str, Any] | None = None
    card: Mapping[str, str] | None = None


class Manifest(NamedTuple):
    """All models of a folder, and the parts that they share, by name."""

    models: Mapping[str, Entry]
    parts: Mapping[str, Entry] = MappingProxyType({})

    def to_json(self) -> str:
        """The manifest as indented JSON, models in name order as given."""
        document: dict[str, Any] = {"format": FORMAT}
        document["models"] = {name: entry._asdict() for name, entry in self.models.items()}
        if self.parts:
            document["parts"] = {name: part._asdict() for name, part in self.parts.items()}
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder.

        Raises:
            ModelError: it is missing, damaged, or of another format.
        """
        path = folder / MANIFEST_FILE
        try:
            values = read_json(path)
            if values["format"] != FORMAT:
                raise ModelError(
                    f"{path} has format {values['format']}, this version reads {FORMAT};"
                    " export the models again"
                )
            models = {name: Entry(**entry) for name, entry in values["models"].items()}
            for entry in models.values():
                _check(entry)
            parts = {name: Entry(**part) for name, part in values.get("parts", {}).items()}
            for part in parts.values():
                _check_texts(part)
        except FileNotFoundError:
            raise ModelError(
                f"there is no {MANIFEST_FILE} in {folder}; run: fmnist export"
            ) from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"cannot read {path}: {error}; export the models again") from error
        return cls(models, parts)


def _check(entry: Entry) -> None:
    """Whether what readers of a manifest rely on is there.

    Raises:
        ValueError, TypeError, KeyError: it is not.
    """
    _check_texts(entry)
    numbers = (
        *(split[name] for split in entry.metrics.values() for name in ("accuracy", "loss")),
        *(entry.training[name] for name in ("seed", "seconds")),
        entry.bytes,
        entry.parameters,
    )
    if not all(isinstance(number, int | float) for number in numbers):
        raise TypeError(f"a figure of {entry.file} is no number")
    if not isinstance(entry.training["preset"], str):
        raise TypeError(f"the preset of {entry.file} is no text")


def _check_texts(entry: Entry) -> None:
    for text in (entry.file, entry.title, entry.sha256, *(entry.card or {}).values()):
        if not isinstance(text, str) or "\0" in text:
            raise TypeError(f"{text!r} of {entry.file} is no text")
        text.encode()
    if entry.file == ".." or Path(entry.file).name != entry.file:
        raise ValueError(f"{entry.file!r} lies outside the folder")
