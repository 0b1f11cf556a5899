"""Where a picture goes in a sorted tree: pure functions of its label and path.

Nothing that a model or an archive calls a picture leads out of the tree, and no two paths
get the same place unless one of them was changed to make it safe; those carry a hash.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator

NAME_MAX = 255  # bytes of a name on most file systems
_ATTEMPTS = 1000
# What no name can hold; on Windows that is more than elsewhere.
_UNSAFE = re.compile(r'[\0<>:"|?*\\]' if os.name == "nt" else "[\0\ud800-\udc7f\udd00-\udfff]")
_LABEL_UNSAFE = re.compile(r'[\0-\x1f\x7f<>:"|?*\\\ud800-\udfff]')


def label_folder(label: str, name_max: int = NAME_MAX) -> str:
    """One safe folder name for a label: ``T-shirt/top`` becomes ``T-shirt-top``."""
    name = label.replace("/", "-")
    safe = _LABEL_UNSAFE.sub("-", name).strip(" ").lstrip(".").rstrip(".")
    if safe != name or not safe:
        safe = f"{safe}~{_hash(label)}"
    return _shortened(safe, name_max)


def places(path: str, name_max: int = NAME_MAX) -> Iterator[str]:
    """Relative paths for a row's path, the first one that is free being the one to take.

    A clean relative path comes first as it is; one that is absolute or has empty, ``.`` or
    ``..`` components comes without them and with ``~HASH`` before its suffix. The others are
    names for when something else is in the way.
    """
    parts = _UNSAFE.sub("-", path).split("/")
    clean = [_shortened(part, name_max) for part in parts if part not in ("", ".", "..")]
    as_it_is = "/".join(parts) == path and len(clean) == len(parts)
    clean = clean or ["picture"]
    if not as_it_is:
        clean[-1] = _hashed(clean[-1], path, name_max)
    yield "/".join(clean)
    for attempt in range(1, _ATTEMPTS):
        yield _hashed(clean[-1], path, name_max, "" if attempt == 1 else f"-{attempt}")


def _hash(text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.sha1(encoded, usedforsecurity=False).hexdigest()[:8]


def _shortened(name: str, name_max: int) -> str:
    return name if len(os.fsencode(name)) <= name_max else _hashed(name, name, name_max)


def _hashed(name: str, of: str, name_max: int, more: str = "") -> str:
    """`name` with a hash before its suffix, cut to `name_max` bytes."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(os.fsencode(suffix)) > 16:
        stem, dot, suffix = name, "", ""
    end = f"~{_hash(of)}{more}{dot}{suffix}"
    while len(os.fsencode(stem)) + len(os.fsencode(end)) > name_max:
        stem = stem[:-1]
    return stem + end
