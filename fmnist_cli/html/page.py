"""HTML from templates: one file that loads nothing, with a policy that lets nothing else in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fmnist_cli.contract import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SPACE = "\N{NO-BREAK SPACE}"


def render(template: str, *, script: str = "", charts: str = "", **values: Any) -> Iterator[str]:
    """A page, piece by piece.

    Args:
        template: name of a file in `templates`, which extends ``shell.html``.
        script: name of a script of this package.
        charts: text of Plotly's script where it draws on the page. It writes styles of its own,
            which no hash can allow beforehand, and makes pictures of its charts.
        values: what the template shows. Any text may be in them: none becomes markup, and
            control characters are spelled out. Iterators are read while the page is written.
    """
    from markupsafe import Markup

    style = _asset("style.css")
    scripts = [text for text in (charts, _asset(script) if script else "") if text]
    images, styles = ("data: blob:", "'unsafe-inline'") if charts else ("data:", _allowed(style))
    running = " ".join(map(_allowed, scripts)) or "'none'"
    policy = (
        f"default-src 'none'; img-src {images}; style-src {styles}; script-src {running};"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .generate(
            policy=Markup(policy),  # noqa: S704  made of nothing but the texts above
            style=Markup(style),  # noqa: S704
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            **values,
        )
    )


def part(template: str, macro: str, **values: Any) -> Markup:
    """What one macro of a template makes of `values`, to be put into a page."""
    made: Markup = getattr(_environment().get_template(template).module, macro)(**values)
    return made


def _asset(name: str) -> str:
    """The text of a style sheet or a script of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _allowed(source: str) -> str:
    """The entry of a content security policy that allows just this text."""
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    # Only who makes a page pays for this import.
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def visible(value: Any) -> Any:
        """Text without control characters; markup, and what is no text, as it is."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return SPACE.join(map(printable, value.split(SPACE)))
        return value

    environment = Environment(
        loader=PackageLoader("fmnist_cli.html"),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = "{:.1%}".format
    environment.filters["count"] = "{:,}".format
    return environment
