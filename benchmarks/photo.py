"""How good `photo` is on real photos, and what its features are worth for classes of one's own.

Run: python benchmarks/photo.py --photos FOLDER [--own FOLDER]

FOLDER holds ``train/`` and ``validation/`` with a folder per class, as the clothing dataset has.
Needs the training packages; five minutes on two cores. What is measured:

    validation  photos that nothing was learnt from or chosen on, by folder; a folder of shoes
                counts any of three classes as right
    shoes       of the shoes whose type benchmarks/shoe-types.json tells, how many are labelled so;
                those of train/ were trained on, but never with their types
    unknown     novelty: folders that are no class, against the others
    beside      resnet on the same validation photos, as products
    features    `embedding` of photo.onnx against features of ImageNet's own weights: a logistic
                regression on some photos of each of a few kinds, judged on the others
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.labelled.evaluation import Strangeness, evaluate_folders
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import open_labelled, resolve
from fmnist_cli.machine import Machine, available_cores

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "photo.json"
BESIDE = "resnet"  # what photos were labelled with before
SHARE = "0.95"  # of known garments that are to stay known
SHOTS = (5, 10, 20)
DRAWS = 20
BATCH = 32

Features = npt.NDArray[np.float32]  # [N, D]


def said(session: Session, found: LabelledPictures) -> dict[str, npt.NDArray[np.float32]]:
    """All outputs for all pictures."""
    starts = range(0, len(found), BATCH)
    parts = [
        session.outputs(found.pixels[start : start + BATCH], novelty=True, embedding=True)
        for start in starts
    ]
    names = ("probabilities", "novelty", "embedding")
    return {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}


def of_folders(
    session: Session, found: LabelledPictures, told: Mapping[str, Any]
) -> dict[str, Any]:
    """Accuracy by folder, and what is unknown."""
    limit = session.card.novelty_limits[SHARE]
    strangeness = Strangeness(told["novelty"], told["novelty"] > limit)
    classes = resolve(found.folders, session.card.class_names)
    return evaluate_folders(found, classes, told["probabilities"], strangeness).to_json()


def of_shoes(
    session: Session, found: LabelledPictures, told: Mapping[str, Any], types: Mapping[str, str]
) -> dict[str, Any]:
    """How many shoes have the label of their type, and the confusions."""
    names = session.card.class_names
    best = {path: names[i] for path, i in zip(found.paths, told["probabilities"].argmax(1))}  # noqa: B905
    pairs = [(kind, best[path]) for path, kind in types.items() if path in best]
    kinds = sorted({kind for kind, _ in pairs})
    return {
        "photos": len(pairs),
        "right": sum(kind == label for kind, label in pairs),
        "labels": {
            kind: {
                label: pairs.count((kind, label)) for _, label in pairs if (kind, label) in pairs
            }
            for kind in kinds
        },
    }


def imagenet_features(found: LabelledPictures) -> Features:
    """Features of the network before it was trained on."""
    import torch

    from fmnist_cli.models.photo import build_backbone, load_imagenet

    torch.set_num_threads(available_cores())
    backbone = build_backbone().eval()
    load_imagenet(backbone)
    backbone.to(memory_format=torch.channels_last)
    result = []
    with torch.inference_mode():
        for start in range(0, len(found), BATCH):
            pixels = torch.tensor(found.pixels[start : start + BATCH]).permute(0, 3, 1, 2)
            result.append(backbone((pixels.float() - 127) / 128).numpy())
    return np.concatenate(result)


def of_features(features: Features, members: npt.NDArray[np.intp], shots: int) -> dict[str, float]:
    """Accuracy of a logistic regression on the photos that were not drawn, over some draws."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    accuracies = []
    for draw in range(DRAWS):
        generator = np.random.default_rng(draw)
        drawn = np.concatenate(
            [
                generator.permutation(np.flatnonzero(members == kind))[:shots]
                for kind in np.unique(members)
            ]
        )
        others = np.setdiff1d(np.arange(len(members)), drawn)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        model.fit(features[drawn], members[drawn])
        accuracies.append(model.score(features[others], members[others]))
    return {"mean": float(np.mean(accuracies)), "deviation": float(np.std(accuracies))}


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--own", type=Path, help="folders of kinds that no model knows")
    parser.add_argument("--model", default="photo", help="name or file")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    file = open_model(options.model)
    session = Session(file, threads=available_cores())
    spec = session.card.input
    types = json.loads((HERE / "shoe-types.json").read_text(encoding="utf-8"))
    document: dict[str, Any] = {
        "format": 1,
        "command": "python benchmarks/photo.py --photos FOLDER --own FOLDER",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": Machine.current()._asdict(),
        "versions": {name: version(name) for name in ("fmnist-cli", "onnxruntime", "torch")},
        "sha256": file.sha256,
        "shoes": {},
    }
    for split in ("validation", "train"):
        found = LabelledPictures.read(open_labelled(options.photos / split, None), spec)
        told = said(session, found)
        if split == "validation":
            document["validation"] = of_folders(session, found, told)
        document["shoes"][split] = of_shoes(session, found, told, types[split])
    frames = Session(open_model(BESIDE), threads=available_cores())
    found = LabelledPictures.read(open_labelled(options.photos / "validation", None), frames.spec)
    classes = resolve(found.folders, frames.card.class_names)
    beside = evaluate_folders(found, classes, frames.probabilities(found.pixels))
    document["beside"] = {BESIDE: beside.to_json()}
    if options.own is not None:
        found = LabelledPictures.read(open_labelled(options.own, None), spec)
        kinds = {"photo": said(session, found)["embedding"], "imagenet": imagenet_features(found)}
        document["features"] = {
            "folders": list(found.folders),
            "draws": DRAWS,
            **{
                name: {str(shots): of_features(values, found.members, shots) for shots in SHOTS}
                for name, values in kinds.items()
            },
        }
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    macro, shoes = document["validation"]["macro_accuracy"], document["shoes"]["validation"]
    print(f"validation photos: {macro:.1%} (mean over folders)")
    print(f"types of shoes: {shoes['right']} of {shoes['photos']}; results in {options.out.name}")


if __name__ == "__main__":
    main()
