"""A part of a source: one machine's share, the first few."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice

from fmnist_cli.errors import UsageError
from fmnist_cli.sources.base import Item, Source


class Limited:
    """The items of a source that fall to one share, and of those the first.

    Which share an item falls to depends on its path alone, not on what else is there or in
    which order it is found, so machines that start at different times neither lose nor
    double any.

    Args:
        source: the whole.
        limit: at most this many items, after sharing.
        shard: number of the share, from 1, and the number of shares.

    Raises:
        UsageError: there is no such share.
    """

    def __init__(
        self, source: Source, limit: int | None = None, shard: tuple[int, int] | None = None
    ) -> None:
        if shard is not None and not 1 <= shard[0] <= shard[1]:
            raise UsageError(f"there is no share {shard[0]}/{shard[1]}; the first is 1/{shard[1]}")
        if limit is not None and limit < 0:
            raise UsageError(f"the limit is {limit}; it cannot be negative")
        self._source = source
        self._limit = limit
        self._shard = shard

    @property
    def skipped(self) -> int:
        """As of the whole source, as far as it was read."""
        return self._source.skipped

    @property
    def skipped_archives(self) -> int:
        """As of the whole source, as far as it was read."""
        return self._source.skipped_archives

    def __iter__(self) -> Iterator[Item]:
        return islice(self._share(), self._limit)

    def _share(self) -> Iterator[Item]:
        if self._shard is None:
            yield from self._source
            return
        index, count = self._shard
        for item in self._source:
            if share_of(item.path, count) == index:
                yield item


def share_of(path: str, count: int) -> int:
    """The number of the share, 1 to `count`, that a path falls to on every machine."""
    return zlib.crc32(path.encode("utf-8", "surrogatepass")) % count + 1
