"""Writes the tables of README.md and docs from committed JSON.

Run: python benchmarks/readme_tables.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import research_tables
import scaling_tables
from harness.tables import RESULTS, ROOT, read, render, table

# Test accuracy in per cent that the student report states; it names none for KNN.
REPORT = {"logreg": 83, "svm": 87, "random-forest": 89, "mlp": 85, "cnn": 91, "resnet": 91}


def _kind(run: dict[str, Any]) -> Any:
    """What runs have in common that differ in seed only."""
    same = ("model", "preset", "device", "train_images")
    # Whose student it is stands in its parents; older recipes name that differently.
    recipe = {k: v for k, v in run["recipe"].items() if k not in ("teacher", "teachers")}
    # Students of teachers of one kind are alike; what was trained on from different files is not.
    taught = run["recipe"].get("teacher") or run["recipe"].get("teachers")
    parents = [parent.split()[0] if taught else parent for parent in run["parents"]]
    return [run[key] for key in same], recipe, parents


def _spread(values: list[float]) -> str:
    """Mean and standard deviation of accuracies."""
    return f"{mean(values):.2%} ± {stdev(values) * 100:.2f}"


def _over_seeds(runs: list[dict[str, Any]], run: dict[str, Any]) -> str:
    """Test accuracy of the runs that differ in seed only."""
    # Of one seed that was trained again, the last run counts.
    by_seed = {one["seed"]: one["test_accuracy"] for one in runs if _kind(one) == _kind(run)}
    found = list(by_seed.values())
    return "one seed" if len(found) == 1 else f"{_spread(found)}, {len(found)} seeds"


def seeds_table() -> str:
    """Mean and standard deviation where three seeds or more were trained."""
    runs = read(RESULTS / "accuracy.json")["runs"]
    rows, seen = [], []
    for run in runs:
        if (kind := _kind(run)) in seen:
            continue
        seen.append(kind)
        same = list({one["seed"]: one for one in runs if _kind(one) == kind}.values())
        if len(same) >= 3:
            figures = ("validation_accuracy", "test_accuracy")
            cells = [_spread([one[key] for one in same]) for key in figures]
            shirt = [one["shirt_f1"] for one in same]
            cells.append(f"{mean(shirt):.3f} ± {stdev(shirt):.3f}")
            rows.append([f"`{run['model']}`", f"`{run['preset']}`", str(len(same)), *cells])
    header = ["Model", "Preset", "Seeds", "Validation", "Test accuracy", "Shirt F1"]
    return table(header, rows, words=2)


def accuracy_table() -> str:
    """Accuracy of the shipped models and of their variants on raw pixels."""
    runs = read(RESULTS / "accuracy.json")["runs"]
    measured = read(RESULTS / "evaluate-test.json")["models"]
    rows = []
    for name in measured:
        shipped = next(run for run in runs if run["model"] == name and run["shipped"])
        shown = [(f"`{name}`", shipped)]
        for run in runs:
            others = [one["features"] for _, one in shown]
            if run["model"] == name and run["preset"] == "best" and run["features"] not in others:
                shown.append((f"`{name}` on raw pixels, not shipped", run))
        for title, run in shown:
            accuracy, loss, shirt = run["test_accuracy"], run["test_loss"], run["shirt_f1"]
            if run["shipped"]:  # what the ONNX file does, not the native model
                result = measured[name]
                accuracy, loss = result["accuracy"], result["loss"]
                shirt = next(c["f1"] for c in result["per_class"] if c["label"] == "Shirt")
            rows.append(
                [
                    title,
                    f"{REPORT[name]} %" if name in REPORT else "–",
                    f"**{accuracy:.2%}**" if run["shipped"] else f"{accuracy:.2%}",
                    _over_seeds(runs, run),
                    f"{run['validation_accuracy']:.2%}",
                    f"{loss:.3f}",
                    f"{shirt:.3f}",
                    f"{run['seconds'] / 60:.1f} min",
                ]
            )
    header = ["Model", "The report", "Test accuracy", "Over seeds", "Validation", "Test loss"]
    return table([*header, "Shirt F1", "Training"], rows)


def native_table() -> str:
    """The exported graphs against the frameworks they come from."""
    rows = []
    for name, result in read(RESULTS / "native.json")["models"].items():
        row = [f"`{name}`"]
        for batch in ("1", "256"):
            found = result["batches"][batch]
            row += [f"{found['onnx_us']['median']:,.0f} µs", _times(found["times_native"])]
        rows.append(row)
    header = ["Model"]
    for batch in ("1", "256"):
        header += [f"One image, batch {batch}", "PyTorch takes"]
    return table(header, rows)


def cost_table(results: Path = RESULTS) -> str:
    """What each shipped graph costs to run."""
    document = read(results / "bench.json")
    # Results of format 1 know nothing of these; they are read until they are measured again.
    more = document["format"] > 1
    rows = []
    for name, result in document["models"].items():
        timing = result["timing"]
        row = [f"`{name}`", f"{result['file_bytes'] / 1e6:.2f} MB", f"{result['parameters']:,}"]
        if more:
            row += [f"{result['macs'] / 1e6:.2f} M", f"{result['peak_memory_bytes'] / 1e6:.0f} MB"]
        row += [
            f"{timing['load_s'] * 1000:.0f} ms",
            f"{timing['latency']['p50_ms']:.3f} ms",
            f"{timing['images_per_s']:,.0f}",
        ]
        rows.append(row)
    header = ["Model", "Size", "Parameters", *(["Multiply-adds", "Memory"] if more else [])]
    return table([*header, "Load", "One image (p50)", "Images per second"], rows)


def robustness_table() -> str:
    """Accuracy on corrupted images by group of corruptions."""
    document = read(RESULTS / "robustness.json")
    groups = document["groups"]
    rows = []
    for name, result in document["models"].items():
        mean = result["mean_corruption_accuracy"]
        spread = (mean["high"] - mean["low"]) / 2
        rows.append(
            [
                f"`{name}`",
                f"{result['clean']['mean'] * 100:.1f}",
                f"**{mean['mean'] * 100:.1f}** ± {spread * 100:.1f}",
                *(f"{result['by_group'][group]['mean'] * 100:.1f}" for group in groups),
            ]
        )
    titles = [f"{group['title'][0].upper()}{group['title'][1:]}" for group in groups.values()]
    return (
        f"{table(['Model', 'Clean', 'Mean of 15', *titles], rows)}\n\n"
        f"{document['images']:,} images, the same for all; ±: half of the 95 % interval."
    )


PRESETS = {
    "quick": "trying it: most models on part of the images, networks for a few epochs",
    "standard": "everyday use",
    "best": "the shipped models",
}


def presets_table() -> str:
    """What each preset takes and gives."""
    document = read(RESULTS / "presets.json")
    rows = []
    for preset, purpose in PRESETS.items():
        if preset not in document:
            rows.append([f"`{preset}`", purpose, "not measured", "–", "–"])
            continue
        models = document[preset]["models"]
        rows.append(
            [
                f"`{preset}`",
                purpose,
                f"{document[preset]['seconds'] / 60:.0f} min",
                *(f"{models[name]['validation_accuracy']:.1%}" for name in ("cnn", "resnet")),
            ]
        )
    header = ["Preset", "For", "Fitting all", "`cnn` validation", "`resnet` validation"]
    return table(header, rows, words=2)


def _times(spread: dict[str, Any]) -> str:
    return f"**{spread['median']:.1f}×** ({spread['min']:.1f}–{spread['max']:.1f})"


def classify_table() -> str:
    """`fmnist classify` against the usual scripts and the limit of the machine."""
    document = read(RESULTS / "classify.json")
    rows = []
    for case in document["cases"].values():
        torch, pillow, reached = case["torch"], case["pillow"], case["roofline"]["reached"]
        rows.append(
            [
                f"{case['images']:,} {case['title']}",
                f"`{case['model']}`",
                f"{case['ours']['steady_images_per_s']['median']:,.0f}",
                f"**{reached['median']:.0%}** ({reached['min']:.0%}–{reached['max']:.0%})",
                *(_times(torch[figure]) for figure in ("times_steady", "times_whole")),
                *(_times(pillow[figure]) for figure in ("times_steady", "times_whole")),
            ]
        )
    header = ["Pictures", "Model", "Images per second", "Of the limit", "PyTorch, steady"]
    header += ["PyTorch, whole command", "Pillow, steady", "Pillow, whole command"]
    first = document["first_row"]
    times = first["times"]
    return (
        f"{table(header, rows, words=2)}\n\n"
        f"One picture from a cold start: {first['ours_s']['median']:.2f} s,"
        f" {times['median']:.2f} times ({times['min']:.2f}–{times['max']:.2f})"
        " the mere import of ONNX Runtime and numpy."
    )


def memory_table() -> str:
    """Peak memory of `fmnist classify`, all its processes together."""
    runs = read(RESULTS / "memory.json")["runs"]
    peaks = {(run["files"], run["model"], run["layout"]): run["pss_bytes"] for run in runs}
    columns = sorted({(model, layout) for _, model, layout in peaks})
    rows = [
        [f"{files:,}", *(f"{peaks[files, *column] / 1e6:.0f} MB" for column in columns)]
        for files in sorted({files for files, _, _ in peaks})
    ]
    layouts = {"flat": "one folder", "nested": "folders of 1,000"}
    return table(["Pictures", *(f"`{m}`, {layouts[layout]}" for m, layout in columns)], rows)


def summary_table() -> str:
    """One line for each shipped model."""
    photos = read(RESULTS / "photo.json")["validation"]["macro_accuracy"]
    rows = []
    for name, result in read(RESULTS / "bench.json")["models"].items():
        accuracy, timing = result["quality"], result["timing"]
        rows.append(
            [
                f"`{name}`",
                f"{accuracy['accuracy'] if accuracy else photos:.2%}",
                f"{result['file_bytes'] / 1e6:.2f} MB",
                f"{timing['latency']['p50_ms']:.2f} ms",
                f"{timing['images_per_s']:,.0f}",
            ]
        )
    return table(["Model", "Accuracy", "File", "One image", "Images per second"], rows)


def photo_table() -> str:
    """How good `photo` is on photos."""
    document = read(RESULTS / "photo.json")
    own, beside = document["validation"], document["beside"]["resnet"]
    held = read(ROOT / "exported" / "manifest.json")["models"]["photo"]["metrics"]
    held = held["cross-validation"]
    rows = [
        [
            folder,
            ", ".join(one["classes"]),
            f"{one['right']} of {one['images']}",
            f"{one['right'] / one['images']:.0%}",
            f"{beside['folders'][folder]['right'] / one['images']:.0%}",
        ]
        for folder, one in own["folders"].items()
        if one["right"] is not None
    ]
    means = (own["macro_accuracy"], beside["macro_accuracy"])
    rows.append(["mean over folders", "", "", *(f"**{mean:.1%}**" for mean in means)])
    header = ["Validation photos", "Right is", "Right", "`photo`", "`resnet`"]
    known, unknown = held["wrongly_unknown"], own["unknown"]
    return (
        f"{table(header, rows, words=2)}\n\n"
        f"A network that has not seen a third of the training photos has"
        f" {held['macro_accuracy']:.1%} there (mean over folders, {held['images']:,} photos),"
        f" calibration error {held['calibration_error']:.3f}. With `--unknown`, where 5 % are meant"
        " to be lost:"
        f" {known:.1%} of the known garments in this third were called unknown, by limits of one"
        f" half of them for the other, and {unknown['wrongly_unknown']:.1%} of the validation"
        f" photos; of {unknown['images']} hats, shorts and skirts {unknown['recognised']:.0%} were"
        " recognised."
    )


def shoes_table() -> str:
    """How often the type of a shoe is right."""
    shoes = read(RESULTS / "photo.json")["shoes"]
    rows = []
    for split, title in (
        ("validation", "not learnt from"),
        ("train", "learnt from, without types"),
    ):
        for kind, labels in shoes[split]["labels"].items():
            total = sum(labels.values())
            wrong = {label: count for label, count in labels.items() if label != kind}
            said = ", ".join(f"{label} {count}" for label, count in wrong.items()) or "–"
            rows.append([kind, title, f"{labels.get(kind, 0)} of {total}", said])
    return table(["Shoes", "Photos", "Right", "Taken for"], rows, words=2)


def features_table() -> str:
    """What features are worth for classes that nothing was trained for."""
    found = read(RESULTS / "photo.json")["features"]
    titles = {"photo": "`embedding` of `photo`", "imagenet": "ImageNet's own weights"}
    rows = [
        [title, *(f"{value['mean']:.1%} ± {value['deviation']:.1%}" for value in found[n].values())]
        for n, title in titles.items()
    ]
    return table(["Features", *(f"{shots} photos each" for shots in found["photo"])], rows)


def portability_table() -> str:
    """What other runtimes say of the shipped graphs."""
    document = read(RESULTS / "portability.json")
    runtimes = document["runtimes"]

    def cell(result: dict[str, Any]) -> str:
        if "fails" in result:
            return "cannot run it"
        same = f"{result['same_labels']:,}" if "same_labels" in result else "–"
        most = max(result["difference"].values())
        return f"{same} of {result['images']:,}; {f'{most:.0e}' if most else 0}"

    rows = [
        [f"`{name}`", *(cell(results[name]) for results in runtimes.values())]
        for name in document["graphs"]
    ]
    titles = {
        "reference": "Reference evaluator",
        "node": "onnxruntime-node",
        "openvino": "OpenVINO",
    }
    versions = document["versions"]
    heads = [f"{titles[name]} {versions[name]}" for name in runtimes]
    return (
        f"{table(['Graph', *heads], rows)}\n\n"
        f"Against ONNX Runtime {versions['onnxruntime']}, measured {document['date']}."
    )


TABLES = {
    "accuracy": accuracy_table,
    "seeds": seeds_table,
    "cost": cost_table,
    "robustness": robustness_table,
    "native": native_table,
    "presets": presets_table,
    "classify": classify_table,
    "memory": memory_table,
}
OF_PHOTO = {"photo": photo_table, "shoes": shoes_table, "features": features_table}
FILES = {
    "README.md": {"summary": summary_table},
    "docs/results.md": TABLES,
    "docs/photo.md": OF_PHOTO,
    "docs/portability.md": {"portability": portability_table},
    **research_tables.FILES,
    **scaling_tables.FILES,
}


def main() -> None:
    """Rewrite the files, or with --check fail when one would change."""
    for name, tables in FILES.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = render(before, tables)
        if "--check" in sys.argv[1:]:
            if before != after:
                raise SystemExit(f"{name} is not up to date")
        else:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
