"""The `fmnist` command; `python -m fmnist_cli` is the same."""

from __future__ import annotations

import gc


def main() -> None:
    """Entry point."""
    gc.disable()  # until a command runs: loading modules makes many objects and no garbage
    from fmnist_cli.cli import main as run

    run()


if __name__ == "__main__":
    main()
