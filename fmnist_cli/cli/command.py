"""What all commands have: shared options, options in groups, and examples in their help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from typer._click import Command as AnyCommand
from typer._click.types import IntRange
from typer.core import TyperCommand, TyperGroup, TyperOption

from fmnist_cli.cli.output import Level, detail, note_models_dir
from fmnist_cli.errors import DEBUG

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter, Parameter
    from typer._click.shell_completion import CompletionItem

_EXAMPLES = "\nExamples:\n"  # the last section of a command's docstring
_SHARED = "All commands"
_LARGEST = 2**31 - 1  # of numbers that have no bound of their own


def _set_level(context: Context, parameter: Parameter, value: bool) -> None:
    """Take `--quiet` and `--verbose` both before and after the name of the command."""
    name = str(parameter.name)
    setattr(Level, name, value or (context.parent is not None and getattr(Level, name)))


def _looks_for_models(given: dict[str, Any]) -> bool:
    """Whether models are looked for where nobody said: not in a folder, not by path."""
    if given.get("models_dir", "") is not None:
        return False
    models = given.get("model") or "by default"
    models = [models] if isinstance(models, str) else models
    guard = given.get("unknown") or given.get("unknown_at") is not None
    return guard or not all(one.endswith(".onnx") for one in models)


def _shared_options() -> list[TyperOption]:
    common: dict[str, Any] = {
        "is_flag": True,
        "default": False,
        "expose_value": False,
        "callback": _set_level,
        "rich_help_panel": _SHARED,
    }
    return [
        TyperOption(
            param_decls=["--quiet", "-q"], help="Say nothing but results and errors.", **common
        ),
        TyperOption(
            param_decls=["--verbose", "-v"],
            help="Say which settings and files are used; show where an unexpected error arose.",
            envvar=DEBUG,
            show_envvar=True,
            **common,
        ),
    ]


def _write_options(command: AnyCommand, context: Context, formatter: HelpFormatter) -> None:
    """Options under the heading of their group, those of all commands last."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            default = f"{parameter.param_type_name.capitalize()}s"
            heading = getattr(parameter, "rich_help_panel", None) or default
            if parameter is command.get_help_option(context):
                heading = _SHARED
            groups.setdefault(heading, []).append(record)
    shared = groups.pop(_SHARED, [])
    for heading, records in (*groups.items(), (_SHARED, shared)):
        with formatter.section(heading):
            formatter.write_dl(records)


class _Shared(AnyCommand):
    """What single commands and groups of them have in common.

    The section ``Examples:`` of a docstring stands at the end of its help.
    """

    def __init__(self, **settings: Any) -> None:
        text, _, examples = (settings["help"] or "").partition(_EXAMPLES)
        super().__init__(**{**settings, "help": text.rstrip(), "epilog": examples or None})
        self.params += _shared_options()

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers for a word that was begun."""
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            if item.help:  # one short line: shells take a second one for another word
                item.help = re.split(r"[.;:](?:\s|$)", item.help)[0][:70]
        return items

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Examples."""
        del ctx
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")


class Command(_Shared, TyperCommand):
    """One command."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for parameter in self.params:
            if isinstance(parameter.type, IntRange) and parameter.type.max is None:
                parameter.type.max = _LARGEST

    def invoke(self, ctx: Context) -> Any:
        """Run it; first say with which settings, if that is asked for."""
        Level.command = ctx.command_path
        if Level.verbose:
            from fmnist_cli import __version__

            detail(f"fmnist {__version__}: {Level.command}")
            for name, value in ctx.params.items():
                source = ctx.get_parameter_source(name)
                if source is not None and value not in (None, ()) and value is not False:
                    detail(f"  {name.strip('_')}: {value} ({source.name.lower()})")
        if _looks_for_models(ctx.params):
            note_models_dir()
        return super().invoke(ctx)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Options under the heading of their group."""
        _write_options(self, ctx, formatter)


class Group(_Shared, TyperGroup):
    """Several commands under one name."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The commands, then the options."""
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)
