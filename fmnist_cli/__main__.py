"""The `fmnist` command; `python -m fmnist_cli` is the same."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Entry point."""
    gc.disable()  # until a command runs: loading modules makes many objects and no garbage
    if sys.argv[1:2] == ["classify"]:
        from fmnist_cli.engines.early import fork_early

        fork_early(sys.argv[2:])
    from fmnist_cli.cli import main as run

    run()


if __name__ == "__main__":
    main()
