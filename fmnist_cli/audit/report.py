"""From judgements to the folder of results."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fmnist_cli import __version__
from fmnist_cli.audit.duplicates import THRESHOLD, find_pairs
from fmnist_cli.audit.findings import Findings, examine
from fmnist_cli.audit.page import page
from fmnist_cli.audit.probabilities import Judgements
from fmnist_cli.audit.source import AuditData
from fmnist_cli.audit.tables import duplicates_csv, issues_csv, summary
from fmnist_cli.files import write_text
from fmnist_cli.machine import Machine
from fmnist_cli.models.registry import ModelSpec


@dataclass(frozen=True, slots=True)
class Settings:
    """Who judged the labels.

    Attributes:
        judge: for people.
        options: of the command, as JSON values.
        command: that makes the same again.
    """

    judge: str
    options: Mapping[str, Any]
    command: str

    @classmethod
    def of(
        cls, spec: ModelSpec, preset: str, folds: int, seed: int, *, given: Path | None
    ) -> Settings:
        """Those of an audit by `spec`, or by the probabilities that were `given`."""
        if given is not None:
            # The name without its folder: where a file lies says nothing of what it holds.
            words = ["--probabilities", given.name]
            return cls(f"Judged by {given.name}", {"probabilities": given.name}, _command(words))
        options = {"model": spec.name, "preset": preset, "folds": folds, "seed": seed}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        judge = f"Judged by: {spec.title}, {preset} preset, {folds} folds"
        return cls(judge, options, _command(words))


def write(
    out: Path,
    data: AuditData,
    judgements: Judgements,
    settings: Settings,
    *,
    top: int,
    say: Callable[[str], None],
) -> Findings:
    """Look for duplicates, put the findings together and write the folder.

    Args:
        out: the folder; made when missing, files of an earlier audit are replaced.
        data: what is audited.
        judgements: of its labels.
        settings: who made them.
        top: how many issues and groups the page shows.
        say: told what is being done.
    """
    judgements.save(out / "probabilities.npz")
    say("looking for duplicates")
    pairs = find_pairs(data.pixels, progress=lambda done, of: say(f"  view {done} of {of}"))
    findings = examine(data, judgements, pairs)
    write_text(out / "audit.csv", issues_csv(findings.issues))
    write_text(out / "duplicates.csv", duplicates_csv(findings.groups))
    judge = (
        f"{settings.judge}; {findings.train_accuracy:.2%} of labels agree on training images,"
        f" {findings.test_accuracy:.2%} on test images"
    )
    write_text(out / "audit.html", "".join(page(findings, data, judge, top)))
    document = {
        "command": settings.command,
        "settings": settings.options,
        "data_checksum": data.checksum,
        "duplicate_threshold": THRESHOLD,
        **summary(findings, data),
        "machine": asdict(Machine.current()),
        "versions": {
            "fmnist-cli": __version__,
            **{name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch")},
        },
    }
    write_text(out / "audit.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return findings


def _command(words: list[str]) -> str:
    return shlex.join(["fmnist", "data", "audit", *words])
