"""`python -m fmnist_cli` is `fmnist`."""

from fmnist_cli.cli import main

main()
