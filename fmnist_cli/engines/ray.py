"""Ray: slices of the inputs to the machines of a cluster, each worked off there by processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, TypeVar

from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.errors import FmnistError, MissingExtraError, UsageError
from fmnist_cli.machine import bounded_memory

P = TypeVar("P")
R = TypeVar("R")


def spread(
    make: Callable[[list[P]], Iterable[R]],
    pieces: Iterable[P],
    *,
    address: str | None,
    cores: int,
    memory: int,
) -> Generator[R, None, None]:
    """`make` of each piece, as a task of Ray; the results of a piece when all of it is done.

    A task whose process or machine is lost is done again elsewhere, by Ray.

    Args:
        make: what is done with a list of one piece; a value that can be sent to other machines.
        pieces: taken up lazily, a quarter more than fit the cluster.
        address: of the cluster; None for that of RAY_ADDRESS, one that runs here, or a new one.
        cores: that a task takes.
        memory: bytes that a picture may take.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: there is no cluster at the address.
        FmnistError: as `make`, or a piece was lost again and again.
    """
    ray = _started(address)
    try:
        task = ray.remote(num_cpus=cores)(_make)
        shared = ray.put(make)
        running: list[Any] = []
        for piece in pieces:
            while len(running) >= max(2, int(ray.cluster_resources().get("CPU", 0) / cores * 1.25)):
                yield from _done(ray, running)
            running.append(task.remote(shared, piece, str(Path.cwd()), memory))
        while running:
            yield from _done(ray, running)
    finally:
        ray.shutdown()  # tasks end with the program that started them


def _started(address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # 20 take a quarter of an hour
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"cannot start Ray{f' at {address}' if address else ''}: {error}. Without --address"
            " it starts on this machine"
        ) from error
    return ray


def _make(make: Callable[[list[P]], Iterable[R]], piece: P, folder: str, memory: int) -> list[R]:
    """On some machine of the cluster."""
    try:
        os.chdir(folder)  # where relative paths start
    except OSError as error:
        raise FmnistError(
            f"a machine of the cluster has no folder {folder}; inputs and outputs must be on a file"
            " system that all machines have in the same place"
        ) from error
    with bounded_memory(memory), libraries_quiet():
        return list(make([piece]))


def _done(ray: Any, running: list[Any]) -> list[Any]:
    """Wait for a task and take it from the list; its results."""
    (first,), running[:] = ray.wait(running)
    try:
        results: list[Any] = ray.get(first)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise FmnistError(
            f"Ray could not complete a part, however often it tried: {error}. What is done stays;"
            " the same command goes on"
        ) from error
    return results
