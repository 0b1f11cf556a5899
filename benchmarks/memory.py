"""Peak memory of `fmnist classify` over folders of more and more pictures.

Run: python benchmarks/memory.py [--files 10000 100000 1000000]

Linux only. The pictures are hard links to the test images, once all in one folder and once
in folders of 1,000. No other program may have ONNX Runtime loaded meanwhile: memory shared
with it would be counted in part only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import sets
from harness.memory import PROC, users_of, watch
from harness.trees import tree

from fmnist_cli.machine import Machine

RESULTS = Path(__file__).resolve().parent / "results" / "memory.json"
LAYOUTS = ("flat", "nested")
GROWTH_AT_MOST = 1.15
MEGABYTES_AT_MOST = 300


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--models", nargs="+", default=["logreg", "cnn"])
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the command")
    parser.add_argument("--interval", type=float, default=0.02, help="seconds between looks")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file")
    work = Path(tempfile.gettempdir()) / "fmnist-benchmarks"
    parser.add_argument("--work", type=Path, default=work, help="folder for pictures")
    return parser.parse_args(arguments)


def report(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def lines_in(path: Path) -> int:
    """How many; the file may be large."""
    with path.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One entry per layout, number of files and model, in that order."""
    sources = sets.pictures_in(sets.frames(options.work).folder)
    runs = []
    for layout in options.layouts:
        for files in sorted(options.files):
            with tree(options.work, sources, files, layout) as folder:
                for model in options.models:
                    output = options.work / "memory.jsonl"
                    command = [options.python, "-m", "fmnist_cli", "classify", str(folder)]
                    command += ["-m", model, "--prepare", "frame", "-q", "-o", str(output)]
                    if others := users_of("onnxruntime"):
                        report(f"{others} other programs use ONNX Runtime: too little is counted")
                    peak = watch(command, options.interval)
                    if (rows := lines_in(output)) != files:
                        raise SystemExit(f"{rows:,} rows for {files:,} files")
                    output.unlink()
                    runs.append({"model": model, "layout": layout, "files": files, **asdict(peak)})
                    runs[-1]["others"] = others
                    report(line(runs[-1]))
    return runs


def line(entry: Mapping[str, Any]) -> str:
    """One measurement in words."""
    return (
        f"{entry['model']:<8}{entry['layout']:<8}{entry['files']:>10,} files"
        f"{entry['pss_bytes'] / 1e6:>8.1f} MB,"
        f" {entry['anonymous_bytes'] / 1e6:.1f} without files, in {entry['seconds']:.1f} s"
    )


def verdicts(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each model and layout, whether memory stays flat and low enough."""
    lines = []
    for key in dict.fromkeys((run["model"], run["layout"]) for run in runs):
        peaks = {r["files"]: r["pss_bytes"] for r in runs if (r["model"], r["layout"]) == key}
        fewest, most = min(peaks), max(peaks)
        growth = peaks[most] / peaks[fewest]
        low = growth <= GROWTH_AT_MOST and peaks[most] <= MEGABYTES_AT_MOST * 1e6
        lines.append(
            f"{'met' if low else 'MISSED':<7}{' '.join(key):<15}{most:,} files:"
            f" {peaks[most] / 1e6:.0f} MB, at most {MEGABYTES_AT_MOST};"
            f" {growth:.2f} times that of {fewest:,}, at most {GROWTH_AT_MOST}"
        )
    return lines


def main() -> None:
    """Measure, write the results, and say whether memory stays flat."""
    if not PROC.is_dir():
        raise SystemExit("this measurement reads /proc, which only Linux has")
    options = options_of()
    options.work.mkdir(parents=True, exist_ok=True)
    runs = measure(options)
    document = {
        "format": 1,
        "command": "python benchmarks/memory.py",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": Machine.current()._asdict(),
        "interval_s": options.interval,
        "runs": runs,
    }
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print("\n".join(verdicts(runs)))


if __name__ == "__main__":
    main()
