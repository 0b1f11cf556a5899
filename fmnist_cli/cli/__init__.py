"""The `fmnist` command: one thin file per command, heavy imports inside each function."""

from __future__ import annotations

import os
import sys

import typer

from fmnist_cli import __version__
from fmnist_cli.cli import bench, classify, data, evaluate, export, models, train
from fmnist_cli.errors import EXIT_INTERRUPTED, FmnistError

app = typer.Typer(
    help="Train, export, serve and measure Fashion-MNIST classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("train")(train.train)
app.command("train-all")(train.train_all)
app.command("export")(export.export)
app.command("classify")(classify.classify)
app.command("evaluate")(evaluate.evaluate)
app.command("bench")(bench.bench)
app.command("models")(models.models)
app.add_typer(data.app, name="data")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fmnist {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    pass


def main() -> None:
    """Entry point: user errors become one message and an exit code, never a traceback."""
    try:
        app()
    except FmnistError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left (`fmnist … | head`). Python would complain once more
        # when it flushes standard output at exit, so that goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_INTERRUPTED)
