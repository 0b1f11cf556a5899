"""How long one picture takes from a cold start, against merely importing what it needs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from harness.rounds import Command, Spread, interleave, ratio, run

PAIRS = 21
IMPORTS = "import onnxruntime, numpy"


def measure(python: str, picture: Path, pairs: int = PAIRS) -> dict[str, Any]:
    """Wall time of `fmnist classify PICTURE` and of the imports, both under `python`."""
    contenders: dict[str, Command] = {
        "ours": [python, "-m", "fmnist_cli", "classify", picture, "-q"],
        "imports": [python, "-c", IMPORTS],
    }
    for command in contenders.values():  # into the file cache
        run(command)
    runs = interleave(
        {name: partial(run, command) for name, command in contenders.items()},
        pairs,
        lambda _line: None,
    )
    ours, imports = ([one.wall_s for one in runs[name]] for name in contenders)
    return {
        "commands": {"ours": "fmnist classify ONE.png", "imports": f'python -c "{IMPORTS}"'},
        "ours_s": Spread.of(ours).to_json(),
        "imports_s": Spread.of(imports).to_json(),
        "times": ratio(ours, imports).to_json(),
    }
