"""What `fmnist classify --dry-run` prints: what the inputs hold, without decoding anything."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from fmnist_cli.cli.output import aligned, show, tell
from fmnist_cli.contract import printable
from fmnist_cli.errors import ImageError
from fmnist_cli.sources.items import Item, Skipped, Source
from fmnist_cli.sources.kinds import kind_of
from fmnist_cli.sources.objects import RemoteItem

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
    """

    kinds: dict[str, Amount] = field(default_factory=dict)
    unreadable: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)

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
        if type(item) is RemoteItem:  # to ask for its first bytes takes as long as to label it
            suffix = os.path.splitext(item.path)[1].lower()  # noqa: PTH122
            amount = found.kinds.setdefault(f"{suffix or 'other'} by name", Amount())
            amount.count += 1
            amount.size += item.held
            continue
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
    found.skipped = source.skipped
    return found


def _size(item: Item) -> int | None:
    """Bytes, from items that can say so cheaply."""
    size = getattr(item, "size", None)
    return None if size is None else size()


def print_inventory(source: Source) -> int:
    """Say what would be read, by kind and count; the number of pictures.

    A table on standard output, words about what is wrong on standard error.
    """
    found = inventory(source)
    rows = [("kind", "pictures", "MB")]
    by_count = sorted(found.kinds.items(), key=lambda entry: (-entry[1].count, entry[0]))
    for kind, amount in by_count:
        size = f"{amount.size / 1e6:,.1f}" if amount.size else ""
        rows.append((kind, f"{amount.count:,}", size))
    if found.unreadable:
        rows.append(("cannot be read", f"{found.unreadable:,}", ""))
    rows.append(("all", f"{found.total:,}", f"{found.size / 1e6:,.1f}"))
    for suffix, count in found.skipped.suffixes.most_common():
        rows.append((f"no picture: {suffix}", f"{count:,}", ""))
    show(aligned(rows, "<>>"))
    for path, reason in found.reasons:
        tell(f"cannot be read: {path}: {reason}")
    for path in found.skipped.paths:
        tell(f"no picture: {printable(path)}")
    if (more := found.skipped.count - len(found.skipped.paths)) > 0:
        tell(f"… and {more:,} more")
    return found.total
