"""Write golden.json anew: the prepared frames of the drawn pictures in data/samples.

Run with ``python tests/prepare/regenerate_golden.py`` after a wanted change of decoding or
preparation, and look at the difference: the models have to be evaluated again, too.
"""

from __future__ import annotations

import json
from pathlib import Path

from fmnist_cli.runtime.framing import Framing
from fmnist_cli.runtime.sources import open_source

GOLDEN = Path(__file__).with_name("golden.json")
SAMPLES = Path(__file__).parents[2] / "data" / "samples"


def main() -> None:
    """Prepare every sample; a frame is 28 rows of hexadecimal pixels."""
    golden = {}
    for item in open_source(SAMPLES):
        frame, prepared = Framing("auto")(item)
        golden[item.path] = {"prepared": prepared, "rows": [row.tobytes().hex() for row in frame]}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
