"""Write golden.json anew: what models see of the drawn pictures in data/samples.

Run with ``python tests/preprocess/regenerate_golden.py`` after a wanted change of decoding or
preparation, and look at the difference: the models have to be evaluated again, too.
"""

from __future__ import annotations

import json
from pathlib import Path

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.sources import open_source

GOLDEN = Path(__file__).with_name("golden.json")
SAMPLES = Path(__file__).parents[2] / "data" / "samples"


# A model in colour of no even aspect, small enough for a file.
BOX = InputSpec(24, 16, "rgb", "letterbox", {"fill": 90})


def rows_of(pixels: Pixels) -> list[str]:
    """Hexadecimal, a text for each row."""
    return [row.tobytes().hex() for row in pixels]


def main() -> None:
    """Prepare every sample for both kinds of models."""
    golden = {}
    for item in open_source(SAMPLES):
        frame, prepared = Framing(FRAME_SPEC)(item)
        box, _ = Framing(BOX)(item)
        golden[item.path] = {
            "prepared": prepared,
            "rows": rows_of(frame),
            "letterbox": rows_of(box),
        }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
