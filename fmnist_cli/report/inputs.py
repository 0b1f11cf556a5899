"""What a report is made from: JSON files, told by what they hold, and the data set's images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from fmnist_cli import files
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import Split
from fmnist_cli.errors import DataError, ResultsError, UsageError
from fmnist_cli.manifest import Manifest

if TYPE_CHECKING:
    from markupsafe import Markup

DEFAULT_RESULTS = Path("benchmarks", "results")
# The reason names folders of this machine, which a page that is passed on should not tell.
NO_PICTURES = (
    "Pictures are left out: the data set could not be read when this page was made. To get it:"
    " fmnist data download; then make the page again"
)
# What a section is made of, and what is stale or missing in it.
Made = tuple[Sequence["Markup"], Sequence[str]]


def _models(document: Mapping[str, Any], *keys: str) -> bool:
    """Whether the document measures models, and each measurement has these keys."""
    models = document.get("models")
    return (
        isinstance(models, dict)
        and bool(models)
        and all(
            isinstance(one, dict) and all(key in one for key in keys) for one in models.values()
        )
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        title: for people.
        command: that makes one.
        recognise: whether a document is one.
        usual: its usual file name, which wins where there are several.
    """

    title: str
    command: str
    recognise: Callable[[Mapping[str, Any]], bool]
    usual: str


KINDS: Mapping[str, Kind] = {
    "data": Kind(
        "description of the data",
        "fmnist data describe -o data.json",
        lambda document: "embedding" in document and "mean_images" in document,
        "data.json",
    ),
    "evaluation": Kind(
        "evaluation",
        "fmnist evaluate -o evaluate-test.json",
        lambda document: _models(document, "confusion", "per_class"),
        "evaluate-test.json",
    ),
    "bench": Kind(
        "benchmark",
        "fmnist bench -o bench.json",
        lambda document: _models(document, "timing"),
        "bench.json",
    ),
    "robustness": Kind(
        "measurement of the robustness",
        "python benchmarks/robustness.py",
        lambda document: _models(document, "mean_corruption_accuracy", "by_kind"),
        "robustness.json",
    ),
    "runs": Kind(
        "table of training runs",
        "python benchmarks/accuracy.py runs",
        lambda document: "runs" in document and "test_images" in document,
        "accuracy.json",
    ),
    "explanations": Kind(
        "set of explanations",
        "fmnist explain --maps explain.json",
        lambda document: (
            isinstance(document.get("items"), list)
            and all(isinstance(one, dict) and "heat" in one for one in document["items"])
        ),
        "explain.json",
    ),
    "audit": Kind(
        "audit of the labels",
        "fmnist data audit",
        lambda document: "estimated_noise" in document,
        "audit.json",
    ),
}


@dataclass(frozen=True, slots=True)
class Pictures:
    """The data set, if it was found.

    Attributes:
        splits: all three, or none.
        reason: why there is none, for the terminal.
    """

    splits: Mapping[str, LabelledImages]
    reason: str = ""

    @classmethod
    def load(cls, data_dir: Path | None) -> Pictures:
        """From `data_dir` or the usual places, where it need not be.

        Raises:
            DataError: it is not in `data_dir`.
        """
        try:
            return cls({name: load_split(name, data_dir) for name in get_args(Split)})
        except DataError as error:
            if data_dir is not None:
                raise
            return cls({}, str(error))

    def at(self, split: str, index: npt.ArrayLike) -> LabelledImages | None:
        """The images at these positions of the official file.

        None where one of them is not in the split, or there is no data set.
        """
        if split not in self.splits:
            return None
        images = self.splits[split]
        wanted = np.asarray(index, dtype=np.intp)
        places = np.arange(len(images)) if images.positions is None else images.positions
        found = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
        if not np.array_equal(places[found], wanted):
            return None
        return LabelledImages(images.pixels[found], images.labels[found], wanted)


class Source(NamedTuple):
    """A file of measurements: its name, and what it holds."""

    name: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a report is made from.

    Attributes:
        manifest: of the exported models.
        histories: learning curves by model, as in `TrainingRecord.history`.
        sources: by name of their kind, see `KINDS`.
        passed_over: files of a kind of which another was taken.
        pictures: the data set, if it was found.
    """

    manifest: Manifest
    histories: Mapping[str, list[Mapping[str, float]]]
    sources: Mapping[str, Source]
    passed_over: tuple[str, ...] = ()
    pictures: Pictures = field(default_factory=lambda: Pictures({}))

    def other_data(self, checksum: str | None) -> bool:
        """Whether a model was trained on other data than those of this checksum."""
        trained = {
            # What follows the comma says which images were left out.
            str(entry.training.get("data_checksum")).partition(",")[0]
            for entry in self.manifest.models.values()
            if "test" in entry.metrics and entry.training.get("data_checksum")
        }
        return bool(trained - {checksum})

    def stale(self, kind: str) -> list[str]:
        """What of a file is of other models than those in the manifest, in words."""
        source = self.sources.get(kind)
        if source is None:
            return []
        # Of the file that was measured: the value itself, or inside the model's results.
        measured = {
            name: one.get("sha256") if isinstance(one, dict) else one
            for name, one in source.document.get("models", {}).items()
        }
        if isinstance(single := source.document.get("model"), dict):
            measured[single["name"]] = single["sha256"]
        other = [
            name
            for name, entry in self.manifest.models.items()
            if name in measured and measured[name] != entry.sha256
        ]
        # Only networks have heat maps, and only models of its classes are measured on the data set.
        on_data_set = [n for n, entry in self.manifest.models.items() if "test" in entry.metrics]
        expected = {
            "evaluation": on_data_set,
            "bench": list(self.manifest.models),
            "robustness": on_data_set,
        }.get(kind, [])
        missing = [name for name in expected if name not in measured]
        again = f"; measure again: {KINDS[kind].command}"
        found = []
        if other:
            found.append(
                f"{source.name} measured other files of {', '.join(other)} than those exported now"
                + again
            )
        if missing:
            found.append(f"{source.name} does not measure {', '.join(missing)}{again}")
        return found


def gather(results: Path | None, models_dir: Path) -> Inputs:
    """Read the manifest, the learning curves and what lies in the folder of results.

    Args:
        results: folder of JSON files; None for ``./benchmarks/results``, if that is there.

    Raises:
        UsageError: the folder is named and not there.
        ResultsError: a file in it is no JSON.
        ModelError: the manifest cannot be read.
    """
    manifest = Manifest.read(models_dir)
    histories = {name: _history(models_dir / f"{name}.json") for name in manifest.models}
    if results is None and not DEFAULT_RESULTS.is_dir():
        return Inputs(manifest, histories, {})
    folder = results or DEFAULT_RESULTS
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; name one with JSON results by --results")
    sources, passed_over = _recognised(folder)
    return Inputs(manifest, histories, sources, passed_over)


def _recognised(folder: Path) -> tuple[dict[str, Source], tuple[str, ...]]:
    found: dict[str, list[Source]] = {}
    for path in sorted(folder.glob("*.json")):
        document = read_json(path)
        if isinstance(document, dict):
            for name, kind in KINDS.items():
                if kind.recognise(document):
                    found.setdefault(name, []).append(Source(path.name, document))
                    break
    for name, sources in found.items():
        names = [one.name for one in sources]
        if KINDS[name].usual in names:
            sources.insert(0, sources.pop(names.index(KINDS[name].usual)))
    passed_over = tuple(source.name for sources in found.values() for source in sources[1:])
    return {name: sources[0] for name, sources in found.items()}, passed_over


def _history(path: Path) -> list[Mapping[str, float]]:
    if not path.is_file():
        return []
    document = read_json(path)
    history = document.get("history") if isinstance(document, dict) else None
    if not isinstance(history, list):
        raise ResultsError(f"{path} is no training record; export the model again: fmnist export")
    return history


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ResultsError: it cannot be read or is no JSON.
    """
    try:
        return files.read_json(path)
    except (OSError, ValueError) as error:
        usual = [kind.command for kind in KINDS.values() if kind.usual == path.name]
        fix = f"make it again: {usual[0]}" if usual else "delete it or make it again"
        raise ResultsError(f"cannot read {path}: {error}; {fix}") from error
