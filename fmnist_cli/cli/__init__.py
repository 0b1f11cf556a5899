"""The `fmnist` command: one thin function per command, heavy imports inside each function."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from importlib import import_module

import typer
from typer._click import ClickException  # the versions that pyproject.toml allows have it
from typer.main import get_command

from fmnist_cli import __version__
from fmnist_cli.cli import output
from fmnist_cli.cli.command import Command, Group
from fmnist_cli.errors import DEBUG, EXIT_INTERRUPTED, FmnistError, UsageError

# Name → module of this package and the function or sub-application in it.
COMMANDS = {
    "classify": ("classify", "classify"),
    "merge": ("merge", "merge"),
    "learn": ("learn", "learn"),
    "prepare": ("pages", "prepare"),
    "evaluate": ("evaluate", "evaluate"),
    "explain": ("explain", "explain"),
    "bench": ("bench", "bench"),
    "report": ("pages", "report"),
    "models": ("models", "models"),
    "doctor": ("models", "doctor"),
    "data": ("data", "app"),
    "train": ("train", "train"),
    "train-all": ("train", "train_all"),
    "train-guard": ("train", "train_guard"),
    "export": ("train", "export"),
    "calibrate": ("train", "calibrate"),
}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fmnist {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False,
        "--version",
        "-V",
        callback=_version,
        is_eager=True,
        help="Print the version and leave.",
    ),
) -> None:
    del version  # handled before


def build_app(*names: str) -> typer.Typer:
    """The application with the commands called `names`, or with all of them.

    Typer inspects every command it knows at each start; a command that is not asked for
    is not even imported. Completion needs them all: a shell asks for it without a name.
    """
    app = typer.Typer(
        cls=Group,
        help="Label pictures of garments; train, export and measure the models that do it.",
        no_args_is_help=True,
        add_completion=not names,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        callback=_root,
    )
    for name in names or COMMANDS:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(f"{__name__}.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, cls=Command)(command)
    return app


def _open_streams() -> None:
    """Make the three streams what the rest relies on: there, and in UTF-8.

    A stream may be closed (``fmnist … >&-``). Its number would go to the next file that is opened,
    and libraries would write their messages into that; so it is opened, the wrong way round, and
    using it is an error that says so. Only words on standard error are lost without one.
    """
    for number, how in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, how)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Tables and labels are UTF-8 everywhere, also where a console's code page is not.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _end_by_pipe() -> None:
    """End as other tools do when nobody reads any more, as in ``fmnist … | head``: by SIGPIPE."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    os._exit(FmnistError.exit_code)


def _flushed(code: int, *, told: bool = False) -> int:
    """The exit code, when all is written that there is to write; `told` if an error was told."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _end_by_pipe()
    except OSError as error:
        output.to_nowhere(sys.stdout)
        if not told:
            output.error(f"cannot write to standard output: {error.strerror or error}")
            return FmnistError.exit_code
    return code


def _run(asked: str) -> int:
    """The command line, its words taken from `sys.argv`; the exit code.

    Raises:
        Exception: as the command does.
    """
    app = get_command(build_app(*filter(None, [asked])))
    if asked != "classify":  # which knows itself when to begin
        gc.enable()
    try:
        ended = app.main(prog_name="fmnist", standalone_mode=False)
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # which Typer makes this of
            raise error.__context__ from None
        raise
    return ended if isinstance(ended, int) else 0


def _tell(error: Exception) -> int:
    """Say in a line or two what went wrong; the exit code."""
    try_help = f"try '{output.Level.command} --help'"
    if isinstance(error, FmnistError):
        text = str(error)
        is_hint_due = isinstance(error, UsageError) and "\nhint: " not in text
        output.error(text, try_help if is_hint_due else "")
        return error.exit_code
    if isinstance(error, ClickException):
        text, context = error.format_message(), getattr(error, "ctx", None)
        if context is not None:
            try_help = f"try '{context.command_path} --help'"
        if context is not None and text == context.get_help():  # nothing was asked for
            output.tell(text)
        else:
            output.error(text[:1].lower() + text[1:].rstrip("."), try_help)
        return error.exit_code
    if output.Level.verbose or os.environ.get(DEBUG):
        raise error
    if isinstance(error, OSError):
        # A full disk, a folder that cannot be written to: the system's words say it best.
        where = f"{error.filename}: " if error.filename else ""
        output.error(f"{where}{error.strerror or error}")
    else:
        name = type(error).__name__
        output.error(
            f"this should not happen: {name}: {error}",
            f"--verbose or {DEBUG}=1 shows where it happened; please report it",
        )
    return FmnistError.exit_code


def main() -> None:
    """Entry point: errors become one message and an exit code, never a traceback."""
    _open_streams()
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    asked = words[0] if words and words[0] in COMMANDS else ""
    try:
        code = _flushed(_run(asked))
        if asked == "classify":
            from fmnist_cli.engines.early import leave

            leave(code)
        sys.exit(code)
    except BrokenPipeError:
        _end_by_pipe()
    except Exception as error:
        sys.exit(_flushed(_tell(error), told=True))
    except KeyboardInterrupt:  # while commands are still being imported; later Typer handles it
        output.tell("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    finally:
        # Nothing is left to do but to end; looking through all modules for garbage once
        # more takes longer than labelling a picture. What PyTorch brings along would call
        # this a leak, at length.
        if "torch" not in sys.modules:
            gc.freeze()
