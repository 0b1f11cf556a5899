"""The page: all sections, the style sheet and the scripts in one file that loads nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fmnist_cli import __version__
from fmnist_cli.errors import MissingExtraError, ResultsError
from fmnist_cli.html.page import allowed, asset
from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.kinds import KINDS
from fmnist_cli.report.markup import Section, text
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import (
    Build,
    audit,
    calibration,
    cam,
    classes,
    confusion,
    cost,
    curves,
    data,
    faithfulness,
    results,
    robustness,
)

# Section → the kind of file it shows first, to name in an error.
_SECTIONS: Sequence[tuple[Build, str]] = (
    (data.build, "data"),
    (curves.build, ""),
    (results.build, "evaluation"),
    (results.runs, "runs"),
    (confusion.build, "evaluation"),
    (classes.build, "evaluation"),
    (cost.build, "bench"),
    (calibration.build, "evaluation"),
    (robustness.build, "robustness"),
    (confusion.surest, "evaluation"),
    (cam.build, "explanations"),
    (faithfulness.build, "faithfulness"),
    (audit.build, "audit"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """A finished page.

    Attributes:
        html: the whole file.
        notices: what is stale or left out, by section, for the terminal.
    """

    html: str
    notices: tuple[str, ...]


def make(inputs: Inputs, pictures: Pictures) -> Page:
    """The page.

    Raises:
        ResultsError: a file of measurements lacks what it should hold.
        MissingExtraError: Plotly is not installed.
    """
    sections = [_section(build, kind, inputs, pictures) for build, kind in _SECTIONS]
    notices = tuple(f"{one.title}: {notice}" for one in sections for notice in one.notices)
    return Page("".join(_page(sections, inputs, plotly())), notices)


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


def _section(build: Build, kind: str, inputs: Inputs, pictures: Pictures) -> Section:
    try:
        return build(inputs, pictures)
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        source = inputs.sources.get(kind)
        what = source.name if source else "a training record"
        command = KINDS[kind].command if source else "fmnist export"
        raise ResultsError(
            f"{what} cannot be shown, it lacks something or holds something else"
            f" ({type(error).__name__}: {error}); make it again: {command}"
        ) from error


def _page(sections: Sequence[Section], inputs: Inputs, charts: str) -> Iterator[str]:
    style, script = asset("page.css", __package__), asset("page.js", __package__)
    # Plotly writes its own styles into the page, which no hash can allow beforehand.
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src {allowed(charts)} {allowed(script)}; base-uri 'none'; \
form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fashion-MNIST: models and measurements</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<header>
<h1>Fashion-MNIST: models and measurements</h1>
"""
    made = ", ".join(source.name for source in inputs.sources.values()) or "no results"
    yield (
        f'<p class="soft">{len(inputs.manifest.models)} exported models, measured in {text(made)};'
        f" fmnist {__version__}.</p>\n</header>\n"
    )
    yield '<nav aria-label="Sections"><ul>'
    yield from (f'<li><a href="#{one.name}">{text(one.title)}</a></li>' for one in sections)
    yield '</ul></nav>\n<noscript><p class="notice">Charts, and the pictures behind the counts of'
    yield " the confusion matrices, need JavaScript; the numbers are in the tables.</p></noscript>"
    yield '<main id="main" tabindex="-1">\n'
    for one in sections:
        yield f'<section class="part" id="{one.name}" aria-labelledby="{one.name}-title">\n'
        yield f'<h2 id="{one.name}-title">{text(one.title)}</h2>\n'
        yield from (f'<p class="notice">{text(notice)}</p>\n' for notice in one.notices)
        yield one.body
        yield "</section>\n"
    yield f"""</main>
<footer class="soft">Charts: plotly.js of Plotly {version("plotly")} (MIT). Pictures: \
Fashion-MNIST, © Zalando SE (MIT).</footer>
<script>{charts}</script>
<script>{script}</script>
</body>
</html>
"""
