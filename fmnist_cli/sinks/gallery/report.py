"""What the page tells, gathered while rows pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest

from fmnist_cli.contract import Prediction, Rejected

BINS = 20  # of the confidence, 0 to 1

Entry = tuple[tuple[float, int], "Card"]  # heap order: confidence or its negative, -row number


@dataclass(frozen=True, slots=True)
class Card:
    """One picture of the page.

    Attributes:
        row: what is said of it.
        original: thumbnail as a data URI; None when it cannot be made or is the frame itself.
        frame: what the model saw, as a data URI; None when it cannot be had.
    """

    row: Prediction
    original: str | None
    frame: str | None


@dataclass(slots=True)
class Section:
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

    def least_sure(self) -> list[Card]:
        """The least sure, in that order."""
        return [card for _, card in sorted(self.unsure, key=_order, reverse=True)]

    def most_sure(self) -> list[Card]:
        """The surest, in that order, without those among the least sure."""
        shown = {order[1] for order, _ in self.unsure}
        entries = [entry for entry in self.surest if entry[0][1] not in shown]
        return [card for _, card in sorted(entries, key=_order, reverse=True)]


@dataclass(slots=True)
class Report:
    """All that the page tells.

    Attributes:
        title: name of the model.
        caption: name of the model, and its accuracy if that says anything of these pictures.
        sections: by label, in the order of the page.
        histogram: predictions by confidence, `BINS` bins.
        total: rows.
        rejected: rows without a label.
        reasons: the first of these.
        foremost: how many of the least sure are shown before all labels; no more than a
            section keeps, which may hold all of them.
    """

    title: str
    caption: str
    sections: dict[str, Section]
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    total: int = 0
    rejected: int = 0
    reasons: list[Rejected] = field(default_factory=list)
    foremost: int = 0

    def least_sure(self) -> list[Card]:
        """The least sure under any label, in that order; none when all have the same label."""
        filled = [section.unsure for section in self.sections.values() if section.unsure]
        if len(filled) < 2:  # the only section says it all
            return []
        entries = nlargest(self.foremost, (e for heap in filled for e in heap), key=_order)
        return [card for _, card in entries]


def _order(entry: Entry) -> tuple[float, int]:
    return entry[0]
