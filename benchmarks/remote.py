"""Pictures in a bucket, on a slow filesystem and on a cluster, against the same from the disk.

Run: python benchmarks/remote.py [--only listing fetch s3 slow ray] [--photos FOLDER]

Needs the extras `remote`, `ray` and `dev`. The bucket is moto's server, a process of its own that
serves some tens of objects a second. The slow filesystem is that of the tests: it makes its
pictures, and takes `DELAY` for every request. The cluster are two nodes of this machine with one
core each, which get parts of `PART` inputs, or of the usual number; the local engine has two
workers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness import sets
from harness.memory import watch
from harness.trees import tree

from fmnist_cli import parts
from fmnist_cli.machine import Machine

RESULTS = Path(__file__).resolve().parent / "results" / "remote.json"
TESTS = Path(__file__).resolve().parents[1] / "tests"
DELAY = 0.02  # seconds
PART = 500
FEW = 1000
PORT = 18765
ACCOUNT = "123456789012"  # moto's
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "anybody",
    "AWS_SECRET_ACCESS_KEY": "anything",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SLOWFS_DELAY": str(DELAY),
}


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(MEASURED), default=list(MEASURED))
    parser.add_argument("--photos", type=Path, help="folder of photos, for s3 and ray")
    parser.add_argument("--million", type=int, default=1_000_000, help="pictures for slow")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file, added to")
    work = Path(tempfile.gettempdir()) / "fmnist-benchmarks"
    parser.add_argument("--work", type=Path, default=work, help="folder for pictures")
    parser.add_argument("--serve", nargs="+", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def report(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def files_in(folder: Path) -> list[Path]:
    """All files below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def serve(folders: Sequence[Path]) -> None:
    """Serve each folder as a bucket of its name, until standard input ends."""
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

    store = s3_backends[ACCOUNT]["aws"]
    for folder in folders:
        store.create_bucket(folder.name, "us-east-1")
        for path in files_in(folder):
            store.put_object(folder.name, f"in/{path.relative_to(folder)}", path.read_bytes())
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(*server.get_host_and_port(), flush=True)
    sys.stdin.read()


@contextmanager
def buckets(*folders: Path) -> Iterator[None]:
    """A server with these buckets, for which the environment is set."""
    command = [sys.executable, __file__, "--serve", *map(str, folders)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        host, port = server.stdout.readline().split() if server.stdout else ("", "")
        os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
        try:
            yield
        finally:
            server.kill()


def timed(name: str, count: int, source: str | Path, model: str, out: Path) -> dict[str, Any]:
    """`fmnist classify` of `count` pictures: seconds from start to end, and peak memory."""
    command = [sys.executable, "-m", "fmnist_cli", "classify", str(source), "-q"]
    peak = watch([*command, "-m", model, "-o", str(out)], 0.1)
    with out.open("rb") as rows:
        found = sum(1 for _ in rows)
    if found != count:
        raise SystemExit(f"{name}: {found:,} rows for {count:,} pictures")
    entry = {"name": name, "model": model, "pictures": count, **asdict(peak)}
    entry["images_per_s"] = count / peak.seconds
    report(
        f"{name:<24}{count:>10,} pictures {peak.seconds:8.1f} s {entry['images_per_s']:9.1f}/s"
        f" {peak.pss_bytes / 1e6:6.0f} MB"
    )
    return entry


def by_path(rows: Path) -> list[str]:
    """The rows in an order of their own: stores and disks list in different ones."""
    return sorted(rows.read_text(encoding="utf-8").splitlines())


def measure_s3(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The same pictures from a bucket and from the disk; their rows are the same."""
    frames = sets.frames(options.work).folder
    work, runs = options.work, []
    chosen = [(frames, "cnn"), *([(options.photos, "photo")] if options.photos else [])]
    with buckets(*(folder for folder, _ in chosen)):
        for folder, model in chosen:
            here, there = work / "here.jsonl", work / "there.jsonl"
            count = len(files_in(folder))
            runs.append(timed(f"{model}, disk", count, folder, model, here))
            runs.append(timed(f"{model}, s3", count, f"s3://{folder.name}/in/", model, there))
            runs[-1]["same_rows"] = by_path(here) == by_path(there)
    return runs


class Listing(BaseHTTPRequestHandler):
    """A bucket of `COUNT` keys that can only be listed, a thousand at a time, as S3 does it."""

    COUNT = 1_000_000

    def do_GET(self) -> None:
        """One page."""
        asked = parse_qs(urlsplit(self.path).query)
        first = int(asked.get("continuation-token", ["0"])[0])
        last = min(first + 1000, self.COUNT)
        keys = "".join(
            f"<Contents><Key>in/{number:08}.jpg</Key><LastModified>2026-01-01T00:00:00.000Z"
            f"</LastModified><ETag>&quot;{number:032x}&quot;</ETag><Size>100000</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for number in range(first, last)
        )
        more = last < self.COUNT
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult'
            ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>many</Name>'
            f"<KeyCount>{last - first}</KeyCount><MaxKeys>1000</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{keys}"
            + f"<NextContinuationToken>{last}</NextContinuationToken>" * more
            + "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def listed(name: str, source: str | Path) -> dict[str, Any]:
    """Seconds to list an input, and the peak memory of the process that does it."""
    code = (
        "import re, sys, time\nfrom fmnist_cli.sources import open_sources\n"
        "started = time.perf_counter()\ncount = sum(1 for _ in open_sources([sys.argv[1]]))\n"
        "seconds = time.perf_counter() - started\n"
        "print(count, seconds, re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(source)], stdout=subprocess.PIPE, text=True, check=True
    )
    count, seconds, kib = said.stdout.split()
    peak = int(kib) * 1024
    entry = {"name": name, "objects": int(count), "seconds": float(seconds)}
    report(f"{name:<24}{int(count):>10,} objects {float(seconds):8.1f} s {peak / 1e6:6.0f} MB")
    return {**entry, "objects_per_s": int(count) / float(seconds), "peak_rss_bytes": peak}


def measure_listing(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A million objects: by the client of S3 from a server that answers at once, and others."""
    runs = []
    server = multiprocessing.get_context("fork").Process(target=serve_listing, daemon=True)
    server.start()
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{PORT}"
    time.sleep(1)
    runs.append(listed("s3", "s3://many/in/"))
    server.kill()
    runs.append(listed("slow filesystem", f"slow://{options.million}/"))
    sources = files_in(sets.frames(options.work).folder)
    for layout in ("flat", "nested"):
        with tree(options.work, sources, options.million, layout) as folder:
            runs.append(listed(f"disk, {layout}", folder))
    return runs


def serve_listing() -> None:
    """Serve `Listing`."""
    ThreadingHTTPServer(("127.0.0.1", PORT), Listing).serve_forever()


def cpu_of(source: str | Path) -> float:
    """Seconds of CPU that `fmnist classify` takes, in one process."""
    command = [sys.executable, "-m", "fmnist_cli", "classify", str(source), "-q", "-m", "cnn"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*command, "--engine", "threads", "--workers", "1"], stdout=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_fetch(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What the client of S3 costs, in CPU for each object."""
    few = options.work / "few"
    shutil.rmtree(few, ignore_errors=True)
    few.mkdir()
    for path in files_in(sets.frames(options.work).folder)[:FEW]:
        shutil.copy(path, few)
    with buckets(few):
        costs = [(cpu_of("s3://few/in/") - cpu_of(few)) / FEW for _ in range(3)]
    report(f"{sorted(costs)[1] * 1e3:.2f} ms of CPU for each object")
    return [{"name": "s3", "objects": FEW, "cpu_s_per_object": costs}]


def measure_slow(options: argparse.Namespace) -> list[dict[str, Any]]:
    """More and more pictures from a filesystem that takes its time, and from the disk."""
    sources, runs = files_in(sets.frames(options.work).folder), []
    out = options.work / "rows.jsonl"
    for count in (10_000, 100_000, options.million):
        runs.append(timed("slow filesystem", count, f"slow://{count}/", "logreg", out))
        with tree(options.work, sources, count, "nested") as folder:
            runs.append(timed("disk", count, folder, "logreg", out))
    out.unlink()
    return runs


def measure_ray(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Parts made by the local engine and by two nodes, of which one is killed in the last run."""
    from ray.cluster_utils import Cluster

    frames = sets.frames(options.work).folder
    usual = parts.INPUTS
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    folders = [frames, *([options.photos] if options.photos else [])]
    runs = []
    with buckets(*folders):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        other = cluster.add_node(num_cpus=1)
        inputs = [(str(frames), "cnn", PART, False), (str(frames), "cnn", PART, True)]
        with tree(options.work, files_in(frames), 100_000, "nested") as many:
            inputs += [(str(many), "cnn", size, False) for size in (PART, usual)]
            if options.photos:
                inputs.append((f"s3://{options.photos.name}/in/", "photo", PART, False))
            # The run that loses a node is the last.
            for source, model, parts.INPUTS, kill in sorted(inputs, key=lambda one: one[3]):
                local, spread = options.work / "local", options.work / "spread"
                shutil.rmtree(local, ignore_errors=True)
                shutil.rmtree(spread, ignore_errors=True)
                here = filled(source, local, model, workers=2)
                if kill:
                    threading.Thread(target=lose, args=(cluster, other, spread)).start()
                there = filled(source, spread, model, workers=1, address=cluster.address)
                same = [one.read_bytes() for one in files_in(local)]
                same = same == [one.read_bytes() for one in files_in(spread)]
                runs.append(
                    {
                        "source": source.replace(str(options.work), "WORK"),
                        "model": model,
                        "pictures": parts_rows(spread),
                        "inputs_of_a_part": parts.INPUTS,
                        "local_s": here,
                        "ray_s": there,
                        "node_killed": kill,
                        "same_parts": same,
                    }
                )
                report(str(runs[-1]))
        cluster.shutdown()
    return runs


def filled(source: str, folder: Path, model: str, *, workers: int, address: str = "") -> float:
    """Seconds that it takes to make the parts, the start of the engine included."""
    from fmnist_cli.cli.labelling import RAY, Run, label
    from fmnist_cli.inference.classifier import Settings
    from fmnist_cli.sinks.outputs import Wanted
    from fmnist_cli.sources import Inputs

    run = Run(model=model, workers=workers)
    if address:
        run = run._replace(engine=RAY, address=address)
    started = time.perf_counter()
    label(Inputs((source,)), Settings(), Wanted((f"{folder}/",)), run)
    return time.perf_counter() - started


def parts_rows(folder: Path) -> int:
    """Rows in all parts of a folder."""
    from pyarrow.parquet import read_metadata

    return sum(read_metadata(path).num_rows for path in folder.glob("part-*"))


def lose(cluster: Any, node: Any, folder: Path) -> None:
    """Kill a node when the first parts are there."""
    while len(list(folder.glob("part-*"))) < 3:
        time.sleep(0.02)
    cluster.remove_node(node, allow_graceful=False)


MEASURED = {
    "listing": measure_listing,
    "fetch": measure_fetch,
    "s3": measure_s3,
    "slow": measure_slow,
    "ray": measure_ray,
}


def main() -> None:
    """Measure and write the results."""
    options = options_of()
    if options.serve:
        serve(options.serve)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    os.environ |= ENVIRONMENT
    paths = (str(TESTS), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    document: dict[str, Any] = {"format": 1}
    if options.out.exists():
        document = json.loads(options.out.read_text(encoding="utf-8"))
    for name in options.only:
        document[name] = {
            "command": f"python benchmarks/remote.py --only {name}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": Machine.current()._asdict(),
            "delay_s": DELAY,
            "runs": MEASURED[name](options),
        }
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
