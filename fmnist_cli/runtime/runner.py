"""Items → rows: decoding and inference overlapped in threads, order kept, memory bounded.

Each worker takes a chunk through read, decode, prepare and inference; OpenCV, ONNX Runtime
and file reading release the interpreter lock, so chunks run side by side. At most twice as
many chunks as workers exist at a time, and they are taken up in the order they were made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import cv2
import numpy as np

from fmnist_cli.contract import SIDE, Pixels, Probabilities
from fmnist_cli.errors import ImageError
from fmnist_cli.machine import available_cores
from fmnist_cli.prepare import prepare
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.rows import Candidate, Prediction, Rejected, Row
from fmnist_cli.runtime.sources.base import Item

Infer = Callable[[Pixels], Probabilities]


def classify_chunk(
    items: Sequence[Item], infer: Infer, class_names: Sequence[str], mode: str, top_k: int
) -> list[Row]:
    """One row per item, in order; the unit of work of a thread."""
    rows: list[Row | None] = [None] * len(items)
    frames = np.empty((len(items), SIDE, SIDE), dtype=np.uint8)
    good: list[tuple[int, str]] = []  # position among the items, preparation
    for position, item in enumerate(items):
        try:
            frame, prepared = prepare(decode(item.read()), mode)
        except ImageError as error:
            rows[position] = Rejected(item.path, str(error))
        except (MemoryError, cv2.error) as error:
            # Too large for this machine, or a shape that OpenCV will not resize.
            rows[position] = Rejected(item.path, f"cannot be prepared: {error or 'out of memory'}")
        else:
            frames[len(good)] = frame
            good.append((position, prepared))
    if good:
        probabilities = infer(frames[: len(good)])
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k].tolist()
        for (position, prepared), values, ranks in zip(
            good, probabilities.tolist(), order, strict=True
        ):
            top = tuple(Candidate(class_names[i], round(values[i], 6)) for i in ranks)
            rows[position] = Prediction(
                path=items[position].path,
                class_id=ranks[0],
                label=top[0].label,
                confidence=top[0].probability,
                top=top,
                prepared=prepared,
            )
    return [row for row in rows if row is not None]


def classify_items(
    items: Iterable[Item],
    infer: Infer,
    class_names: Sequence[str],
    *,
    mode: str = "auto",
    top_k: int = 3,
    batch_size: int = 64,
    workers: int | None = None,
) -> Generator[list[Row], None, None]:
    """Lists of rows, in the order of `items`, one row for each.

    Args:
        items: read lazily, a few chunks ahead.
        infer: uint8 [N, 28, 28] → float32 [N, classes]; called from several threads.
        mode: one of `fmnist_cli.prepare.MODES`.
        top_k: candidates per row.
        batch_size: items per chunk.
        workers: threads; the available cores by default.
    """
    workers = workers or available_cores()
    stream = iter(items)
    pending: deque[Future[list[Row]]] = deque()
    executor = ThreadPoolExecutor(workers, thread_name_prefix="classify")
    try:
        while True:
            while len(pending) < 2 * workers and (chunk := list(islice(stream, batch_size))):
                pending.append(
                    executor.submit(classify_chunk, chunk, infer, class_names, mode, top_k)
                )
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
