"""What labelled folders mean: names, and the TOML that says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import DataError
from fmnist_cli.labelled.classes import read_meanings, resolve

SAMPLE = Path(__file__).parents[2] / "data" / "samples" / "photos.toml"


def toml(folder: Path, text: str) -> Path:
    path = folder / "classes.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_means_what_the_photos_readme_says() -> None:
    meanings = read_meanings(SAMPLE)
    assert meanings["shoes"] == ("Sandal", "Sneaker", "Ankle boot")
    assert meanings["hat"] == ()
    found = resolve(sorted(meanings), CLASS_NAMES, meanings)
    assert found.class_names == CLASS_NAMES
    assert found.columns["t-shirt"] == (0,)
    assert found.columns["shoes"] == (5, 7, 9)
    assert found.columns["skirt"] == ()


@pytest.mark.parametrize("name", ["t-shirt-top", "T_SHIRT TOP", "tshirttop", "T-shirt/top"])
def test_names_are_compared_without_case_and_separators(name: str) -> None:
    assert resolve([name], CLASS_NAMES).columns == {name: (0,)}


def test_a_folder_without_a_class_is_named_with_the_toml_to_write() -> None:
    with pytest.raises(DataError) as caught:
        resolve(["coat", "sun hat"], CLASS_NAMES, source="mine")
    message = str(caught.value)
    assert "the folder sun hat of mine has the name of no class" in message
    assert '"sun hat" = "unknown"' in message
    assert "Ankle boot" in message


def test_what_garments_are_often_called_needs_no_file() -> None:
    found = resolve(["Pants", "shoes", "hat", "unknown", "t-shirt"], CLASS_NAMES)
    assert found.columns == {
        "Pants": (1,),
        "shoes": (5, 7, 9),
        "hat": (),
        "unknown": (),
        "t-shirt": (0,),
    }
    own = resolve(["Pants", "hat"], ["pants", "hat"])
    assert own.columns == {"Pants": (0,), "hat": (1,)}  # a class of the model comes first
    with pytest.raises(DataError, match="shoes"):
        resolve(["shoes"], ["pants", "Sandal"])


def test_a_folder_that_the_file_leaves_out_is_an_error_unless_it_is_a_class() -> None:
    meanings = {"hat": ()}
    assert resolve(["Bag", "hat"], CLASS_NAMES, meanings).columns == {"Bag": (8,), "hat": ()}
    with pytest.raises(DataError, match="the folder cap of the folder is not in the file"):
        resolve(["cap", "hat"], CLASS_NAMES, meanings)


def test_a_name_that_is_no_class_of_the_model_is_an_error() -> None:
    with pytest.raises(DataError, match="the class 'Jumper', which 'knit' is to mean"):
        resolve(["knit"], CLASS_NAMES, {"knit": ("Jumper",)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("classes = 3", "must hold one table"),
        ("[classes]", "must hold one table"),
        ("[clases]\nhat = 'Bag'", "must hold one table"),
        ("[classes]\nhat = 3", "'hat' is 3"),
        ("[classes]\nhat = []", "neither a name nor several"),
        ("[classes]\nhat = ['Bag', 3]", "neither a name nor several"),
        ("[classes]\nhat = ['Bag', '']", "an empty name"),
        ("[classes]\nhat = ['Bag', 'Unknown']", '"unknown" and a class'),
        ("hat = = 3", "is no TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_meanings(toml(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_meanings(tmp_path / "none.toml")
