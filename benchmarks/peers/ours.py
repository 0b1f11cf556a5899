"""`fmnist classify` without the start of a process and without imports.

Run: python -m peers.ours FOLDER OUTPUT OPTION…

Some pictures are labelled first, so that all that is imported at first use is there; then
`fmnist classify FOLDER -o OUTPUT OPTION…` runs, timed, from the opening of the model to the
output's last byte. On standard output: its seconds.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path

from typer.main import get_command

from fmnist_cli.cli import build_app
from fmnist_cli.errors import EXIT_REJECTED

COMMAND = get_command(build_app("classify"))
WARM_UP = 100  # pictures; enough for the command to start its workers
SUFFIXES = {".png", ".jpg", ".jpeg"}


def classify(*arguments: str) -> None:
    """The whole command, in this process."""
    # Without standalone mode, an exit code is returned and errors are raised.
    code = COMMAND.main(["classify", *arguments], standalone_mode=False)
    if code not in (None, 0, EXIT_REJECTED):
        sys.exit(f"fmnist classify: exit code {code}")


def main() -> None:
    """Run the command twice, the second time timed."""
    folder, output, *options = sys.argv[1:]
    pictures = (path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    first = Path(output).with_name("first.jsonl")
    classify(*map(str, islice(pictures, WARM_UP)), "-o", str(first), *options)
    first.unlink()
    started = time.perf_counter()
    classify(folder, "-o", output, *options)
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
