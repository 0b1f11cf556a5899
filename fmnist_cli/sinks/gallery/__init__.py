"""A page in one HTML file: counts, confidence, and pictures by label, the least sure first.

Memory is bounded: of each label a fixed number of pictures is kept, as thumbnails, which are
made only for those. The file loads nothing from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import heappush, heappushpop
from pathlib import Path
from types import TracebackType

from fmnist_cli.contract import UNKNOWN, InputSpec, ModelCard, Prediction, Row
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import MAX_PIXELS
from fmnist_cli.files import check_target, whole_file, writing
from fmnist_cli.sinks.gallery.page import page
from fmnist_cli.sinks.gallery.report import BINS, Card, Report, Section
from fmnist_cli.sinks.gallery.thumbnails import Thumbnails
from fmnist_cli.sources.items import MAX_BYTES, Item

__all__ = ["GallerySink"]

_MAX_REJECTED = 200
# A page of more than this many pictures is slow to open; models of many classes show fewer each.
_MAX_UNSURE = 1_000
_MAX_SUREST = 400
_FOREMOST = 28  # of the least sure, before all labels


class GallerySink:
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
        self._report = Report(
            card.title,
            card.title,
            {name: Section() for name in (*card.class_names, UNKNOWN)},
            foremost=min(_FOREMOST, self._unsure),
        )
        self._block = self._open()

    @contextmanager
    def _open(self) -> Iterator[None]:
        with whole_file(self._path) as partial:
            yield
            if self._all_frames:
                self._report.caption = self._card.caption
            with writing(partial), partial.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(page(self._report))

    def __enter__(self) -> GallerySink:
        self._block.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._block.__exit__(kind, error, trace)

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Count some rows, and keep the pictures that are among the least or most sure."""
        report = self._report
        for row, item in zip(rows, items, strict=True):
            report.total += 1
            if not isinstance(row, Prediction):
                report.rejected += 1
                if len(report.reasons) < _MAX_REJECTED:
                    report.reasons.append(row)
                continue
            self._all_frames &= row.prepared == "frame"
            report.histogram[min(int(row.confidence * BINS), BINS - 1)] += 1
            section = report.sections.setdefault(row.label, Section())
            section.count += 1
            section.sum += row.confidence
            self._keep(section, row, item, report.total)

    def _keep(self, section: Section, row: Prediction, item: Item, number: int) -> None:
        # Of equally sure pictures the earlier one stays.
        unsure, surest = (-row.confidence, -number), (row.confidence, -number)
        enters_unsure = len(section.unsure) < self._unsure or unsure > section.unsure[0][0]
        enters_surest = len(section.surest) < self._surest or surest > section.surest[0][0]
        if not (enters_unsure or enters_surest):
            return
        card = Card(row, *self._thumbnails(item, row.prepared, row.model))
        for enters, heap, entry, size in (
            (enters_unsure, section.unsure, (unsure, card), self._unsure),
            (enters_surest, section.surest, (surest, card), self._surest),
        ):
            if enters and len(heap) < size:
                heappush(heap, entry)
            elif enters:
                heappushpop(heap, entry)
