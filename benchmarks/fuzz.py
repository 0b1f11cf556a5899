"""Whatever the bytes, there is a row or an error for people: never another exception, in bounds.

Run: python benchmarks/fuzz.py [--minutes 60] [--targets decode zip …] [--first SEED] [--keep DIR]

Every input follows from a seed: an example of a target, edited. `--first SEED --count 1` does one
again. Inputs run in a process of its own, which is started again when an input ends it, by a
fault of native code or by taking more than `CPU` seconds or `MEMORY` bytes.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import idxfiles
import kindsamples
import packing
from pictures import encoded, frame

from fmnist_cli.contract import InputSpec, ModelCard
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.errors import FmnistError, ImageError
from fmnist_cli.journal import Record, record_path
from fmnist_cli.machine import bounded_memory
from fmnist_cli.manifest import MANIFEST_FILE, Manifest
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.sinks import open_line_format
from fmnist_cli.sources import open_sources

CPU = 10  # seconds for an input
MEMORY = 1 << 30  # bytes that an input may add
CHUNK = 500  # inputs for a process
_PIXELS = 4_000_000  # what is above is rejected by its header
_BYTES = 16 << 20
_ITEMS = 100_000  # more from a file of a few KB are endless

FRAMES = InputSpec(28, 28, "grey", "auto")
PHOTOS = InputSpec(224, 224, "rgb", "letterbox")

Target = Callable[[bytes, Path], object]
Edit = tuple[int, int, bytes]  # position in thousandths of the input, length, new content

# Numbers that readers stumble over, of every width and order.
_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
INTERESTING = sorted(
    {
        part
        for number in (*_NUMBERS, 2**63, 2**64 - 1)
        for size in (1, 2, 4, 8)
        for part in (
            number.to_bytes(8, "big")[-size:],
            number.to_bytes(8, "little")[:size],
        )
    }
)


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """`data` with parts replaced, one after the other."""
    for position, length, content in edits:
        start = position * len(data) // 1000
        data = data[:start] + content + data[start + length :]
    return data


def drawn(data: bytes, others: Sequence[bytes], rng: random.Random) -> list[Edit]:
    """Some edits: numbers, flipped bits, parts taken out, doubled, or of another example."""
    edits: list[Edit] = []
    for _ in range(rng.choice((1, 1, 2, 3, 5, 20))):
        position = rng.randrange(1000)
        if rng.random() < 0.7:  # most of what decides is at the start
            position = min(999, int(rng.expovariate(1 / 80)))
        start = position * len(data) // 1000
        length, content = rng.choice((0, 1, 4)), rng.randbytes(rng.choice((1, 4, 16)))
        match rng.randrange(6):
            case 0:
                content = rng.choice(INTERESTING)
                length = len(content)
            case 1:
                content = bytes(byte ^ 1 << rng.randrange(8) for byte in data[start : start + 1])
                length = 1
            case 2:
                length, content = rng.choice((1, 4, 100, len(data))), b""
            case 3:
                part = data[start : start + rng.choice((4, 12, 64, 1000))]
                length, content = 0, part * rng.choice((1, 2, 50))
            case 4:
                other = rng.choice(others)
                place = rng.randrange(len(other))
                length, content = rng.choice((0, 8, 500)), other[place:][: rng.choice((8, 500))]
        edits.append((position, length, content))
    return edits


def summed(data: bytes) -> bytes:
    """A PNG with right checksums, so that what lies behind them is reached; others as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    made = bytearray(data)
    place = 8
    while place + 12 <= len(made):
        end = place + 8 + int.from_bytes(made[place : place + 4], "big")
        made[end : end + 4] = zlib.crc32(made[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(made)


# Targets: what reads a file, and examples of such files.


@cache
def _framing() -> Framing:
    return Framing(FRAMES, PHOTOS, max_pixels=_PIXELS, max_bytes=_BYTES)


def decode(data: bytes, _folder: Path) -> None:
    """A picture, decoded and prepared for two models."""
    picture = _framing().picture(data)
    for spec in (FRAMES, PHOTOS):
        pixels, _ = _framing().pixels(picture, spec)
        if pixels.shape != spec.shape or pixels.dtype != np.uint8:
            raise AssertionError(f"{pixels.shape} of {pixels.dtype}")


def source(name: str) -> Target:
    """A file of many pictures, of which every item is read."""

    def read(data: bytes, folder: Path) -> None:
        path = folder / name
        path.write_bytes(data)
        for number, item in enumerate(open_sources([path])):
            if number > _ITEMS:
                raise AssertionError("endless items")
            item.signature()
            with suppress(ImageError):
                item.head()
                item.read(_BYTES)

    return read


def listing(data: bytes, folder: Path) -> None:
    """A list of paths."""
    (folder / "list").write_bytes(data)
    for item in open_sources([], listing=str(folder / "list")):
        with suppress(ImageError):
            item.head()


def record(data: bytes, folder: Path) -> None:
    """The record of a run."""
    target = folder / "rows.jsonl"
    record_path(target).write_bytes(data)
    Record.read(target)


def rows(kind: str) -> Target:
    """Rows that are read back."""

    def read(data: bytes, folder: Path) -> None:
        path = folder / f"rows.{kind}"
        path.write_bytes(data)
        for _ in open_line_format(kind, 3).read(path):
            pass

    return read


def manifest(data: bytes, folder: Path) -> None:
    """The manifest of a folder of models."""
    (folder / MANIFEST_FILE).write_bytes(data)
    Manifest.read(folder)


def card(data: bytes, _folder: Path) -> None:
    """The card in a model file: names and texts."""
    texts = data.decode("utf-8", "replace").split("\0")
    with suppress(KeyError, ValueError, TypeError):  # as it says; others make errors of them
        ModelCard.from_metadata(dict(zip(texts[::2], texts[1::2], strict=False)))


@cache
def examples() -> dict[str, tuple[Target, list[bytes]]]:
    """For each target what it reads, before that is edited."""
    files = {f"{i}.png": encoded(frame(i)) for i in range(3)}
    files["a/b.jpg"] = encoded(frame(9), "JPEG")
    shown = [sample.make()[0] for sample in kindsamples.SAMPLES.values() if sample.available]
    row = (
        b'{"path":"a.png","status":"ok","class_id":3,"label":"Dress","confidence":0.9,"top":'
        b'[{"label":"Dress","probability":0.9}],"prepared":"frame","error":null,"model":null}\n'
    )
    limits = {"0.95": 1.0}
    about = ModelCard("m", "M", "0", ("a", "b"), "0", 0, "full", 0.5, 1.0, 1e-4, FRAMES, limits)
    texts = [text for pair in about.to_metadata().items() for text in pair]
    shipped = Path(__file__).resolve().parents[1] / "exported" / MANIFEST_FILE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def made(pack: Callable[..., object], file: str, *more: object) -> bytes:
            pack(files, folder / file, *more)
            return (folder / file).read_bytes()

        def as_idx(_files: packing.Files, path: Path) -> None:
            idxfiles.write_idx(path, np.stack([frame(i) for i in range(3)]))

        packed = {
            "zip": [made(packing.as_zip, "a.zip"), made(packing.as_zip, "b.zip", 0)],
            "tar": [made(packing.as_tar, f"{form}.tar", form) for form in range(3)],
            "tar.gz": [made(packing.as_tar, "a.tar.gz")],
            "parquet": [made(packing.as_parquet, "a.parquet")],
            "idx": [made(as_idx, "x"), made(as_idx, "x.gz")],
        }
    targets: dict[str, tuple[Target, list[bytes]]] = {"decode": (decode, shown)}
    targets |= {name: (source(f"x.{name}"), data) for name, data in packed.items()}
    return targets | {
        "list": (listing, [b"a.png\nb/c.png\r\n", "\u00e9.png\n".encode("utf-16")]),
        "record": (record, [json.dumps(Record({"a": 1}, counts={"total": 3}).to_json()).encode()]),
        "jsonl": (rows("jsonl"), [row * 2]),
        "csv": (rows("csv"), [b"path,status,class_id,label,confidence\na.png,ok,3,Dress,0.9\n"]),
        "manifest": (manifest, [shipped.read_bytes()]),
        "card": (card, ["\0".join(texts).encode()]),
    }


def input_of(name: str, seed: int) -> bytes:
    """The input of a seed."""
    rng = random.Random(f"{name} {seed}")  # noqa: S311 - there is nothing to be kept secret
    known = examples()[name][1]
    data = rng.choice(known)
    data = edited(data, drawn(data, known, rng))
    return summed(data) if rng.random() < 0.7 else data


def check(name: str, data: bytes, folder: Path) -> None:
    """Let a target read this; whatever it raises but errors for people is a fault."""
    with suppress(FmnistError, ImageError):
        examples()[name][0](data, folder)


# Hours of it.


def _work(names: Sequence[str], first: int, count: int, state: mmap.mmap) -> int:
    """Inputs one after the other, the number of the last in `state`; 0, or what went wrong."""
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    with (
        tempfile.TemporaryDirectory() as folder,
        libraries_quiet(),
        bounded_memory(MEMORY // 2),  # as in a run
    ):
        peak = 0
        for seed in range(first, first + count):
            name = names[seed % len(names)]
            state[:8] = struct.pack("<Q", seed)
            signal.setitimer(signal.ITIMER_VIRTUAL, CPU)
            try:
                check(name, input_of(name, seed), Path(folder))
            except BaseException:  # it is what is looked for
                text = traceback.format_exc()[-3000:].encode(errors="replace")
                state[8 : 8 + len(text)] = text
                return 3
            now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if peak and now - peak > MEMORY:
                return 4
            peak = max(peak, now)
    return 0


def _cpu() -> float:
    """Seconds of CPU that the processes that ended so far have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fuzz(
    names: Sequence[str], first: int, count: int, seconds: float, keep: Path | None = None
) -> tuple[int, dict[str, list[int]]]:
    """How many inputs were read, and the seeds of those that failed, by what happened."""
    examples()
    state = mmap.mmap(-1, 4096)
    found: dict[str, list[int]] = {}
    started = _cpu()
    seed = first
    while seed < first + count and _cpu() - started < seconds:
        state[:] = bytes(4096)
        some = min(CHUNK, first + count - seed)
        child = os.fork()
        if not child:
            code = 5
            try:
                code = _work(names, seed, some, state)
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if not code:
            seed += some
            continue
        (seed,) = struct.unpack("<Q", state[:8])
        name = names[seed % len(names)]
        text = state[8:].rstrip(b"\0").decode(errors="replace").strip()
        words = {3: text.rpartition("\n")[2], 4: "memory", -signal.SIGVTALRM: "time"}
        what = f"{name}: {words.get(code, f'exit code {code}')}"[:200]
        if what not in found:
            sys.stdout.write(f"seed {seed}: {what}\n{text}\n")
            sys.stdout.flush()
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name}-{seed}").write_bytes(input_of(name, seed))
        found.setdefault(what, []).append(seed)
        seed += 1
    return seed - first, found


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 where anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60, help="of CPU")
    parser.add_argument("--targets", nargs="+", choices=list(examples()), default=list(examples()))
    parser.add_argument("--first", type=int, default=0, help="seed of the first input")
    parser.add_argument("--count", type=int, default=10**12, help="inputs at most")
    parser.add_argument("--keep", type=Path, help="folder for inputs that failed")
    asked = parser.parse_args(arguments)
    tried, found = fuzz(asked.targets, asked.first, asked.count, asked.minutes * 60, asked.keep)
    print(f"{tried:,} inputs in {_cpu():,.0f} s of CPU, {len(found)} kinds of faults")
    for what, seeds in sorted(found.items()):
        print(f"  {len(seeds):,} × {what}; seeds {seeds[:3]}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
