"""What Fashion-MNIST is: 28×28 grey pictures of ten classes, in four files, and where these lie.

Decoders know its size, so nothing here is slow to import.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from fmnist_cli.contract import UNKNOWN, InputSpec, ModelCard
from fmnist_cli.errors import DataError

SIDE = 28

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# What folders of garments are often called, in Fashion-MNIST's classes; none of them: unknown.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "tshirt": ("T-shirt/top",),
    "top": ("T-shirt/top",),
    "pants": ("Trouser",),
    "trousers": ("Trouser",),
    "jeans": ("Trouser",),
    "longsleeve": ("Pullover",),
    "sweater": ("Pullover",),
    "outwear": ("Coat",),
    "jacket": ("Coat",),
    "shoes": ("Sandal", "Sneaker", "Ankle boot"),
    "boots": ("Ankle boot",),
    "hat": (),
    "shorts": (),
    "skirt": (),
    UNKNOWN: (),
}

# What models of Fashion-MNIST's own frames want.
FRAME_SPEC = InputSpec(SIDE, SIDE, "grey", "auto")


def knows_fashion_mnist(class_names: Sequence[str]) -> bool:
    """Whether a model's first classes are Fashion-MNIST's, so that it can be measured on that."""
    return tuple(class_names[: len(CLASS_NAMES)]) == CLASS_NAMES


def of_data_set(card: ModelCard) -> bool:
    """Whether a model takes the images of Fashion-MNIST as they are, and has its classes.

    Others are measured on pictures of their own, by ``fmnist evaluate --data``.
    """
    known = knows_fashion_mnist(card.class_names)
    return known and card.input is not None and card.input.shape == FRAME_SPEC.shape


Split = Literal["train", "validation", "test"]

ENV_VAR = "FMNIST_DATA_DIR"
PROJECT_DIR = Path("data", "fashion-mnist")
TORCHVISION_DIR = Path("FashionMNIST", "raw")


class DataFile(NamedTuple):
    """One file of the data set as published.

    Attributes:
        name: file name, ending in ``.gz``.
        size: bytes of the gzip file.
        md5: MD5 of the gzip file.
        payload_md5: MD5 of what the gzip file unpacks to.
    """

    name: str
    size: int
    md5: str
    payload_md5: str

    @property
    def unpacked_name(self) -> str:
        """File name without ``.gz``."""
        return self.name.removesuffix(".gz")

    def locate(self, folder: Path) -> Path | None:
        """Its path in ``folder``, gzip first, then unpacked; ``None`` when neither is there."""
        for name in (self.name, self.unpacked_name):
            if (folder / name).is_file():
                return folder / name
        return None


TRAIN_IMAGES = DataFile(
    "train-images-idx3-ubyte.gz",
    26_421_880,
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "f4a8712d7a061bf5bd6d2ca38dc4d50a",
)
TRAIN_LABELS = DataFile(
    "train-labels-idx1-ubyte.gz",
    29_515,
    "25c81989df183df01b3e8a0aad5dffbe",
    "9018921c3c673c538a1fc5bad174d6f9",
)
TEST_IMAGES = DataFile(
    "t10k-images-idx3-ubyte.gz",
    4_422_102,
    "bef4ecab320f06d8554ea6380940ec79",
    "8181f5470baa50b63fa0f6fddb340f0a",
)
TEST_LABELS = DataFile(
    "t10k-labels-idx1-ubyte.gz",
    5_148,
    "bb300cfdad3c16e7a12a480ee83cd310",
    "15d484375f8d13e6eb1aabb0c3f46965",
)
FILES: tuple[DataFile, ...] = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


def files_of(split: Split) -> tuple[DataFile, DataFile]:
    """The images file and the labels file that a split is read from."""
    return (TEST_IMAGES, TEST_LABELS) if split == "test" else (TRAIN_IMAGES, TRAIN_LABELS)


def cache_dir() -> Path:
    """The data folder in the user's cache; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("fmnist", appauthor=False)) / "fashion-mnist"


def default_download_dir() -> Path:
    """``data/fashion-mnist`` inside a clone of this project, else the user's cache."""
    in_clone = Path("data", "samples").is_dir()
    return PROJECT_DIR if in_clone else cache_dir()


def find_data_dir(data_dir: Path | None = None, *, split: Split | None = None) -> Path:
    """The folder that holds the data files.

    Looked for in this order: ``data_dir``, the environment variable ``FMNIST_DATA_DIR``,
    ``data/fashion-mnist`` below the current folder, the user's cache. Each place may hold the
    files itself or below ``FashionMNIST/raw``, as torchvision lays them out; gzip or unpacked.
    A place that was named, by argument or variable, is the only one looked at.

    Args:
        data_dir: the place to look at.
        split: the files of this split must be there. Without it, a folder with all four
            files wins over one with some.

    Raises:
        DataError: no place, or not the named one, holds the files.
    """
    named, source = data_dir, "--data-dir"
    variable = os.environ.get(ENV_VAR)
    if variable and data_dir in (None, Path(variable)):  # options take it, too
        named, source = Path(variable), ENV_VAR
    wanted = FILES if split is None else files_of(split)
    if named is not None:
        place = named.expanduser()
        found = _search([place], wanted, partly=split is None)
        if found is None:
            raise DataError(_nothing_in(place, source, wanted))
        return found

    places = [PROJECT_DIR, cache_dir()]
    found = _search(places, wanted, partly=split is None)
    if found is None:
        listed = "\n".join(f"  {place.absolute()}" for place in places)
        raise DataError(
            f"no Fashion-MNIST files found. Looked in:\n{listed}\n"
            f"Run: fmnist data download   (or name their folder with --data-dir or {ENV_VAR})"
        )
    return found


def require(folder: Path, file: DataFile) -> Path:
    """Path of a file in ``folder``, gzip or unpacked.

    Raises:
        DataError: it is not there.
    """
    path = file.locate(folder)
    if path is None:
        raise DataError(
            f"{folder}: holds no {file.name} (nor {file.unpacked_name}). "
            f"Run: fmnist data download --data-dir {folder}"
        )
    return path


def md5_of(path: Path) -> str:
    """MD5 of a file, in hexadecimal.

    Raises:
        DataError: the file cannot be read.
    """
    # MD5 is what the data set is published with; it guards against accidents, not attacks.
    md5 = partial(hashlib.md5, usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, md5).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def is_official(path: Path, file: DataFile) -> bool:
    """Whether a gzip or unpacked copy of ``file`` is the published one, byte for byte."""
    return md5_of(path) == (file.md5 if path.name == file.name else file.payload_md5)


def altered(split: Split, data_dir: Path | None = None) -> list[str]:
    """Names of the files of a split that are not the published ones.

    Raises:
        DataError: a file is not there.
    """
    folder = find_data_dir(data_dir, split=split)
    paths = {file: require(folder, file) for file in files_of(split)}
    return [path.name for file, path in paths.items() if not is_official(path, file)]


def data_checksum(data_dir: Path | None = None, *, images: DataFile = TRAIN_IMAGES) -> str:
    """The MD5 that names the training data: that of the gzip training images file.

    An unpacked file is the same data, so it gets the same value where its content is the
    official one, and the MD5 of its own bytes where it is not.

    Raises:
        DataError: there is no training images file, or it cannot be read.
    """
    path = require(find_data_dir(data_dir, split="train"), images)
    digest = md5_of(path)
    return images.md5 if digest == images.payload_md5 else digest


def _search(places: Iterable[Path], wanted: Sequence[DataFile], *, partly: bool) -> Path | None:
    """The first folder with all wanted files; with ``partly``, else the first with any."""
    folders = [folder for place in places for folder in (place, place / TORCHVISION_DIR)]
    for enough in (all, any) if partly else (all,):
        for folder in folders:
            if enough(file.locate(folder) for file in wanted):
                return folder
    return None


def _nothing_in(place: Path, source: str, wanted: Iterable[DataFile]) -> str:
    if place.is_file():
        return f"{place} (from {source}) is a file; name the folder that holds it"
    if not place.is_dir():
        problem = "does not exist"
    else:
        missing = [file.name for file in wanted if file.locate(place) is None]
        problem = f"lacks {', '.join(missing)} (also without .gz, also in {TORCHVISION_DIR})"
    return (
        f"{place} (from {source}) {problem}.\n"
        f"Name the folder with the files, or run: fmnist data download --data-dir {place}"
    )
