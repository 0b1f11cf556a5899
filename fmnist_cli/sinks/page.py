"""The page of `classify`: counts, confidence, and pictures by label, the least sure first.

Memory is bounded: of each label a fixed number of pictures is kept, as thumbnails, which are
made only for those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappush, heappushpop, nlargest
from pathlib import Path
from typing import Any

from fmnist_cli.contract import UNKNOWN, InputSpec, ModelCard, Prediction, Rejected, Row
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import MAX_PIXELS
from fmnist_cli.files import check_target, whole_file, writing
from fmnist_cli.html.contact_sheet import Card, Thumbnails
from fmnist_cli.html.page import render
from fmnist_cli.sinks.base import FileSink
from fmnist_cli.sources.items import MAX_BYTES, Item

_BINS = 20  # of the confidence, 0 to 1
_LOWEST_BAR = 1.0  # percent of the histogram's height: one picture among millions is still seen
_MAX_REJECTED = 200
# A page of more than this many pictures is slow to open; models of many classes show fewer each.
_MAX_UNSURE = 1_000
_MAX_SUREST = 400
_FOREMOST = 28  # of the least sure under any label, before all labels
_AT_ONCE = 14  # of these; the others are behind a click

Entry = tuple[tuple[float, int], Card]  # heap order: confidence or its negative, -row number


def _in_order(entries: Sequence[Entry]) -> list[Card]:
    """The cards, those that would leave the heap last first."""
    return [card for _, card in sorted(entries, key=_order, reverse=True)]


def _order(entry: Entry) -> tuple[float, int]:
    return entry[0]


@dataclass(slots=True)
class _Label:
    """The pictures of one label.

    Attributes:
        count: how many there are.
        sum: of their confidence.
        unsure: heap of the least sure, the surest of them first.
        surest: heap of the surest, the least sure of them first.
    """

    count: int = 0
    sum: float = 0.0
    unsure: list[Entry] = field(default_factory=list)
    surest: list[Entry] = field(default_factory=list)

    def shown(self, name: str, number: int, most: int) -> dict[str, Any]:
        """What the template shows of it; `most` is the largest count of any label."""
        # Nothing is shown twice.
        among = {order[1] for order, _ in self.unsure}
        return {
            "name": name,
            "id": f"label-{number}",
            "listed": self.count or name != UNKNOWN,
            "count": self.count,
            "share": f"{self.count / most:.2%}",
            "mean": self.sum / (self.count or 1),
            "least_sure": _in_order(self.unsure),
            "surest": _in_order([entry for entry in self.surest if entry[0][1] not in among]),
        }


class PageSink(FileSink):
    """Pictures by label on one page, with counts and a histogram of the confidence.

    Files are read while rows are written, so this comes before a sink that moves them.
    """

    wants_items = True

    def __init__(
        self,
        path: Path,
        card: ModelCard,
        specs: Mapping[str | None, InputSpec] | None = None,
        *,
        per_class: int = 60,
        surest: int = 20,
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
        mode: str = "auto",
    ) -> None:
        """Of each label the `per_class` least sure and the `surest` surest pictures are shown.

        Args:
            card: of the model.
            specs: what each model wants, by the name it has in rows, where there are several.
            mode: with which the rows were made.

        Raises:
            UsageError: the file cannot be made.
        """
        self._path = check_target(path)
        labels = max(1, len(card.class_names))
        self._unsure = max(1, min(per_class, _MAX_UNSURE // labels))
        self._surest = max(1, min(surest, _MAX_SUREST // labels))
        specs = specs or {None: card.input or FRAME_SPEC}
        self._thumbnails = Thumbnails(specs, mode, max_pixels, max_bytes)
        self._card = card
        self._all_frames = True
        self._labels = {name: _Label() for name in (*card.class_names, UNKNOWN)}
        self._bins = [0] * _BINS
        self._total = self._rejected = 0
        self._reasons: list[Rejected] = []

    @contextmanager
    def _open(self) -> Iterator[None]:
        with whole_file(self._path) as partial:
            yield
            with writing(partial), partial.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(self._page())

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Count some rows, and keep the pictures that are among the least or most sure."""
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
            self._keep(label, row, item)

    def _keep(self, label: _Label, row: Prediction, item: Item) -> None:
        # Of equally sure pictures the earlier one stays.
        unsure, surest = (-row.confidence, -self._total), (row.confidence, -self._total)
        enters_unsure = len(label.unsure) < self._unsure or unsure > label.unsure[0][0]
        enters_surest = len(label.surest) < self._surest or surest > label.surest[0][0]
        if not (enters_unsure or enters_surest):
            return
        card = self._shown(row, item)
        for enters, heap, entry, size in (
            (enters_unsure, label.unsure, (unsure, card), self._unsure),
            (enters_surest, label.surest, (surest, card), self._surest),
        ):
            if enters and len(heap) < size:
                heappush(heap, entry)
            elif enters:
                heappushpop(heap, entry)

    def _shown(self, row: Prediction, item: Item) -> Card:
        # The runner-up; of an unknown picture, which has no label of its own, the two best.
        named = bool(row.top) and row.top[0].label == row.label
        others = [f"{one.label} {one.probability:.1%}" for one in row.top[named:2]]
        return Card(
            self._thumbnails(item, row.path, row.prepared, row.model),
            verdicts=[(row.label, f"{row.confidence:.1%}")],
            notes=[" · ".join(others) or "no runner-up"],
            path=row.path if row.model is None else f"{row.path} · {row.model}",
            data={"confidence": f"{100 * row.confidence:.4f}"},
        )

    def _page(self) -> Iterator[str]:
        unknown = self._labels[UNKNOWN].count
        most = max(label.count for label in self._labels.values()) or 1
        return render(
            "classify.html",
            script="page.js",
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
                label.shown(name, number, most)
                for number, (name, label) in enumerate(self._labels.items())
            ],
            bins=self._histogram(),
            least_sure=self._least_sure(),
            at_once=_AT_ONCE,
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

    def _least_sure(self) -> list[Card]:
        """The least sure under any label, in that order; none when all have the same label.

        No more than one label keeps, which may hold all of them.
        """
        filled = [label.unsure for label in self._labels.values() if label.unsure]
        if len(filled) < 2:  # the only label says it all
            return []
        count = min(_FOREMOST, self._unsure)
        return _in_order(nlargest(count, (one for heap in filled for one in heap), key=_order))
