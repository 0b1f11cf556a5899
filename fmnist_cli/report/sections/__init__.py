"""The parts of the page, a module each; all take the inputs and the pictures."""

from __future__ import annotations

from collections.abc import Callable

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.kinds import KINDS
from fmnist_cli.report.markup import Section
from fmnist_cli.report.pictures import Pictures

Build = Callable[[Inputs, Pictures], Section]


def absent(name: str, title: str, kind: str) -> Section:
    """The section without the file it is made from."""
    missing = KINDS[kind]
    notice = (
        f"Left out: the results hold no {missing.title}. To make it: {missing.command}"
        " (into the folder of results)"
    )
    return Section(name, title, "", (notice,))


# The reason names folders of this machine, which a page that is passed on should not tell.
NO_PICTURES = (
    "Pictures are left out: the data set could not be read when this page was made. To get it:"
    " fmnist data download; then make the page again"
)
