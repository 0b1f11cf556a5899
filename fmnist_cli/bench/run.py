"""Measuring several models side by side.

What does not depend on the machine's mood is measured once per model; time in rounds, in which
every model has one turn (`rounds`); then each graph against its native model, and the whole
command on the user's pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from fmnist_cli.bench import speedup
from fmnist_cli.bench.endtoend import ROUNDS, EndToEnd, Labelled, Pictures, label_folder
from fmnist_cli.bench.intervals import Estimate, estimate
from fmnist_cli.bench.latency import Infer
from fmnist_cli.bench.macs import count_macs
from fmnist_cli.bench.memory import peak_memory_bytes
from fmnist_cli.bench.pixels import timed_pixels
from fmnist_cli.bench.plan import Candidate, Plan
from fmnist_cli.bench.quality import Quality, measure_quality
from fmnist_cli.bench.rounds import take_rounds
from fmnist_cli.bench.speedup import Native
from fmnist_cli.bench.turns import Timing, interleave, summarise
from fmnist_cli.contract import Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import of_data_set
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session

NOISE_LIMIT = 1.3  # spread over rounds from which timings are not to be trusted

Say = Callable[[str], object]


class NativeModel(NamedTuple):
    """A model in the framework that made it: the framework's name, and a call."""

    framework: str
    infer: Infer


# Raises ModelError with the reason where there is none.
FindNative = Callable[[ModelFile], NativeModel]


@dataclass(frozen=True, slots=True)
class Result:
    """Accuracy and cost of one model.

    Attributes:
        title: name for people.
        sha256: of the file.
        file_bytes: its size.
        parameters: numbers the graph holds; None for a file without a manifest.
        macs: multiply-adds per image.
        peak_memory_bytes: of a process that loads and runs it; None where the system does
            not tell.
        peak_memory_interval: over several such processes.
        of_data_set: whether it can have a `quality`: it takes the data set's images and has its
            classes.
        quality: None where it could not be measured.
        timing: what it costs.
        native: against the framework it came from; None where that is not there.
        end_to_end: `fmnist classify` on the user's pictures; None if not asked for.
    """

    title: str
    sha256: str
    file_bytes: int
    parameters: int | None
    macs: int
    peak_memory_bytes: int | None
    peak_memory_interval: Estimate | None
    of_data_set: bool
    quality: Quality | None
    timing: Timing
    native: Native | None = None
    end_to_end: EndToEnd | None = None


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with a number: ``a, b, a`` → ``a, b, a #2``."""
    result: list[str] = []
    for name in names:
        unique, count = name, 1
        while unique in result:
            count += 1
            unique = f"{name} #{count}"
        result.append(unique)
    return result


def noisy_models(results: Mapping[str, Result], limit: float = NOISE_LIMIT) -> list[str]:
    """Names of the models whose timings differ between rounds by more than the limit."""
    return [name for name, result in results.items() if result.timing.spread > limit]


def run(
    candidates: Sequence[Candidate],
    plan: Plan,
    images: LabelledImages | None,
    *,
    find_native: FindNative | None = None,
    pictures: Pictures | None = None,
    on_step: Say = lambda _: None,
    on_missing: Callable[[str, str], object] = lambda _name, _reason: None,
) -> dict[str, Result]:
    """Measure all models, in the order given.

    Args:
        candidates: with unique names.
        plan: how to measure time.
        images: the test split; without it there is no accuracy, and timing uses noise.
        find_native: reads native models; None to leave them out.
        pictures: what to label with the whole command; None to leave that out.
        on_step: told what happens next.
        on_missing: told which model could not be compared with its native one, and why.

    Raises:
        ModelError: a file is no usable model.
        DataError: the pictures cannot be labelled.
    """
    pixels: dict[str, Pixels] = {}
    plans: dict[str, Plan] = {}
    known: dict[str, bool] = {}
    quality: dict[str, Quality | None] = {}
    macs: dict[str, int] = {}
    for candidate in candidates:
        on_step(f"{candidate.name}: accuracy")
        session = Session(candidate.file, plan.threads)  # unusable files show before time is spent
        frames = None if images is None else images.pixels
        pixels[candidate.name] = timed_pixels(session.spec, frames)
        plans[candidate.name] = plan.bounded(pixels[candidate.name][0].nbytes)
        known[candidate.name] = of_data_set(session.card)
        quality[candidate.name] = None if images is None else measure_quality(session, images)
        del session
        macs[candidate.name] = count_macs(candidate.file)
    memory = {}
    for candidate in candidates:
        on_step(f"{candidate.name}: memory")
        memory[candidate.name] = _memory(candidate, plans[candidate.name])

    turns = take_rounds(candidates, plan, pixels, on_step)
    natives: dict[str, Native] = {}
    if find_native is not None:
        for candidate in candidates:
            on_step(f"{candidate.name}: native model")
            shown, bounded = pixels[candidate.name], plans[candidate.name]
            try:
                native = find_native(candidate.file)
                difference = _parity(candidate, bounded, native, shown, images is not None)
            except ModelError as error:
                on_missing(candidate.name, str(error))
            else:
                natives[candidate.name] = _compare(candidate, bounded, native, difference, shown)
    labelled = {} if pictures is None else _label(candidates, plan, pictures, on_step)

    results: dict[str, Result] = {}
    for candidate in candidates:
        name, file = candidate.name, candidate.file
        peak = memory[name]
        results[name] = Result(
            title=file.entry.title if file.entry else file.name,
            sha256=file.sha256,
            file_bytes=len(file.content),
            parameters=file.entry.parameters if file.entry else None,
            macs=macs[name],
            peak_memory_bytes=round(peak.median) if peak else None,
            peak_memory_interval=peak,
            of_data_set=known[name],
            quality=quality[name],
            timing=summarise(turns[name], plan.threads),
            native=natives.get(name),
            end_to_end=labelled.get(name),
        )
    return results


def _memory(candidate: Candidate, plan: Plan) -> Estimate | None:
    path, largest = candidate.file.path, max(plan.batch_sizes)
    peaks = [peak_memory_bytes(path, plan.threads, largest) for _ in range(plan.memory_runs)]
    known = [float(peak) for peak in peaks if peak is not None]
    return estimate(known) if known else None


def _parity(
    candidate: Candidate, plan: Plan, model: NativeModel, pixels: Pixels, real: bool
) -> float:
    """How far the graph and its native model differ in a probability.

    Raises:
        ModelError: they differ by more than the graph's card allows on real images, so the model
            that was found is another one.
    """
    session = Session(candidate.file, plan.threads)
    tolerance = session.card.tolerance
    some = pixels[: speedup.PARITY_IMAGES]
    difference = speedup.parity(model.infer, session, some, max(plan.batch_sizes))
    # Noise is nothing that the tolerance was set for.
    if real and not difference <= tolerance:
        raise ModelError(
            f"it differs from the graph by {difference:.1e} in a probability, more than"
            f" {tolerance:.1e}; export it again"
        )
    return difference


def _compare(
    candidate: Candidate, plan: Plan, model: NativeModel, difference: float, pixels: Pixels
) -> Native:
    """The graph against its native model, from which it differs that much."""
    session = Session(candidate.file, plan.threads)
    faster = {
        size: speedup.speed_up(model.infer, session, pixels, size)
        for size in sorted({1, max(plan.batch_sizes)})
    }
    images = len(pixels[: speedup.PARITY_IMAGES])
    return Native(model.framework, images, difference, session.card.tolerance, faster)


def _label(
    candidates: Sequence[Candidate], plan: Plan, pictures: Pictures, on_step: Say
) -> dict[str, EndToEnd]:
    def turn(candidate: Candidate) -> Labelled:
        on_step(f"{candidate.name}: labelling {pictures.folder}")
        return label_folder(pictures, candidate.file.path, plan.threads)

    turn(candidates[0])  # puts the files into the system's cache
    runs = interleave({c.name: partial(turn, c) for c in candidates}, ROUNDS)
    return {
        name: EndToEnd(
            images=found[0].images,
            rejected=found[0].rejected,
            images_per_s=estimate([one.images / one.seconds for one in found]),
        )
        for name, found in runs.items()
    }
