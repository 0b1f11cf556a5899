"""What is said of one input: a prediction or the reason there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class and its probability, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The label of one picture.

    Attributes:
        path: stable name of the input, relative to the folder it was found in.
        class_id: column of the most probable class.
        label: its name.
        confidence: its probability, 0 to 1.
        top: the most probable classes, best first.
        prepared: the preparation that made the frame.
    """

    path: str
    class_id: int
    label: str
    confidence: float
    top: tuple[Candidate, ...]
    prepared: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An input without a label, and the reason."""

    path: str
    error: str


Row = Prediction | Rejected
