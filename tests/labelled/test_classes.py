"""What labels mean to a model: names, and what garments are often called."""

from __future__ import annotations

import pytest

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import DataError
from fmnist_cli.labelled.source import resolve


@pytest.mark.parametrize("name", ["t-shirt-top", "T_SHIRT TOP", "tshirttop", "T-shirt/top"])
def test_names_are_compared_without_case_and_separators(name: str) -> None:
    assert resolve([name], CLASS_NAMES).columns == {name: (0,)}


def test_a_folder_without_a_class_is_named_with_what_to_do() -> None:
    with pytest.raises(DataError) as caught:
        resolve(["coat", "sun hat"], CLASS_NAMES, source="mine")
    message = str(caught.value)
    assert "sun hat of mine is no class of the model" in message
    assert "call it unknown" in message
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
