"""From what the command line asks for to the outputs of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fmnist_cli.contract import InputSpec, ModelCard
from fmnist_cli.errors import UsageError
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.rows import Row
from fmnist_cli.sinks import FORMATS, LineFormat, Sink, format_of, open_line_format
from fmnist_cli.sinks.output import is_stream

if TYPE_CHECKING:
    from fmnist_cli.sinks.frames import FrameFolder
    from fmnist_cli.sinks.tree import TreeSink

PARQUET = ".parquet"
_HTML = (".html", ".htm")
FORMAT_NAMES = (*FORMATS, "parquet")


class Wanted(NamedTuple):
    """The outputs that the command line names.

    Attributes:
        outputs: files, pipes, devices; ``-`` is standard output.
        format: for outputs whose suffix implies none.
        sort_into: root of a sorted tree.
        how: how pictures get into the tree.
        gallery: file of a page of pictures (`--report`).
        save_prepared: folder for what the model saw.
        errors_only: whether only rows of rejected inputs are written.
        summary: file of counts and settings.
    """

    outputs: Sequence[str] = ()
    format: str | None = None
    sort_into: str | None = None
    how: Literal["copy", "link", "move"] = "copy"
    gallery: str | None = None
    save_prepared: str | None = None
    errors_only: bool = False
    summary: str | None = None


class Plan(NamedTuple):
    """The outputs of a run into files.

    Attributes:
        target: the first of them; it names the journal and the record.
        lines: the format of the journal.
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
        stream: target and format of the rows that are written as they come; the target
            None is standard output.
        files: format of each output file.
        tree, frames, page, summary: sorted tree, folder of what the model saw, page of pictures,
            counts and settings.
        wanted: what was asked for.
        models: whether rows say which model made them.
    """

    wanted: Wanted
    settings: Settings
    stream: tuple[Path | None, str] | None = None
    files: dict[Path, str] = field(default_factory=dict)
    tree: Path | None = None
    frames: Path | None = None
    page: Path | None = None
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
            UsageError: an output is impossible, named twice, or of an unknown format.
        """
        outputs = cls(wanted, settings, models=models)
        if wanted.errors_only and (wanted.gallery or wanted.sort_into):
            raise UsageError("--errors-only leaves nothing for --report and --sort-into to show")
        for name in dict.fromkeys(wanted.outputs or ("-",)):
            target = None if name == "-" else Path(name)
            if target is None or is_stream(target):
                if outputs.stream:
                    raise UsageError("only one output can be standard output, a pipe or a device")
                format_ = wanted.format or _implied(name if target else "", target is None)
                outputs.stream = (target, _known(format_, tuple(FORMATS)))
                continue
            path = _checked(name)
            if path in outputs.files:
                raise UsageError(f"--output {name!r} is given twice")
            implied = _implied(name, terminal=False) if _suffix(name) else wanted.format
            outputs.files[path] = _known(implied or "jsonl", FORMAT_NAMES)
        if settings.embeddings and "parquet" not in outputs.files.values():
            raise UsageError("--embeddings go into Parquet only; give -o FILE.parquet")
        if wanted.gallery is not None:
            outputs.page = _checked(wanted.gallery)
        if wanted.summary is not None:
            outputs.summary = _checked(wanted.summary)
        if wanted.sort_into is not None:
            outputs.tree = _beside("--sort-into", wanted.sort_into, roots)
        if wanted.save_prepared is not None:
            outputs.frames = _beside("--save-prepared", wanted.save_prepared, roots)
        return outputs

    def plan(
        self,
        card: ModelCard,
        options: dict[str, Any],
        resuming: bool,
        specs: Mapping[str | None, InputSpec] | None = None,
    ) -> Plan | None:
        """What is to be done with the rows besides streaming them; None for nothing.

        Args:
            card: of the model.
            options: everything that decides what the rows are.
            resuming: whether this goes on with an earlier run.
            specs: what each model wants, by the name it has in rows, where there are several.

        Raises:
            MissingExtraError: an output needs a package that is not installed.
        """
        targets = [*self.files, *filter(None, (self.page, self.tree))]
        if not targets:
            return None
        if self.settings.embeddings:  # which only Parquet can give back
            targets.sort(key=lambda path: self.files.get(path) != "parquet")
        target = targets[0]
        format_ = self.files.get(target, "jsonl")
        # What is impossible is said now, not after hours.
        if "parquet" in self.files.values():
            self._parquet(target)
        if self.tree is not None:
            from fmnist_cli.sinks.tree import check_tree

            check_tree(self.tree, resuming=resuming)
        if len(targets) == 1 and self.files and format_ != "parquet":
            lines = self.lines(format_)
            return Plan(target, lines, (), options, self._reader(format_), (target,))
        stages = [lambda: [*self._line_sinks(), *self._pages(card, specs)]]
        if self.tree is not None:
            # Last, and by itself: it may move the files that the others show.
            stages.append(lambda: [self._sorted(resuming)])
        from fmnist_cli.sinks.jsonl import JsonlFormat

        journal = JsonlFormat(self.models, self.settings.embeddings)
        earlier = self._reader(self.files.get(target))
        return Plan(target, journal, stages, options, earlier, tuple(targets))

    def lines(self, format_: str) -> LineFormat:
        """A format of lines for these rows."""
        return open_line_format(format_, self.settings.top_k, self.models)

    def frame_folder(self, resuming: bool) -> FrameFolder | None:
        """Where the workers put frames, if that was asked for.

        Raises:
            UsageError: the folder is not empty, and this is not a run resumed.
        """
        if self.frames is None:
            return None
        from fmnist_cli.sinks.frames import FrameFolder
        from fmnist_cli.sinks.tree import check_tree

        check_tree(self.frames, resuming=resuming, purpose="save frames in")
        return FrameFolder(self.frames)

    def check(self, inputs: Sequence[Path]) -> None:
        """Refuse to write over what is read, or twice into the same file.

        Raises:
            UsageError: names the file.
        """
        read = {path.resolve() for path in inputs}
        taken: dict[Path, Path] = {}
        targets = self._targets()
        for target in targets:
            for suffix in ("", ".partial", ".rows.partial", ".run.json"):
                path = target.with_name(f"{target.name}{suffix}")
                if path in read:
                    raise UsageError(f"{path} is read in this run and would be overwritten")
                if taken.setdefault(path, target) != target or (
                    not suffix and targets.count(target) > 1
                ):
                    raise UsageError(f"two outputs of this run would be written to {path}")

    def _targets(self) -> list[Path]:
        others = (self.page, self.tree, self.frames, self.summary)
        return [*self.files, *filter(None, others)]

    def told(self) -> str:
        """Words about where the rows are."""
        parts = [f"rows in {path}" for path in self.files]
        if self.page:
            parts.append(f"page in {self.page}")
        if self.tree:
            parts.append(f"pictures sorted into {self.tree}")
        if self.frames:
            parts.append(f"what the model saw in {self.frames}")
        return ", ".join(parts)

    def problems(self) -> str:
        """Words about pictures that could not be put where they were to go."""
        return self._placed.summary() if self._placed and self._placed.failed else ""

    def _parquet(self, path: Path) -> Sink:
        from fmnist_cli.sinks.parquet import ParquetSink

        settings = self.settings
        return ParquetSink(path, settings.top_k, models=self.models, embeddings=settings.embeddings)

    def _line_sinks(self) -> list[Sink]:
        from fmnist_cli.sinks.lines import LineSink

        return [
            self._parquet(path) if format_ == "parquet" else LineSink(path, self.lines(format_))
            for path, format_ in self.files.items()
        ]

    def _reader(self, format_: str | None) -> Callable[[Path], Iterator[Row]] | None:
        """Reads the rows of an earlier run back, where that can be done."""
        if self.wanted.errors_only or format_ in (None, "text"):
            return None
        if format_ == "parquet":
            from fmnist_cli.sinks.parquet import read

            return read
        return self.lines(format_).read

    def _pages(self, card: ModelCard, specs: Mapping[str | None, InputSpec] | None) -> list[Sink]:
        if self.page is None:
            return []
        from fmnist_cli.sinks.page import PageSink

        settings = self.settings
        return [
            PageSink(
                self.page,
                card,
                specs,
                max_pixels=settings.max_pixels,
                max_bytes=settings.max_bytes,
                mode=settings.mode,
            )
        ]

    def _sorted(self, resuming: bool) -> Sink:
        from fmnist_cli.sinks.tree import TreeSink

        if self.tree is None:
            raise UsageError("sorting needs --sort-into")
        self._placed = TreeSink(
            self.tree,
            self.wanted.how,
            resuming=resuming or self._placed is not None,
            max_bytes=self.settings.max_bytes,
        )
        return self._placed


def _beside(option: str, name: str, roots: Sequence[Path]) -> Path:
    """A folder for output that is in none of those which are read."""
    folder = Path(name).resolve()
    for root in roots:
        if folder.is_relative_to(root.resolve()):
            raise UsageError(
                f"{option} {name!r} lies in the input {str(root)!r},"
                " where it would become input itself; choose a folder beside it"
            )
    return folder


def _checked(name: str) -> Path:
    from fmnist_cli.sinks.whole import check_target

    return check_target(Path(name))


def _suffix(name: str) -> str:
    return Path(name).suffix


def _implied(name: str, terminal: bool) -> str:
    """The format for an output without --format."""
    if terminal:
        return "text" if sys.stdout.isatty() else "jsonl"
    suffix = _suffix(name).lower()
    if suffix == PARQUET:
        return "parquet"
    implied = format_of(name) if suffix else "jsonl"
    if implied is None:
        if suffix in _HTML:
            raise UsageError(f"--output is for rows; for a page of pictures use --report {name!r}")
        known = ", ".join([*(entry.suffix for entry in FORMATS.values()), PARQUET])
        raise UsageError(
            f"--output {name!r}: the suffix {suffix!r} is of no known format; use one of"
            f" {known}, or no suffix and --format"
        )
    return implied


def _known(format_: str, allowed: tuple[str, ...]) -> str:
    if format_ not in allowed:
        choices = ", ".join(allowed)
        raise UsageError(f"--format {format_!r} cannot be written here; choose from {choices}")
    return format_
