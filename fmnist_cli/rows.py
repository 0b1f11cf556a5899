"""What is said of one input: a prediction or the reason there is none.

Named tuples, because rows are made by the million and a frozen dataclass costs several
times as much to create and to send from a worker process.
"""

from __future__ import annotations

from typing import NamedTuple

from fmnist_cli.contract import UNKNOWN as UNKNOWN


class Candidate(NamedTuple):
    """A class and its probability, 0 to 1."""

    label: str
    probability: float


class Prediction(NamedTuple):
    """The label of one picture.

    Attributes:
        path: stable name of the input, relative to the folder it was found in.
        class_id: column of the most probable class; None when the label is `UNKNOWN`.
        label: its name, or `UNKNOWN` when its probability is below the threshold or it is strange.
        confidence: the highest probability, 0 to 1, rounded to 6 decimals.
        top: the most probable classes, best first, whatever the label.
        prepared: the preparation that made what the model saw.
        model: name of the model; None where all rows are of one.
        embedding: the model's features, float32 in machine order; None if not asked for.
    """

    path: str
    class_id: int | None
    label: str
    confidence: float
    top: tuple[Candidate, ...]
    prepared: str
    model: str | None = None
    embedding: bytes | None = None


class Rejected(NamedTuple):
    """An input without a label, and the reason."""

    path: str
    error: str


Row = Prediction | Rejected


def printable(text: str) -> str:
    """`text` without control characters: a file name must not move the cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
