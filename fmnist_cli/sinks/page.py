"""The page of `classify`: counts, confidence, and pictures whose labels can be corrected on it.

Memory is bounded: the page holds so many pictures at most, as thumbnails, which are made only
for those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from fmnist_cli.contract import UNKNOWN, InputSpec, ModelCard, Prediction, Rejected, Row
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import MAX_PIXELS
from fmnist_cli.files import check_target, whole_file, writing
from fmnist_cli.html.contact_sheet import Card, Thumbnails
from fmnist_cli.html.page import render
from fmnist_cli.machine import available_cores
from fmnist_cli.sinks.base import FileSink
from fmnist_cli.sources.items import MAX_BYTES, Item

_BINS = 20  # of the confidence, 0 to 1
_LOWEST_BAR = 1.0  # percent of the histogram's height: one picture among millions is still seen
_MAX_REJECTED = 200
_MAX_PICTURES = 10_000  # on the page: some 30 MB, which a browser opens in a second or two
_FOREMOST = 28  # shown where scripts do not run

# Heap order, which is the negative of confidence and row number; the row; how it is shown.
Entry = tuple[tuple[float, int], Prediction, Card]


@dataclass(slots=True)
class _Label:
    """The pictures of one label.

    Attributes:
        count: how many there are.
        sum: of their confidence.
        unsure: heap of the least sure, the surest of them first.
    """

    count: int = 0
    sum: float = 0.0
    unsure: list[Entry] = field(default_factory=list)


class PageSink(FileSink):
    """Pictures, the least sure first, with counts and a histogram of the confidence.

    Files are read while rows are written, so this comes before a sink that moves them.
    """

    wants_items = True

    def __init__(
        self,
        path: Path,
        card: ModelCard,
        specs: Mapping[str | None, InputSpec] | None = None,
        *,
        most: int = _MAX_PICTURES,
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
        mode: str = "auto",
    ) -> None:
        """All pictures are on the page; of more than `most`, the least sure of each label.

        Args:
            card: of the model.
            specs: what each model wants, by the name it has in rows, where there are several.
            mode: with which the rows were made.

        Raises:
            UsageError: the file cannot be made.
        """
        self._path = check_target(path)
        self._most = most
        specs = specs or {None: card.input or FRAME_SPEC}
        self._thumbnails = Thumbnails(specs, mode, max_pixels, max_bytes)
        self._card = card
        self._all_frames = True
        self._labels = {name: _Label() for name in (*card.class_names, UNKNOWN)}
        self._bins = [0] * _BINS
        self._total = self._rejected = self._kept = 0
        self._reasons: list[Rejected] = []

    @contextmanager
    def _open(self) -> Iterator[None]:
        with whole_file(self._path) as partial:
            with ThreadPoolExecutor(available_cores()) as self._threads:
                yield
            with writing(partial), partial.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(self._page())

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Count some rows, and keep the pictures that may be among the least sure."""
        candidates: list[tuple[tuple[float, int], Prediction, Item]] = []
        deepest = max(len(label.unsure) for label in self._labels.values())
        for row, item in zip(rows, items, strict=True):
            self._total += 1
            if not isinstance(row, Prediction):
                self._rejected += 1
                if len(self._reasons) < _MAX_REJECTED:
                    self._reasons.append(row)
                continue
            self._all_frames &= row.prepared == "frame"
            self._bins[min(int(row.confidence * _BINS), _BINS - 1)] += 1
            label = self._labels.setdefault(row.label, _Label())
            label.count += 1
            label.sum += row.confidence
            order = (-row.confidence, -self._total)  # of equally sure ones the earlier one stays
            if (
                self._kept + len(candidates) < self._most
                or len(label.unsure) < deepest
                or order > label.unsure[0][0]
            ):
                candidates.append((order, row, item))
        for entry in self._threads.map(self._entry, candidates):
            heappush(self._labels[entry[1].label].unsure, entry)
            self._kept += 1
            if self._kept > self._most:  # the label that has the most there loses its surest
                largest = max(self._labels.values(), key=lambda label: len(label.unsure))
                heappop(largest.unsure)
                self._kept -= 1

    def _entry(self, candidate: tuple[tuple[float, int], Prediction, Item]) -> Entry:
        order, row, item = candidate
        # The runner-up; of an unknown picture, which has no label of its own, the two best.
        named = bool(row.top) and row.top[0].label == row.label
        others = [f"{one.label} {one.probability:.1%}" for one in row.top[named:2]]
        card = Card(
            self._thumbnails(item, row.path, row.prepared, row.model),
            verdicts=[(row.label, "" if row.label == UNKNOWN else f"{row.confidence:.1%}")],
            notes=[" · ".join(others) or "no runner-up"],
            path=row.path if row.model is None else f"{row.path} · {row.model}",
        )
        return order, row, card

    def _page(self) -> Iterator[str]:
        entries = sorted(
            (entry for label in self._labels.values() for entry in label.unsure),
            key=lambda entry: entry[0],
            reverse=True,
        )
        said = json.dumps([(row.path, row.label, row.confidence) for _, row, _ in entries])
        unknown = self._labels[UNKNOWN].count
        most = max(label.count for label in self._labels.values()) or 1
        return render(
            "classify.html",
            script="classify.js" if entries else "",
            model=self._card.name,
            # Its accuracy was measured on frames, and says nothing of other pictures.
            caption=self._card.caption if self._all_frames else self._card.name,
            counts={
                "pictures": self._total,
                "labelled": self._total - self._rejected - unknown,
                "unknown": unknown,
                "rejected": self._rejected,
            },
            reasons=self._reasons,
            labels=[
                {
                    "number": number,
                    "name": name,
                    "listed": label.count or name != UNKNOWN,
                    "count": label.count,
                    "share": f"{label.count / most:.2%}",
                    "mean": label.sum / (label.count or 1),
                }
                for number, (name, label) in enumerate(self._labels.items())
            ],
            bins=self._histogram(),
            foremost=[card for *_, card in entries[:_FOREMOST]],
            kept=len(entries),
            # By this a browser knows the page again and what was corrected on it.
            run=sha256(said.encode()).hexdigest()[:16],
            names=[*self._labels],
            unknown=UNKNOWN,
            rows=(_data(row, card) for _, row, card in entries),
        )

    def _histogram(self) -> list[dict[str, Any]]:
        most, width = max(self._bins) or 1, 100 / _BINS
        return [
            {
                "bounds": f"{number * width:g} to {(number + 1) * width:g}%",
                "left": number * width,
                "width": width,
                "count": count,
                "height": max(100 * count / most, _LOWEST_BAR if count else 0),
            }
            for number, count in enumerate(self._bins)
        ]


def _data(row: Prediction, card: Card) -> dict[str, Any]:
    """A picture for the script of the page."""
    return {
        "path": row.path,
        "label": row.label,
        "confidence": row.confidence,
        "note": card.notes[0],
        "caption": card.path,
        "pictures": [(shown.source, shown.look) for shown in card.pictures],
    }
