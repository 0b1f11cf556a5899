"""Where pictures come from: folders, files, patterns, lists, and files that hold many.

What the user named is looked at once, here; nobody asks a path again what it is. Adding a kind
of file that holds many is one file and one line in `containers.py`.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from fmnist_cli.errors import UsageError
from fmnist_cli.remote import is_url, public
from fmnist_cli.sources.items import (
    MAX_BYTES,
    FileItem,
    Item,
    Selection,
    Skipped,
    Source,
    everything,
    read_head,
)
from fmnist_cli.sources.kinds import SNIFF, has_image_suffix, kind_of

if TYPE_CHECKING:
    from fmnist_cli.sources.patterns import GlobSource

__all__ = ["Input", "Inputs", "Item", "OpenInputs", "Selection", "Source", "open_sources"]

STDIN = "-"


class Inputs(NamedTuple):
    """What a run reads, as plain values: they go into the record of a run and can be compared.

    Attributes:
        names: folders, files, patterns, archives, URLs; ``-`` for paths on standard input.
        from_file: text file of paths and URLs, or its URL; ``-`` for standard input.
        null: whether paths in lists end in NUL.
        recursive: whether folders within folders are read.
        include, exclude: patterns of paths.
        limit: at most this many pictures.
        shard: (I, N), the I-th of N parts.
        image_column: column of pictures in Parquet files.
        max_bytes: larger files are rejected.
    """

    names: tuple[str, ...]
    from_file: str | None = None
    null: bool = False
    recursive: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    shard: tuple[int, int] | None = None
    image_column: str | None = None
    max_bytes: int = MAX_BYTES

    def open(self) -> OpenInputs:
        """The source of all items.

        Raises:
            UsageError: nothing is named, or an input does not exist.
            DataError: an archive is damaged.
        """
        if not self.names and self.from_file is None:
            raise UsageError(
                "nothing to classify: name a folder, a file, an archive, or --from-file LIST"
            )
        wants: Callable[[str], bool] = everything
        enters: Callable[[str], bool] = everything
        if self.include or self.exclude:
            from fmnist_cli.sources.patterns import make_enters, make_wants

            wants = make_wants(self.include, self.exclude)
            enters = make_enters(self.exclude)
        return open_sources(
            self.names,
            Selection(self.recursive, wants, enters, self.max_bytes, self.image_column),
            listing=self.from_file,
            null=self.null,
            limit=self.limit,
            shard=self.shard,
        )

    @property
    def public(self) -> Inputs:
        """As the record of a run has them, without what may be secret in URLs."""
        listed = None if self.from_file is None else _shown(self.from_file)
        return self._replace(names=tuple(map(_shown, self.names)), from_file=listed)

    def __str__(self) -> str:
        """The inputs as typed, but for what may be secret."""
        shown = self.public
        listed = [] if shown.from_file is None else [f"--from-file {shown.from_file}"]
        return ", ".join([*shown.names, *listed])


class Input(NamedTuple):
    """One thing that was named, and what it is.

    Attributes:
        name: as typed.
        kind: ``"archive"`` is any file of many pictures, ``"stream"`` what can be read only once.
        root: the folder or file; of a pattern the folder where it starts; None if it is a URL.
        source: what it holds.
    """

    name: str
    kind: Literal["folder", "file", "archive", "pattern", "list", "stream"]
    root: Path | None
    source: Source


class OpenInputs:
    """All inputs as one source, in the order given.

    Attributes:
        inputs: the parts.
        limit: at most this many items, after sharing.
        shard: number of the share, from 1, and the number of shares. Which share an item falls to
            depends on its path alone, not on what else is there or in which order it is found, so
            machines that start at different times neither lose nor double any.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        limit: int | None = None,
        shard: tuple[int, int] | None = None,
    ) -> None:
        """Raises UsageError: there is no such share, or the limit is negative."""
        if shard is not None and not 1 <= shard[0] <= shard[1]:
            raise UsageError(f"there is no share {shard[0]}/{shard[1]}; the first is 1/{shard[1]}")
        if limit is not None and limit < 0:
            raise UsageError(f"the limit is {limit}; it cannot be negative")
        self.inputs = tuple(inputs)
        self.limit = limit
        self.shard = shard

    def __iter__(self) -> Iterator[Item]:
        """The items of all inputs, one input after the other."""
        items = (item for one in self.inputs for item in one.source)
        if self.shard is not None:
            index, count = self.shard
            items = (item for item in items if share_of(item.path, count) == index)
        return islice(items, self.limit)

    def close(self) -> None:
        """Remove the copies of archives and lists that come from elsewhere."""
        if self.remote:
            from fmnist_cli.sources.remote import remove_copies

            remove_copies()

    @property
    def skipped(self) -> Skipped:
        """Files seen so far that are no pictures by name or content."""
        return Skipped.of(one.source.skipped for one in self.inputs)

    @property
    def folders(self) -> list[Path]:
        """The folders that are read: those among the inputs, and where patterns start."""
        return self._roots("folder", "pattern")

    @property
    def files(self) -> list[Path]:
        """The files that are read, of pictures and of paths."""
        return self._roots("file", "archive", "list")

    def _roots(self, *kinds: str) -> list[Path]:
        return [one.root for one in self.inputs if one.root is not None and one.kind in kinds]

    @property
    def remote(self) -> list[str]:
        """Those of the inputs that are URLs, without what may be secret."""
        return [_shown(one.name) for one in self.inputs if is_url(one.name)]

    def opens(self, path: Path) -> bool:
        """Whether a pattern among the inputs opens this file, should it be one of many pictures."""
        sources = [one.source for one in self.inputs if one.kind == "pattern"]
        return any(source.matches(path) for source in cast("list[GlobSource]", sources))

    @property
    def archives(self) -> list[str]:
        """The inputs whose pictures are no files on the disk: archives and URLs."""
        return [_shown(one.name) for one in self.inputs if one.kind == "archive" or not one.root]

    @property
    def repeatable(self) -> bool:
        """Whether the inputs can be gone through a second time; a stream cannot."""
        return all(one.kind != "stream" for one in self.inputs)

    @property
    def countable(self) -> bool:
        """Whether it costs next to nothing to count all items; a listing elsewhere costs."""
        return self.repeatable and all(one.root or one.kind != "folder" for one in self.inputs)

    @property
    def many(self) -> bool:
        """Whether more pictures than inputs are to be expected."""
        return self.limit is None and any(one.kind in ("folder", "pattern") for one in self.inputs)


class FileSource:
    """One file named on the command line; it always gets a row, whatever its name."""

    skipped = Skipped()  # nothing

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Item]:
        yield FileItem(self._path.as_posix(), str(self._path))


def open_source(path: Path, prefix: str = "", selection: Selection | None = None) -> Source:
    """The source for one folder or file; what kind of file it is, its content tells.

    Args:
        path: what to open.
        prefix: put before the paths of what is found in it.
        selection: what to take from it. A picture named itself is always taken.

    Raises:
        UsageError: there is no such file or folder, or it holds no pictures.
        DataError: it holds many pictures and is damaged.
    """
    return _at(str(path), path, prefix, selection or Selection()).source


def open_sources(
    inputs: Sequence[str | Path],
    selection: Selection | None = None,
    *,
    listing: str | None = None,
    null: bool = False,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
) -> OpenInputs:
    """All inputs as one source, in the order given.

    What is in a single folder or archive is named relative to it. With several inputs each
    name starts with the input as typed, so that no two are alike; an input named twice counts
    once. An input that does not exist and holds `*`, `?`, `[` or `{` is a pattern.

    Args:
        inputs: folders, files, patterns; "-" for paths on standard input.
        selection: what to take from them.
        listing: a file of paths, which come after the inputs; "-" as above.
        null: whether listed paths are separated by NUL instead of newlines.
        limit, shard: as of `OpenInputs`.

    Raises:
        UsageError: an input does not exist or does not fit; nothing is read then.
        DataError: an input that holds many pictures is damaged.
    """
    selection = selection or Selection()
    names = list(dict.fromkeys(name for text in inputs for name in _expanded(str(text))))
    lists = [listing] if listing is not None and listing not in names else []
    if not names and not lists:
        raise UsageError("name at least one input: a folder, a file, or - for paths on stdin")
    if null and not lists and STDIN not in names:
        raise UsageError("-0 says how listed paths are separated; it needs --from-file or -")
    single = len(names) + len(lists) == 1
    opened = [_open(name, selection, null=null, single=single) for name in names]
    opened += [_list(name, selection, null=null) for name in lists]
    return OpenInputs(opened, limit, shard)


def check_output(path: Path, read: Iterable[Path] = ()) -> None:
    """Refuse to write a file over what is read in the same run, or over any picture or archive.

    An output is a table, a page, JSON or a model, so whatever else is there is no earlier output.
    The names of listed pictures, and those in folders, need not be known for this.

    Raises:
        UsageError: names the file.
    """
    path = path.resolve()
    if path in {one.resolve() for one in read}:
        raise UsageError(f"{path} is read in this run and would be overwritten")
    if not path.is_file():
        return
    kind = kind_of(read_head(str(path), SNIFF))
    if has_image_suffix(path.name) or kind not in ("other", "empty", "Parquet"):
        raise UsageError(
            f"{path} is a picture or an archive and would be overwritten; give another name, or"
            " move it away first"
        )


def check_beside(option: str, folder: Path, roots: Iterable[Path]) -> None:
    """Refuse to write into a folder that is read, or into one within it.

    Raises:
        UsageError: names the folder.
    """
    for root in roots:
        if folder.resolve().is_relative_to(root.resolve()):
            raise UsageError(
                f"{option} {str(folder)!r} lies in the input {str(root)!r},"
                " where it would become input itself; choose a folder beside it"
            )


def outside(items: Iterable[Item], option: str, folder: Path) -> Iterator[Item]:
    """The items, of which none may lie in the folder that will be written into.

    Raises:
        UsageError: one does.
    """
    inside = folder.resolve()
    for item in items:
        if item.location is not None and Path(item.location).resolve().parent == inside:
            raise UsageError(
                f"{option} {str(folder)!r} holds {item.path!r}, which is read in this run; choose"
                " another folder"
            )
        yield item


def share_of(path: str, count: int) -> int:
    """The number of the share, 1 to `count`, that a path falls to on every machine."""
    return zlib.crc32(path.encode("utf-8", "surrogatepass")) % count + 1


def _expanded(text: str) -> list[str]:
    """The inputs that one argument stands for, each as it will be named."""
    if not text:
        raise UsageError("an input is empty; name a folder or a file")
    if text == STDIN:
        return [text]
    text = text.removeprefix("file://").replace(os.sep, "/")  # which Windows takes, too
    if not is_url(text) and os.path.lexists(text):
        name = Path(text).as_posix()
        return [name if name != STDIN else f"./{name}"]
    if "{" not in text:
        return [text]
    from fmnist_cli.sources.patterns import expand_braces

    expanded = expand_braces(text)
    return expanded if expanded == [text] else [n for part in expanded for n in _expanded(part)]


def _open(name: str, selection: Selection, *, null: bool, single: bool) -> Input:
    if name == STDIN:
        return _list(name, selection, null=null)
    if is_url(name):
        from fmnist_cli.sources.remote import open_remote

        prefix = "" if single else f"{public(name).rstrip('/')}/"
        return Input(name, *open_remote(name, prefix, selection))
    if not os.path.lexists(name) and any(character in name for character in "*?["):
        from fmnist_cli.sources.patterns import GlobSource

        start = re.split(r"[^/]*[*?\[{]", name)[0] or "."
        return Input(name, "pattern", Path(start), GlobSource(name, selection, open_source))
    return _at(name, Path(name), "" if single else f"{name.rstrip('/')}/", selection)


def _at(name: str, path: Path, prefix: str, selection: Selection) -> Input:
    if path.is_dir():
        from fmnist_cli.sources.folder import FolderSource

        return Input(name, "folder", path, FolderSource(path, prefix, selection))
    if path.is_file():  # looking into a pipe would take something out of it
        from fmnist_cli.sources.containers import open_container

        container = open_container(path, prefix, selection)
        if container is not None:
            return Input(name, "archive", path, container)
        return Input(name, "file", path, FileSource(path))
    if path.exists():
        return Input(name, "stream", path, FileSource(path))
    if path.is_symlink():  # to nothing: its row will say so
        return Input(name, "file", path, FileSource(path))
    raise UsageError(f"there is no file or folder called {str(path)!r}")


def _shown(name: str) -> str:
    return public(name) if is_url(name) else name


def _list(name: str, selection: Selection, *, null: bool) -> Input:
    from fmnist_cli.sources.listing import ListSource

    if is_url(name):
        from fmnist_cli.sources.remote import copied

        copy = copied(name)
        return Input(name, "list", copy, ListSource(str(copy), null=null, selection=selection))

    source = ListSource(name, null=null, selection=selection)
    return Input(name, "list" if Path(name).is_file() else "stream", Path(name), source)
