"""Rounds of turns, each round in a process of its own.

How fast a model is differs between processes by more than between calls: where its memory lies
and on which cores its threads begin is settled once per process. Rounds within one process share
that, and their interval would leave it out (Kalibera and Jones 2013, "Rigorous Benchmarking in
Reasonable Time": repeat at the highest level that varies).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_cli.bench.child import last_words, run_python
from fmnist_cli.bench.latency import Latency
from fmnist_cli.bench.plan import Candidate, Plan
from fmnist_cli.bench.turns import Turn, take_turn
from fmnist_cli.contract import Pixels
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session


def take_rounds(
    candidates: Sequence[Candidate],
    plan: Plan,
    pixels: Mapping[str, Pixels],
    on_step: Callable[[str], object] = lambda _: None,
) -> dict[str, list[Turn]]:
    """One turn per round for every model; the order turns round each time.

    So no model always has the same neighbour before it, and a machine that gets slower or faster
    does so for all of them.

    Args:
        candidates: graphs that a `Session` accepted.
        plan: how time is measured.
        pixels: for each model's name the images that calls are made of, uint8 [N, …].
        on_step: told what happens next.

    Raises:
        ModelError: a round's process failed.
    """
    turns: dict[str, list[Turn]] = {candidate.name: [] for candidate in candidates}
    with tempfile.TemporaryDirectory() as folder:
        asked = []
        for number, candidate in enumerate(candidates):
            images = Path(folder) / f"{number}.npy"
            np.save(images, pixels[candidate.name])
            asked.append((str(candidate.file.path), str(images)))
        for number in range(plan.rounds):
            on_step(f"latency and throughput: round {number + 1} of {plan.rounds}")
            step = 1 if number % 2 == 0 else -1
            found = _in_process(asked[::step], plan)
            for candidate, turn in zip(candidates[::step], found, strict=True):
                turns[candidate.name].append(turn)
    return turns


def _in_process(models: Sequence[tuple[str, str]], plan: Plan) -> list[Turn]:
    asked = {"models": models, "plan": asdict(plan)}
    program = f"from {__name__} import main; main()"
    done = run_python(program, json.dumps(asked))
    if done.returncode:
        raise ModelError(
            f"a round of timing ended with exit code {done.returncode}: {last_words(done)}"
        )
    return [turn_of(turn) for turn in json.loads(done.stdout)]


def turn_of(values: Mapping[str, Any]) -> Turn:
    """The turn whose fields went through JSON, where every key is text."""
    return Turn(
        load_s=values["load_s"],
        latency=Latency(**values["latency"]),
        images_per_s={
            int(threads): {int(size): rate for size, rate in by_size.items()}
            for threads, by_size in values["images_per_s"].items()
        },
    )


def main() -> None:
    """The child: one turn for each file, in the order given, as JSON on standard output."""
    asked = json.loads(sys.argv[1])
    values = asked["plan"]
    plan = Plan(**{**values, "batch_sizes": tuple(values["batch_sizes"])})
    turns = []
    for path, images in asked["models"]:
        pixels = np.load(images)
        bounded = plan.bounded(pixels[0].nbytes)
        turns.append(take_turn(partial(_load, Path(path)), pixels, bounded))
    json.dump([asdict(turn) for turn in turns], sys.stdout)


def _load(path: Path, threads: int) -> Session:
    return Session(ModelFile.of(path.stem, path, path.read_bytes()), threads)
