"""`fmnist classify --prepare photo` with GrabCut in the place of the network that isolates.

Run: python -m peers.grabcut FOLDER MODEL [--limit N]

Everything else is the same: the reader, the decoder, the pool of processes, the preparation, the
model. On standard output: images, and images per second from the opening of the model on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import cv2

from fmnist_cli.cores import available_cores
from fmnist_cli.isolate.grabcut import grabcut
from fmnist_cli.runtime.classifier import Classifier, Settings
from fmnist_cli.runtime.pool import default_engine, ordered_map
from fmnist_cli.runtime.rows import Rejected, Row
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.sources import Item, open_source
from fmnist_cli.runtime.store import open_model


def main(arguments: Sequence[str] | None = None) -> None:
    """Label the folder once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("model")
    parser.add_argument("--limit", type=int, default=None)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    started = time.perf_counter()
    session = Session(open_model(options.model))
    classifier = Classifier(
        session, session.card.class_names, Settings(mode="photo"), isolate=grabcut
    )

    def lost(item: Item, end: str) -> list[Row]:
        return [Rejected(item.path, end)]

    chunks = ordered_map(
        classifier,
        islice(iter(open_source(options.folder)), options.limit),
        lost=lost,
        workers=available_cores(),
        engine=default_engine(),
    )
    with closing(chunks):
        images = sum(len(rows) for rows in chunks)
    seconds = time.perf_counter() - started
    print(json.dumps({"images": images, "images_per_s": images / seconds}))


if __name__ == "__main__":
    main()
