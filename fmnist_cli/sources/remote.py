"""Objects on filesystems elsewhere: listed as a stream, fetched many at a time.

Nothing is asked about an object by itself. Its name tells whether it is a picture, and what a
listing says of it, size and checksum or time of change, is its signature.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from fmnist_cli.errors import ImageError, MissingExtraError, RemoteError, UsageError
from fmnist_cli.remote import IN_FLIGHT, is_http, opened, public, tried
from fmnist_cli.sources.containers import open_container
from fmnist_cli.sources.items import (
    HeldItem,
    Item,
    Selection,
    Skipped,
    Source,
    UnreadableItem,
)
from fmnist_cli.sources.kinds import has_archive_suffix, has_image_suffix, is_archive, kind_of
from fmnist_cli.sources.objects import RemoteItem, joined

# What filesystems call what changes when an object does.
_MARKS = (
    *("ETag", "etag", "md5Hash", "checksum", "blob_id", "mtime", "LastModified", "last_modified"),
    *("modificationTime", "modified", "modify", "updated", "created"),
)
_STACK = 1 << 20  # bytes of a thread that fetches; those of all count as memory of the process


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:
    del pid  # threads do not survive a fork
    return ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="fetch")


def fetching(chunk: list[Item]) -> Callable[[], list[Item]]:
    """Begin to fetch what is remote among some items; the result gives them with their content."""
    pool = _threads(os.getpid())
    items: list[Item | Future[Item]] = []
    before = threading.stack_size(_STACK)
    try:
        for item in chunk:
            items.append(pool.submit(_fetched, item) if type(item) is RemoteItem else item)  # noqa: PERF401
    except RuntimeError:  # no more threads to be had; the rest is done where it is asked for
        pass
    finally:
        threading.stack_size(before)

    def content() -> list[Item]:
        there = [item.result() if isinstance(item, Future) else item for item in items]
        rest = chunk[len(there) :]
        return there + [_fetched(item) if type(item) is RemoteItem else item for item in rest]

    return content


def _fetched(item: Item) -> Item:
    """The item with its content, or with the reason why there is none; signed as before.

    Raises:
        MissingExtraError: a package is not installed.
    """
    try:
        return HeldItem(item.path, item.read(), item.signature())
    except MissingExtraError:
        raise
    except (ImageError, UsageError) as error:
        return UnreadableItem(item.path, str(error), item.signature())
    except MemoryError:
        return UnreadableItem(item.path, "out of memory", item.signature())


class RemoteSource:
    """The pictures below a folder elsewhere, however many there are.

    Object stores that speak S3 give all keys in pages, in the order of the keys. Others are gone
    through folder by folder, each sorted by name. A picture is what has a picture's suffix.
    Hidden names are left alone, archives counted and left closed.

    Args:
        url: of the folder.
        prefix: put before the paths of what is found in it.
        selection: what to take.

    Raises:
        UsageError: it cannot be listed.
    """

    def __init__(self, url: str, prefix: str = "", selection: Selection | None = None) -> None:
        self._url = url.rstrip("/") + "/"
        self._prefix = prefix
        self._selection = selection or Selection()
        self.skipped = Skipped()
        first = next(self._listed(), None)
        if isinstance(first, _Trouble):
            raise UsageError(first.reason)

    def __iter__(self) -> Iterator[Item]:
        self.skipped = Skipped()
        prefix, url, limit = self._prefix, self._url, self._selection.max_bytes
        wants = self._selection.wants
        for found in self._listed():
            if isinstance(found, _Trouble):
                yield UnreadableItem(f"{prefix}{found.name}" or public(url), found.reason)
                continue
            name, size, mark = found
            if name[:1] == "." or "/." in name or not wants(name):
                continue
            path = prefix + name
            if has_image_suffix(name):
                yield RemoteItem(path, url, name, size, mark, limit)
            else:
                self.skipped.add(path, archive=has_archive_suffix(name))

    def _listed(self) -> Iterator[_Found | _Trouble]:
        try:
            system, root = opened(self._url)
            if hasattr(system, "call_s3"):
                yield from self._pages(system, root)
                return
        except RemoteError as error:
            yield _Trouble("", str(error))
            return
        yield from self._folders(system, root)

    def _pages(self, system: Any, root: str) -> Iterator[_Found]:
        """All keys of S3 that begin so; a thousand at a time."""
        bucket, start, _ = system.split_path(root)
        start += "/" * bool(start)
        asked = {**system.req_kw, "Bucket": bucket, "Prefix": start}
        if not self._selection.recursive:
            asked["Delimiter"] = "/"
        while True:
            page = tried(lambda: system.call_s3("list_objects_v2", **asked), "list", self._url)
            for one in page.get("Contents", ()):
                if not one["Key"].endswith("/"):  # which stands for a folder
                    mark = one.get("ETag", "").strip('"')
                    yield _Found(one["Key"][len(start) :], one["Size"], mark)
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _folders(self, system: Any, root: str) -> Iterator[_Found | _Trouble]:
        """Folder by folder, depth first; in memory are those that lead to the present one."""
        top = root.rstrip("/") + "/"

        def entries(name: str) -> Iterator[tuple[str, bool, dict[str, Any]]]:
            def ask() -> list[dict[str, Any]]:
                system.invalidate_cache()  # which would keep all that was listed
                listed: list[dict[str, Any]] = system.ls(joined(root, name), detail=True)
                return listed

            found = tried(ask, "list", joined(self._url, name))
            named = ((_below(one["name"], top), one["type"] == "directory", one) for one in found)
            return iter(sorted((one for one in named if one[0] != name), key=lambda one: one[0]))

        try:
            walked = [entries("")]
        except RemoteError as error:
            yield _Trouble("", str(error))
            return
        while walked:
            name, is_folder, info = next(walked[-1], ("", False, None))
            if info is None:
                walked.pop()
            elif not is_folder:
                yield _Found(name, info.get("size"), _mark(info))
            elif (
                self._selection.recursive
                and self._selection.enters(name)
                and not name.rpartition("/")[2].startswith(".")
            ):
                try:
                    walked.append(entries(name))
                except RemoteError as error:
                    yield _Trouble(name, str(error))


class _Found(NamedTuple):
    name: str
    size: int | None
    mark: str


class _Trouble(NamedTuple):
    """A folder that cannot be listed."""

    name: str
    reason: str


def _below(name: str, top: str) -> str:
    return name.strip("/").removeprefix(top.lstrip("/"))


def _mark(info: dict[str, Any]) -> str:
    found = next((info[key] for key in _MARKS if info.get(key) is not None), "")
    return str(found).strip('"')


def open_remote(
    url: str, prefix: str, selection: Selection
) -> tuple[Literal["folder", "file", "archive"], None, Source]:
    """What a URL stands for, None for a path, and its source: parts of an `Input`.

    Args:
        url: of a folder, a picture, or a file of many, which is copied to this machine.
        prefix: put before the paths of what is in a folder or archive.
        selection: what to take.

    Raises:
        UsageError: there is no such thing, or it cannot be had.
        DataError: an archive is damaged.
    """
    if url.endswith("/") and not is_http(url):
        return "folder", None, RemoteSource(url, prefix, selection)
    item = RemoteItem(public(url), url, limit=selection.max_bytes)
    head = None
    try:
        if is_http(url):  # whose `info` says of any trouble that there is no such file
            head = item.head()
        system, path = opened(url)
        info: dict[str, Any] = tried(lambda: system.info(path), "read", url)
    except ImageError as error:
        raise UsageError(str(error)) from error
    except RemoteError as error:
        if error.missing and (found := re.search(r"[^/]*[*?\[]", url)) and not is_http(url):
            return "folder", None, _matching(url, found.start(), selection)
        raise UsageError(str(error)) from error
    if info.get("type") == "directory":
        return "folder", None, RemoteSource(url, prefix, selection)
    item = item._replace(size=info.get("size"), mark=_mark(info))
    name = url.partition("?")[0]
    if not has_image_suffix(name):
        try:
            head = item.head() if head is None else head
        except ImageError as error:
            raise UsageError(str(error)) from error
        if is_archive(name, head) or name.endswith(".zip") or kind_of(head) == "IDX":
            source = open_container(copied(url), prefix, selection)
            if source is not None:
                return "archive", None, source
    return "file", None, _One(item)


def _matching(url: str, fixed: int, selection: Selection) -> RemoteSource:
    """The objects that a pattern stands for; all below its fixed part are listed."""
    from fmnist_cli.sources.patterns import compiled

    pattern, wants = compiled([url[fixed:]]), selection.wants
    chosen = selection._replace(
        recursive="/" in url[fixed:] or "**" in url[fixed:],
        wants=lambda path: pattern.fullmatch(path) is not None and wants(path),
    )
    source = RemoteSource(url[:fixed], public(url[:fixed]), chosen)
    if next(iter(source), None) is None:
        raise UsageError(f"no picture matches the pattern {public(url)!r}")
    return source


class _One:
    """One object, named itself."""

    skipped = Skipped()  # nothing

    def __init__(self, item: RemoteItem) -> None:
        self._item = item

    def __iter__(self) -> Iterator[Item]:
        yield self._item


_copies: list[TemporaryDirectory[str]] = []


def copied(url: str) -> Path:
    """A copy of an object on this machine, for as long as the process lives.

    Raises:
        UsageError: it cannot be had, or there is no room for it.
    """
    folder = TemporaryDirectory(prefix="fmnist-copy-")
    _copies.append(folder)
    target = Path(folder.name, re.sub(r".*[/:]", "", public(url).partition("?")[0]) or "copy")
    try:
        system, path = opened(url)
        tried(lambda: system.get_file(path, str(target)), "read", url)
    except (RemoteError, OSError) as error:
        raise UsageError(str(error)) from error
    return target


def remove_copies() -> None:
    """Remove what `copied` has made."""
    while _copies:
        _copies.pop().cleanup()
