"""What `fmnist classify --dry-run` prints."""

from __future__ import annotations

import sys

from fmnist_cli.sinks.text import printable
from fmnist_cli.sources.base import Source
from fmnist_cli.sources.inventory import inventory


def print_inventory(source: Source) -> int:
    """Say what would be read, by kind and count; the number of pictures.

    A table on standard output, words about what is wrong on standard error.
    """
    found = inventory(source)
    lines = [f"{'kind':<24} {'pictures':>12} {'MB':>12}"]
    by_count = sorted(found.kinds.items(), key=lambda entry: (-entry[1].count, entry[0]))
    for kind, amount in by_count:
        size = f"{amount.size / 1e6:,.1f}" if amount.size else ""
        lines.append(f"{kind:<24} {amount.count:>12,} {size:>12}".rstrip())
    if found.unreadable:
        lines.append(f"{'cannot be read':<24} {found.unreadable:>12,}")
    lines.append(f"{'all':<24} {found.total:>12,} {found.size / 1e6:>12,.1f}")
    sys.stdout.write("\n".join(lines) + "\n")
    for path, reason in found.reasons:
        sys.stderr.write(f"cannot be read: {printable(path)}: {printable(reason)}\n")
    return found.total
