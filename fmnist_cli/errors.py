"""Every error a user can meet, each with the exit code of the process.

    FmnistError                 1   something failed
    ├── UsageError              2   the command line asks for something impossible
    │   └── MissingExtraError   2   the command needs packages that are not installed
    ├── DataError               1   a data set is missing, incomplete or corrupt
    │   └── DownloadError       1   a data set could not be fetched
    ├── RemoteError             1   a filesystem elsewhere refuses, or does not answer
    ├── ModelError              1   a model file is missing, altered or breaks the contract
    │   └── VerificationError   1   an exported graph disagrees with its native model
    ├── ResultsError            1   a file of measurements cannot be read
    └── TrainingError           1   a training run cannot start or continue

`ImageError` is apart: it rejects one picture, becomes that picture's row, and never
ends a run; so does any exception of another kind that a picture causes. No errors are the exit
codes 3 (done, some inputs rejected), 4 (measured, and a rule of `fmnist bench --fail-if` holds) and
130 (interrupted).
"""

from __future__ import annotations

from typing import ClassVar

DEBUG = "FMNIST_DEBUG"  # environment variable: show where unexpected errors arise
EXIT_REJECTED = 3
EXIT_RULE_FAILED = 4
EXIT_INTERRUPTED = 130


class FmnistError(Exception):
    """Base of all errors shown to a user; the message names the cause and the fix."""

    exit_code: ClassVar[int] = 1


class UsageError(FmnistError):
    """The command line asks for something that does not exist or does not fit."""

    exit_code = 2


class MissingExtraError(UsageError):
    """The command needs packages that the serving install leaves out."""

    def __init__(self, package: str, extra: str = "train") -> None:
        super().__init__(
            f"this command needs the package '{package}', which is not installed\n"
            f"hint: pip install 'fmnist-cli[{extra}]'"
            f"   (inside a clone of the project: pip install -e '.[{extra}]')"
        )


class DataError(FmnistError):
    """A data set is missing, incomplete or corrupt."""


class DownloadError(DataError):
    """A data set could not be fetched from any mirror."""


class RemoteError(FmnistError):
    """A filesystem elsewhere refuses, or does not answer.

    Attributes:
        missing: whether what was asked for is not there.
    """

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class ModelError(FmnistError):
    """A model file is missing, altered or does not honour the contract."""


class VerificationError(ModelError):
    """An exported graph does not agree with the native model it came from."""


class ResultsError(FmnistError):
    """A file of measurements cannot be read or is none."""


class TrainingError(FmnistError):
    """A training run cannot start or continue."""


class ImageError(Exception):
    """One picture cannot be used; the message is the reason in its row."""
