"""Training the network behind the features, too, with a toy in the place of `photo`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import toypictures

from fmnist_cli.inference.session import Session
from fmnist_cli.labelled.source import open_labelled
from fmnist_cli.learn import tune
from fmnist_cli.learn.model import write
from fmnist_cli.learn.pictures import check, see


def test_a_tuned_network_sees_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toypictures.register(monkeypatch)
    monkeypatch.setattr(tune, "RECIPE", toypictures.RECIPE)
    base = toypictures.file_of(toypictures.classifier(), tmp_path)
    toypictures.write_pictures(tmp_path / "mine", {"hat": 8, "pants": 8, "shoes": 8})
    labelled, digests = check(open_labelled(tmp_path / "mine", None), Counter())
    examples, found = see(labelled, digests, Session(base))
    told: list[str] = []
    steps: list[int] = []
    made, head, held = tune.tune(
        labelled, examples.embeddings, 10.0, base, told.append, steps.append
    )
    assert told == [
        "training, without part 1 of 2",
        "training, without part 2 of 2",
        "training, with all pictures",
    ]
    assert sum(steps) >= toypictures.RECIPE.epochs * toypictures.RECIPE.folds * 24
    assert held.accuracy(found.members) > 0.8  # of pictures that a network has not seen
    seen, _ = see(labelled, digests, Session(made), engine="threads")
    assert np.abs(seen.embeddings - examples.embeddings).max() > 0.05  # it is another network
    assert (head.logits(seen.embeddings[:, 0]).argmax(axis=1) == found.members).mean() > 0.9
    target = tmp_path / "tuned.onnx"
    write(target, made, head, held, found.folders, seen, held.temperature(found.members))
    assert target.exists()
