from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinymodel import card_of

from fmnist_cli.contract import InputSpec, ModelCard
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FRAME_SPEC

SINCE_0_2 = ("input", "novelty_limits")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
SPECS = st.builds(
    InputSpec,
    height=st.integers(1, 512),
    width=st.integers(1, 512),
    color=st.sampled_from(["grey", "rgb"]),
    preprocessing=st.text(),
    params=st.dictionaries(st.text(), st.one_of(st.text(), st.floats(0, 255))),
)


def test_there_are_ten_classes_of_different_names() -> None:
    assert len(CLASS_NAMES) == len(set(CLASS_NAMES)) == 10


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.builds(
        ModelCard,
        name=TEXT,
        title=TEXT,
        version=TEXT,
        class_names=st.lists(TEXT, min_size=1).map(tuple),
        data_checksum=TEXT,
        seed=st.integers(),
        preset=TEXT,
        test_accuracy=st.floats(0, 1),
        temperature=st.floats(0.01, 100),
        tolerance=st.floats(0, 1),
        input=st.one_of(st.none(), SPECS),
        novelty_limits=st.dictionaries(st.sampled_from(["0.5", "0.95"]), st.floats(-9, 9)),
    )
)
def test_a_card_survives_the_metadata_of_a_file(card: ModelCard) -> None:
    metadata = card.to_metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert ModelCard.from_metadata(metadata) == card


def test_text_is_stored_as_it_is_and_the_rest_as_json() -> None:
    metadata = card_of("cnn").to_metadata()
    assert metadata["title"] == "Tiny network"
    assert json.loads(metadata["class_names"]) == list(CLASS_NAMES)
    assert metadata["seed"] == "3"


def test_other_metadata_of_the_file_is_ignored() -> None:
    card = card_of("cnn")
    assert ModelCard.from_metadata({**card.to_metadata(), "author": "somebody"}) == card


@pytest.mark.parametrize("field", ["class_names", "seed", "test_accuracy", "temperature"])
def test_a_field_of_another_type_is_refused(field: str) -> None:
    with pytest.raises(TypeError, match=field):
        ModelCard.from_metadata({**card_of("cnn").to_metadata(), field: '{"a": 1}'})


@pytest.mark.parametrize("field", [f for f in ModelCard._fields if f not in SINCE_0_2])
def test_a_missing_field_is_named(field: str) -> None:
    metadata = card_of("cnn").to_metadata()
    del metadata[field]
    with pytest.raises(KeyError, match=field):
        ModelCard.from_metadata(metadata)


@pytest.mark.parametrize("field", ["class_names", "seed", "test_accuracy", "temperature"])
def test_a_damaged_field_is_an_error(field: str) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        ModelCard.from_metadata({**card_of("cnn").to_metadata(), field: "?"})


def test_a_card_of_0_1_says_nothing_of_its_input() -> None:
    metadata = card_of("cnn").to_metadata()
    for field in SINCE_0_2:
        del metadata[field]
    card = ModelCard.from_metadata(metadata)
    assert card == card_of("cnn")
    assert (card.input, card.novelty_limits) == (None, {})


def test_the_shape_of_a_picture_follows_from_its_kind() -> None:
    assert FRAME_SPEC.shape == (28, 28)
    assert InputSpec(64, 48, "rgb", "letterbox").shape == (64, 48, 3)


@pytest.mark.parametrize(
    "wrong", [{"height": 0}, {"width": 2.5}, {"color": "cmyk"}, {"params": 3}, {"preprocessing": 1}]
)
def test_an_input_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="input is"):
        InputSpec.from_json({**FRAME_SPEC._asdict(), **wrong})
