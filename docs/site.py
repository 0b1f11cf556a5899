"""What `mkdocs.yml` cannot say: pages that lie elsewhere, and the reference of the command line.

Links are written for the repository, where they must work, too. Here the pages at its top are
added to the site, README.md as its first page, and so is every file that a page links to. Links
are made anew for that; `mkdocs build --strict` then finds those that lead nowhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer.main import get_command

from fmnist_cli.cli import build_app

ROOT = Path(__file__).resolve().parents[1]
TOP = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "THIRD_PARTY.md", "LICENSE")
REFERENCE = "reference/commands.md"
_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the top, what pages link to, and the reference."""
    for name in TOP:
        files.append(_added(name, config))
    for page in files.documentation_pages():
        for _, path in _links(page.content_string, _in_repository(page.src_uri)):
            if not files.get_file_from_path(_in_site(path)) and (ROOT / path).is_file():
                files.append(_added(path, config))
    files.append(File.generated(config, REFERENCE, content="\n".join(_reference())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where the files are on the site."""
    del config, files
    here = page.file.src_uri
    targets = dict(_links(markdown, _in_repository(here)))

    def anew(match: re.Match[str]) -> str:
        target = _in_site(targets[match[2]])
        return match[1] + os.path.relpath(target, PurePosixPath(here).parent).replace(os.sep, "/")

    return _LINK.sub(anew, markdown)


def _links(markdown: str, here: str) -> Iterator[tuple[str, str]]:
    """Links to files as written, and the path in the repository that each means."""
    folder = PurePosixPath(here).parent
    for match in _LINK.finditer(markdown):
        path = os.path.normpath(folder / match[2]).replace(os.sep, "/")
        yield match[2], f"{path}/README.md" if (ROOT / path).is_dir() else path


def _in_repository(uri: str) -> str:
    """The path in the repository of a file on the site."""
    is_top = uri in TOP or uri == "index.md"
    return ("README.md" if uri == "index.md" else uri) if is_top else f"docs/{uri}"


def _in_site(path: str) -> str:
    """The path on the site of a file in the repository."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def _added(path: str, config: MkDocsConfig) -> File:
    return File.generated(config, _in_site(path), abs_src_path=str(ROOT / path))


def _reference() -> Iterator[str]:
    """What `--help` says of every command."""
    yield "# All commands and options\n"
    root = get_command(build_app())
    commands = [("fmnist", root)]
    while commands:
        name, command = commands.pop(0)
        inside = getattr(command, "commands", {})
        if name != "fmnist":
            with typer.Context(command, info_name=name, terminal_width=100) as context:
                yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"
        commands = [(f"{name} {one}", inner) for one, inner in inside.items()] + commands
