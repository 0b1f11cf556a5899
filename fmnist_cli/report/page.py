"""The report: all sections on one page that loads nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fmnist_cli import __version__
from fmnist_cli.errors import MissingExtraError, ResultsError
from fmnist_cli.html.page import render
from fmnist_cli.report import accuracy, data, heat, mistakes, robustness, training
from fmnist_cli.report.inputs import KINDS, Inputs, Made, Pictures

if TYPE_CHECKING:
    from markupsafe import Markup


class _Plan(NamedTuple):
    """A section: its anchor and title, the kind of file it needs if any, and what makes it."""

    name: str
    title: str
    kind: str
    build: Callable[[Inputs], Made]


_PLANS = (
    _Plan("data", "Data", "data", data.build),
    _Plan("curves", "Training curves", "", training.curves),
    _Plan("results", "Results", "evaluation", training.results),
    _Plan("runs", "Training runs", "runs", training.runs),
    _Plan("confusion", "Model by model", "evaluation", mistakes.confusion),
    _Plan("classes", "Classes across models", "evaluation", accuracy.classes),
    _Plan("cost", "Accuracy against latency", "bench", accuracy.cost),
    _Plan("calibration", "Calibration", "evaluation", accuracy.calibration),
    _Plan("robustness", "Robustness", "robustness", robustness.build),
    _Plan("surest", "Most confident mistakes", "evaluation", mistakes.surest),
    _Plan("gradcam", "Where the networks looked", "explanations", heat.maps),
    _Plan("audit", "Labels and duplicates", "audit", data.audit),
)


class Section(NamedTuple):
    """A part of the page: its anchor, its heading, HTML, and what is stale or missing."""

    name: str
    title: str
    parts: Sequence[Markup]
    notices: Sequence[str]


class Page(NamedTuple):
    """A finished page: the whole file; what is stale or left out, by section, for the terminal."""

    html: str
    notices: tuple[str, ...]


def make(inputs: Inputs, pictures: Pictures) -> Page:
    """The page.

    Raises:
        ResultsError: a file of measurements lacks what it should hold.
        MissingExtraError: Plotly is not installed.
    """
    inputs = replace(inputs, pictures=pictures)
    sections = [_section(plan, inputs) for plan in _PLANS]
    measured = ", ".join(source.name for source in inputs.sources.values()) or "no results"
    html = render(
        "report.html",
        script="report.js",
        charts=plotly(),
        about=f"{len(inputs.manifest.models)} exported models, measured in {measured};"
        f" fmnist {__version__}.",
        sections=sections,
        plotly_version=version("plotly"),
    )
    notices = tuple(f"{one.title}: {notice}" for one in sections for notice in one.notices)
    return Page("".join(html), notices)


def plotly(package: str = "plotly") -> str:
    """Plotly's script, as its Python `package` brings it.

    Raises:
        MissingExtraError: it is not installed.
    """
    found = importlib.util.find_spec(package)  # which is not imported
    places = found.submodule_search_locations if found else None
    script = Path(next(iter(places or ["."]))) / "package_data" / "plotly.min.js"
    if not script.is_file():
        raise MissingExtraError(package, "report")
    return script.read_text(encoding="utf-8")


def _section(plan: _Plan, inputs: Inputs) -> Section:
    if plan.kind and plan.kind not in inputs.sources:
        missing = KINDS[plan.kind]
        notice = (
            f"Left out: the results hold no {missing.title}. To make it: {missing.command}"
            " (into the folder of results)"
        )
        return Section(plan.name, plan.title, (), (notice,))
    try:
        parts, notices = plan.build(inputs)
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        what = inputs.sources[plan.kind].name if plan.kind else "a training record"
        command = KINDS[plan.kind].command if plan.kind else "fmnist export"
        raise ResultsError(
            f"{what} cannot be shown, it lacks something or holds something else"
            f" ({type(error).__name__}: {error}); make it again: {command}"
        ) from error
    return Section(plan.name, plan.title, parts, notices)
