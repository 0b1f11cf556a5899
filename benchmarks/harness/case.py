"""One model on one set: ours, the peers and the limit, in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fmnist_cli.models.registry import get_spec
from harness.labels import agreement, labels_of
from harness.rounds import Command, Run, Spread, interleave, ratio, run
from harness.sets import Pictures

WORKERS = (0, 1, 2, 4)  # of the DataLoader; the fastest is taken
TUNING_ROUNDS = 2
OUTPUTS = ("whole", "steady", "torch", "pillow")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all cases of a measurement share.

    Attributes:
        ours: the interpreter that our command runs in.
        peers: the interpreter that the peers run in.
        work: folder for outputs and weights.
        cores: that this process may use.
        pairs: rounds.
        report: told of each step.
    """

    ours: str
    peers: str
    work: Path
    cores: int
    pairs: int
    report: Callable[[str], None]


def commands(
    model: str, onnx: Path, pictures: Pictures, setting: Setting, workers: int
) -> dict[str, Command]:
    """The command line of each contender. Neighbours in this order are neighbours in time."""
    folder, work = pictures.folder, setting.work
    of_pictures = get_spec(model).framework == "pictures"
    mode = "auto" if of_pictures else pictures.mode  # how a card's own preparation is called
    ours: Command = [setting.ours, "-m"]
    peers: Command = [setting.peers, "-m"]
    options = ["-m", model, "--prepare", mode, "-q"]
    rows = {name: work / f"{name}.jsonl" for name in OUTPUTS}
    loader: Command = [work / f"{model}.pt", model, rows["torch"], "--workers", str(workers)]
    return {
        "torch": [*peers, "peers.torch_loader", folder, *loader],
        "whole": [*ours, "fmnist_cli", "classify", folder, "-o", rows["whole"], *options],
        "steady": [*ours, "peers.ours", folder, rows["steady"], *options],
        "roofline": [*ours, "peers.roofline", folder, model, mode],
        "pillow": [*peers, "peers.pillow_onnx", folder, onnx, rows["pillow"]],
    }


def tune(candidates: Mapping[int, Command], setting: Setting) -> dict[int, float]:
    """Steady seconds of the DataLoader peer with each number of workers, the best of some runs."""
    contenders = {str(count): partial(run, command) for count, command in candidates.items()}
    runs = interleave(contenders, min(TUNING_ROUNDS, setting.pairs), lambda _line: None)
    seconds = {
        int(count): min(one.report["seconds"] for one in taken) for count, taken in runs.items()
    }
    times = ", ".join(f"{count}: {value:.2f} s" for count, value in seconds.items())
    setting.report(f"  workers of the DataLoader: {times}")
    return seconds


def figures(runs: Mapping[str, Sequence[Run]], images: int, cores: int) -> dict[str, Any]:
    """Rates in images per second, and ratios above 1 where ours is faster."""
    whole = [one.wall_s for one in runs["whole"]]
    steady = [one.report["seconds"] for one in runs["steady"]]
    rates = [images / seconds for seconds in steady]

    def core_us(name: str) -> list[float]:
        """Core-microseconds per image of a pass."""
        return [1e6 * one.report[name] / images for one in runs["roofline"]]

    def limit(suffix: str) -> list[float]:
        both = zip(core_us(f"decode_{suffix}"), core_us(f"inference_{suffix}"), strict=True)
        return [1e6 * cores / (decode + inference) for decode, inference in both]

    result: dict[str, Any] = {
        "ours": {
            "whole_s": Spread.of(whole).to_json(),
            "steady_images_per_s": Spread.of(rates).to_json(),
        },
        "roofline": {
            "decode_us": Spread.of(core_us("decode_seconds")).to_json(),
            "inference_us": Spread.of(core_us("inference_seconds")).to_json(),
            "limit_images_per_s": Spread.of(limit("seconds")).to_json(),
            "reached": ratio(rates, limit("seconds")).to_json(),
            # With passes that had the machine for themselves, which both cores at work never have.
            "limit_alone_images_per_s": Spread.of(limit("seconds_alone")).to_json(),
            "reached_alone": ratio(rates, limit("seconds_alone")).to_json(),
        },
    }
    for peer in ("torch", "pillow"):
        # A peer's own warm-up, which its timed part needs, is no part of the whole command.
        peer_whole = [one.wall_s - one.report["warm_up"] for one in runs[peer]]
        peer_steady = [one.report["seconds"] for one in runs[peer]]
        result[peer] = {
            "whole_s": Spread.of(peer_whole).to_json(),
            "steady_images_per_s": Spread.of([images / s for s in peer_steady]).to_json(),
            "times_whole": ratio(peer_whole, whole).to_json(),
            "times_steady": ratio(peer_steady, steady).to_json(),
        }
    return result


def measure(model: str, onnx: Path, pictures: Pictures, setting: Setting) -> dict[str, Any]:
    """All figures of one case."""
    limit = [] if pictures.tune_on is None else ["--limit", str(pictures.tune_on)]
    candidates = {
        workers: [*commands(model, onnx, pictures, setting, workers)["torch"], *limit]
        for workers in WORKERS
    }
    for path in pictures.folder.rglob("*"):  # into the file cache
        if path.is_file():
            path.read_bytes()
    tuning = tune(candidates, setting)
    workers = min(tuning, key=tuning.__getitem__)
    chosen = commands(model, onnx, pictures, setting, workers)
    runs = interleave(
        {name: partial(run, command) for name, command in chosen.items()},
        setting.pairs,
        setting.report,
    )
    outputs = {name: labels_of(setting.work / f"{name}.jsonl") for name in OUTPUTS}
    if len(outputs["whole"]) != pictures.images or outputs["whole"] != outputs["steady"]:
        raise SystemExit(f"{len(outputs['whole'])} rows for {pictures.images} pictures")
    return {
        "model": model,
        "set": pictures.name,
        "title": pictures.title,
        "images": pictures.images,
        "prepare": pictures.mode,
        "torch_workers": workers,
        "torch_threads": runs["torch"][0].report["threads"],
        "tuning_s": {str(key): round(value, 4) for key, value in tuning.items()},
        "labels_as_torch": agreement(outputs["whole"], outputs["torch"]),
        "labels_as_pillow": agreement(outputs["whole"], outputs["pillow"]),
        **figures(runs, pictures.images, setting.cores),
    }
