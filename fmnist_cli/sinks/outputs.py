"""From what the command line asks for to the outputs of a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

from fmnist_cli.contract import InputSpec, ModelCard, Row
from fmnist_cli.errors import UsageError
from fmnist_cli.files import check_folder, check_target
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.remote import is_url, public
from fmnist_cli.sinks import KINDS, LineFormat, Run, Sink, kind_of_name, open_line_format
from fmnist_cli.sources import OpenInputs, check_beside, check_output

if TYPE_CHECKING:
    from fmnist_cli.sinks.frames import FrameFolder
    from fmnist_cli.sinks.tree import TreeSink
    from fmnist_cli.store import Store


_BESIDE = ("", ".partial", ".rows.partial", ".run.json", ".run.inputs")  # suffixes of what is made


def is_stream(target: Path) -> bool:
    """Whether this is a pipe or a device, which a file must not take the place of."""
    return target.exists() and not target.is_file() and not target.is_dir()


def is_folder(name: str) -> bool:
    """Whether an output of this name is a folder of parts."""
    return name.endswith(("/", os.sep)) or (not is_url(name) and Path(name).is_dir())


@contextmanager
def open_stream(target: Path | None) -> Iterator[BinaryIO]:
    """Standard output for None, else a pipe or device.

    Raises:
        UsageError: it cannot be opened.
    """
    if target is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        stream = target.open("wb")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}") from error
    with stream:
        yield stream


class Wanted(NamedTuple):
    """The outputs that the command line names.

    Attributes:
        outputs: files, pipes, devices, or a folder; ``-`` is standard output.
        format: for outputs whose suffix implies none.
        sort_into: root of a sorted tree.
        how: how pictures get into the tree.
        page: file of a page of pictures, whatever its suffix (`--report`).
        save_prepared: folder for what the model saw.
        errors_only: whether only rows of rejected inputs are written.
        summary: file of counts and settings.
    """

    outputs: Sequence[str] = ()
    format: str | None = None
    sort_into: str | None = None
    how: Literal["copy", "link", "move"] = "copy"
    page: str | None = None
    save_prepared: str | None = None
    errors_only: bool = False
    summary: str | None = None


class Plan(NamedTuple):
    """The outputs of a run into files.

    Attributes:
        target: the first of them; it names the journal and the record.
        lines: the format of the journal: JSON Lines.
        stages: make the outputs that are fed from the journal, one group of them after the
            other; empty when the journal itself is the output.
        options: everything that decides what the rows are.
        earlier: the format to read the rows of an earlier run back, for retrying.
        targets: all outputs, `target` first.
    """

    target: Path
    lines: LineFormat
    stages: Sequence[Callable[[], list[Sink]]]
    options: dict[str, Any]
    earlier: Callable[[Path], Iterator[Row]] | None = None
    targets: tuple[Path, ...] = ()

    @property
    def journal(self) -> Path:
        """Where rows are kept until all are written."""
        middle = ".rows" if self.stages else ""
        return self.target.with_name(f"{self.target.name}{middle}.partial")


@dataclass(eq=False, repr=False)
class Outputs:
    """The outputs of a run.

    Attributes:
        stream: target and kind of the rows that are written as they come; the target None is
            standard output.
        files: kind of each output file.
        folder: of Parquet parts, instead of files; see `fmnist_cli.parts`.
        tree, frames, summary: sorted tree, folder of what the model saw, counts and settings.
        wanted: what was asked for.
        models: whether rows say which model made them.
    """

    wanted: Wanted
    settings: Settings
    stream: tuple[Path | None, str] | None = None
    files: dict[Path, str] = field(default_factory=dict)
    folder: Store | None = None
    tree: Path | None = None
    frames: Path | None = None
    summary: Path | None = None
    models: bool = False
    _placed: TreeSink | None = None

    @classmethod
    def of(
        cls, wanted: Wanted, settings: Settings, roots: Sequence[Path], *, models: bool = False
    ) -> Outputs:
        """Check what is asked for.

        Args:
            wanted: what is asked for.
            settings: how rows are made.
            roots: folders that are read, which a sorted tree must stay out of.
            models: whether rows say which model made them.

        Raises:
            UsageError: an output is impossible, named twice, or of an unknown kind.
        """
        _check_urls(wanted)
        outputs = cls(wanted, settings, models=models)
        for name in dict.fromkeys(wanted.outputs or ("-",)):
            if not name:
                raise UsageError("an --output is empty; name a file or a folder")
            target = None if name == "-" else Path(name)
            if target is None or is_stream(target):
                if outputs.stream:
                    raise UsageError("only one output can be standard output, a pipe or a device")
                kind = wanted.format or _implied(name if target else "", target is None)
                outputs.stream = (target, _known(kind, streamed=True))
                continue
            if is_folder(name):
                from fmnist_cli.store import open_store

                outputs.folder = open_store(name if is_url(name) else target.resolve())
                if not is_url(name):
                    check_beside("--output", target, roots)
                continue
            path = check_target(target)
            if path in outputs.files:
                raise UsageError(f"--output {name!r} is given twice")
            implied = _implied(name, terminal=False) if target.suffix else wanted.format
            outputs.files[path] = _known(implied or "jsonl")
        if outputs.folder is not None:
            outputs._check_folder()
        elif settings.embeddings and "parquet" not in outputs.files.values():
            raise UsageError("--embeddings go into Parquet only; give -o FILE.parquet")
        if wanted.page is not None:
            page = check_target(Path(wanted.page))
            if page in outputs.files:
                raise UsageError(f"two outputs of this run would be written to {page}")
            outputs.files[page] = "page"
        if wanted.summary is not None:
            outputs.summary = check_target(Path(wanted.summary))
        if wanted.sort_into is not None:
            outputs.tree = Path(wanted.sort_into).resolve()
            check_beside("--sort-into", outputs.tree, roots)
        if wanted.save_prepared is not None:
            outputs.frames = Path(wanted.save_prepared).resolve()
            check_beside("--save-prepared", outputs.frames, roots)
        if wanted.errors_only and outputs.shows_pictures:
            raise UsageError("--errors-only leaves nothing for --report and --sort-into to show")
        return outputs

    def _check_folder(self) -> None:
        wanted = self.wanted
        others = wanted.page, wanted.sort_into, wanted.save_prepared, wanted.errors_only
        if len(set(wanted.outputs)) > 1 or any(others):
            raise UsageError(
                f"{self.folder} becomes a folder of Parquet parts, which does not go with another"
                " output, --report, --sort-into, --save-prepared or --errors-only; fmnist merge"
                " makes any file of the parts"
            )
        if wanted.format not in (None, "parquet"):
            raise UsageError(f"parts are Parquet, not {wanted.format}; see fmnist merge --help")

    @property
    def shows_pictures(self) -> bool:
        """Whether the inputs have to be gone through a second time, for pages and trees."""
        return self.tree is not None or "page" in self.files.values()

    def plan(
        self,
        card: ModelCard,
        options: dict[str, Any],
        force: bool,
        specs: Mapping[str | None, InputSpec],
    ) -> Plan | None:
        """What is to be done with the rows besides streaming them; None for nothing.

        Args:
            card: of the model.
            options: everything that decides what the rows are.
            force: whether a folder to sort into may hold something already.
            specs: what each model wants, by the name it has in rows.

        Raises:
            MissingExtraError: an output needs a package that is not installed.
        """
        targets = [*self.files, *filter(None, (self.tree,))]
        if not targets:
            return None
        from fmnist_cli.sinks.jsonl import JsonlFormat

        settings = self.settings
        run = Run(
            settings.top_k,
            self.models,
            settings.embeddings,
            card,
            specs,
            settings.mode,
            settings.max_pixels,
            settings.max_bytes,
        )
        if settings.embeddings:  # which only Parquet can give back
            targets.sort(key=lambda path: self.files.get(path) != "parquet")
        if self.tree is not None:
            check_folder(self.tree, force=force)
            if self.wanted.how == "link":
                from fmnist_cli.sinks.tree import check_links

                check_links(self.tree)
        kinds = {path: KINDS[kind] for path, kind in self.files.items()}
        # Made now, because what is impossible is said before the work, not after hours.
        sinks = [kind.sink(path, run) for path, kind in kinds.items()]
        lines = JsonlFormat(self.models, settings.embeddings)
        first = kinds.get(targets[0])
        earlier = None if self.wanted.errors_only or first is None else first.read
        if [*self.files.values()] == ["jsonl"] and self.tree is None:
            return Plan(targets[0], lines, (), options, earlier, (targets[0],))
        stages = [lambda: sinks]
        if self.tree is not None:
            # Last, and by itself: it may move the files that the others show.
            stages.append(lambda: [self._sorted(force)])
        return Plan(targets[0], lines, stages, options, earlier, tuple(targets))

    def lines(self, kind: str) -> LineFormat:
        """A format of lines for these rows."""
        return open_line_format(kind, self.settings.top_k, self.models)

    def frame_folder(self, force: bool) -> FrameFolder | None:
        """Where the workers put frames, if that was asked for.

        Raises:
            UsageError: the folder is not empty, without `force`.
        """
        if self.frames is None:
            return None
        from fmnist_cli.sinks.frames import FrameFolder

        check_folder(self.frames, force=force)
        return FrameFolder(self.frames)

    def check(self, source: OpenInputs, read: Sequence[Path]) -> None:
        """Refuse to write over what is read, or twice into the same file.

        Args:
            source: the inputs.
            read: other files that are read.

        Raises:
            UsageError: names the file.
        """
        for url in source.remote:
            if self.folder is not None and str(self.folder).startswith(url.rstrip("/") + "/"):
                raise UsageError(f"--output {self.folder} lies in the input {url}; name another")
        read = [*source.files, *read]
        taken: dict[Path, Path] = {}
        targets = [*self.files, *filter(None, (self.tree, self.frames, self.summary))]
        for target in targets:
            if target.exists() and source.opens(target):
                read.append(target)
            for suffix in _BESIDE:
                path = target.with_name(f"{target.name}{suffix}")
                check_output(path, read)
                if taken.setdefault(path, target) != target or (
                    not suffix and targets.count(target) > 1
                ):
                    raise UsageError(f"two outputs of this run would be written to {path}")

    def told(self) -> str:
        """Words about where the rows are."""
        parts = [f"{KINDS[kind].words} in {path}" for path, kind in self.files.items()]
        if self.folder:
            parts.append(f"rows in the parts in {self.folder}")
        if self.tree:
            parts.append(f"pictures sorted into {self.tree}")
        if self.frames:
            parts.append(f"what the model saw in {self.frames}")
        return ", ".join(parts)

    def problems(self) -> str:
        """Words about pictures that could not be put where they were to go."""
        return self._placed.summary() if self._placed and self._placed.failed else ""

    def _sorted(self, force: bool) -> Sink:
        from fmnist_cli.sinks.tree import TreeSink

        if self.tree is None:
            raise UsageError("sorting needs --sort-into")
        self._placed = TreeSink(
            self.tree,
            self.wanted.how,
            force=force or self._placed is not None,
            max_bytes=self.settings.max_bytes,
        )
        return self._placed


def _check_urls(wanted: Wanted) -> None:
    """Raises UsageError: what needs files on this machine is to be made elsewhere."""
    for name in filter(is_url, wanted.outputs):
        if not is_folder(name):
            raise UsageError(
                f"--output {public(name)} is one file, which a run can only make on this machine;"
                f" give a folder of parts, -o {public(name).rpartition('/')[0]}/rows/, and make"
                " the file of it: fmnist merge"
            )
    named = {
        "--report": wanted.page,
        "--summary": wanted.summary,
        "--sort-into": wanted.sort_into,
        "--save-prepared": wanted.save_prepared,
    }
    for option, target in named.items():
        if target is not None and is_url(target):
            raise UsageError(f"{option} writes to this machine only; give a path, not a URL")


def _implied(name: str, terminal: bool) -> str:
    """The kind of an output without --format."""
    if terminal:
        return "text" if sys.stdout.isatty() else "jsonl"
    suffix = Path(name).suffix.lower()
    implied = kind_of_name(name) if suffix else "jsonl"
    if implied is None:
        known = ", ".join(suffix for kind in KINDS.values() for suffix in kind.suffixes)
        raise UsageError(
            f"--output {name!r}: no kind of output ends in {suffix!r}; use one of {known},"
            " or no suffix and --format"
        )
    return implied


def _known(kind: str, *, streamed: bool = False) -> str:
    allowed = [name for name, one in KINDS.items() if one.lines or not streamed]
    if kind not in allowed:
        choices = ", ".join(allowed)
        raise UsageError(f"--format {kind!r} cannot be written here; choose from {choices}")
    return kind
