"""What a source holds, without decoding anything: `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass, field

from fmnist_cli.decode.kinds import kind_of
from fmnist_cli.errors import ImageError
from fmnist_cli.sources.base import Item, Source

_EXAMPLES = 5


@dataclass(slots=True)
class Amount:
    """Items of one kind.

    Attributes:
        count: how many.
        size: their bytes, of those whose size is known without reading them.
    """

    count: int = 0
    size: int = 0


@dataclass(slots=True)
class Inventory:
    """What would be read.

    Attributes:
        kinds: amounts by kind as the content tells it, such as "PNG"; "pixels" are pictures
            that need no decoding.
        unreadable: items that cannot be read; they would get a row with the reason.
        reasons: path and reason of the first of them.
        skipped: files that are no pictures.
        skipped_archives: those of them that are archives.
    """

    kinds: dict[str, Amount] = field(default_factory=dict)
    unreadable: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)
    skipped: int = 0
    skipped_archives: int = 0

    @property
    def total(self) -> int:
        """Rows that there would be."""
        return sum(amount.count for amount in self.kinds.values()) + self.unreadable

    @property
    def size(self) -> int:
        """Bytes of all kinds, where known."""
        return sum(amount.size for amount in self.kinds.values())


def inventory(source: Source) -> Inventory:
    """Go through a source and look at the first bytes of every item."""
    found = Inventory()
    for item in source:
        try:
            head = item.head()
        except ImageError as error:
            found.unreadable += 1
            if len(found.reasons) < _EXAMPLES:
                found.reasons.append((item.path, str(error)))
            continue
        held_pixels = not head and item.held > 0
        amount = found.kinds.setdefault("pixels" if held_pixels else kind_of(head), Amount())
        amount.count += 1
        amount.size += _size(item) or 0
    found.skipped, found.skipped_archives = source.skipped, source.skipped_archives
    return found


def _size(item: Item) -> int | None:
    """Bytes, from items that can say so cheaply."""
    size = getattr(item, "size", None)
    return None if size is None else size()
