"""Peak memory of a process that does nothing but load one model and run it."""

from __future__ import annotations

import sys
from pathlib import Path

from fmnist_cli.bench.child import last_words, run_python
from fmnist_cli.errors import ModelError

_STATUS = Path("/proc/self/status")


def peak_memory_bytes(path: Path, threads: int, batch_size: int) -> int | None:
    """Peak resident memory of a fresh process that loads the file and runs one image and a batch.

    The whole process counts: the interpreter, numpy and ONNX Runtime (about 60 MB) as well as
    the file's content, which stays in memory beside the session.

    Args:
        path: a graph that a `Session` accepted.
        threads: within one call.
        batch_size: images of the second call.

    Returns:
        Bytes; None where the system does not tell.

    Raises:
        ModelError: the process failed.
    """
    program = f"from {__name__} import main; main()"
    done = run_python(program, str(path), str(threads), str(batch_size))
    if done.returncode:
        raise ModelError(
            f"a process that loads and runs {path} ended with exit code {done.returncode}:"
            f" {last_words(done)}"
        )
    return int(done.stdout) or None


def main() -> None:
    """The child: load the file, run it, print the peak in bytes, 0 if the system has no word."""
    from fmnist_cli.bench.pixels import random_pixels
    from fmnist_cli.inference.models import ModelFile
    from fmnist_cli.inference.session import Session

    path, threads, batch_size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    session = Session(ModelFile.of(path.stem, path, path.read_bytes()), threads)
    pixels = random_pixels(session.spec.shape, batch_size)
    session(pixels[:1])
    session(pixels)
    sys.stdout.write(str(own_peak_bytes() or 0))


def own_peak_bytes() -> int | None:
    """Peak resident memory of this process so far; None where the system does not tell.

    Linux hands getrusage's peak on from the process that started this one, so there it is
    read from /proc.
    """
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return 1024 * int(peaks[0]) if peaks else None
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None
