"""The `fmnist` command: one thin file per command, heavy imports inside each function."""

from __future__ import annotations

import gc
import io
import os
import sys
from importlib import import_module

import typer

from fmnist_cli import __version__
from fmnist_cli.errors import EXIT_INTERRUPTED, FmnistError

# Name → module of this package and the function or sub-application in it.
COMMANDS = {
    "train": ("train", "train"),
    "train-all": ("train", "train_all"),
    "train-guard": ("guard", "train_guard"),
    "export": ("export", "export"),
    "calibrate": ("calibrate", "calibrate"),
    "classify": ("classify", "classify"),
    "prepare": ("prepare", "prepare"),
    "evaluate": ("evaluate", "evaluate"),
    "bench": ("bench", "bench"),
    "explain": ("explain", "explain"),
    "models": ("models", "models"),
    "report": ("report", "report"),
    "data": ("data", "app"),
}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fmnist {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    del version  # handled before


def build_app(*names: str) -> typer.Typer:
    """The application with the commands called `names`, or with all of them.

    Typer inspects every command it knows at each start; a command that is not asked for
    is not even imported.
    """
    gc.enable()
    app = typer.Typer(
        help="Train, export, serve and measure Fashion-MNIST classifiers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        callback=_root,
    )
    for name in names or COMMANDS:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(f"{__name__}.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _leave(code: object) -> None:
    """End the process at once, when all is written that there is to write.

    Taking the interpreter and its libraries down by the book takes as long as labelling
    fifty pictures; the system does it by itself.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return  # nobody reads any more; the ordinary way to end knows what to do
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def main() -> None:
    """Entry point: user errors become one message and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Tables and labels are UTF-8 everywhere, also where a console's code page is not.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    asked = [word for word in sys.argv[1:2] if word in COMMANDS]
    try:
        app = build_app(*asked)
        if asked != ["classify"]:  # which knows itself when to begin
            gc.enable()
        app()
    except SystemExit as ending:
        if asked == ["classify"]:
            _leave(ending.code)
        raise
    except FmnistError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        # A full disk, a folder that cannot be written to: the system's words say it best.
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror or error}\n")
        sys.exit(FmnistError.exit_code)
    except KeyboardInterrupt:  # while commands are still being imported; later Typer handles it
        sys.stderr.write("interrupted\n")
        sys.exit(EXIT_INTERRUPTED)
    finally:
        # Nothing is left to do but to end; looking through all modules for garbage once
        # more takes longer than labelling a picture. What PyTorch brings along would call
        # this a leak, at length.
        if "torch" not in sys.modules:
            gc.freeze()
