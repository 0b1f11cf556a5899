"""`--engine ray`, on two nodes of this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded

from fmnist_cli import parts
from fmnist_cli.cli.labelling import RAY, Run, label
from fmnist_cli.engines.ray import _make, spread
from fmnist_cli.errors import FmnistError, UsageError
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.sinks import KINDS
from fmnist_cli.sinks.outputs import Wanted
from fmnist_cli.sources import Inputs, open_sources
from fmnist_cli.store import open_store

pytest.importorskip("pyarrow")
pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray

SIZE, COUNT = 4, 64


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large pictures, which take a while, as links of one; and one that is none."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (900, 900, 3), np.uint8)
    (root / "large").write_bytes(encoded(noise, "PNG"))
    (root / "photos").mkdir()
    for number in range(COUNT):
        os.link(root / "large", root / "photos" / f"{number:03}.png")
    (root / "photos" / "777.png").write_bytes(b"no picture")
    return root / "photos"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and one more node, of one core each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "INPUTS", SIZE)
        patch.setenv("PYTHONPATH", str(Path(parts.__file__).parents[1]))
        two = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            two.other = two.add_node(num_cpus=1)
            yield two
        finally:
            two.shutdown()


def fill(photos: Path, target: Path, models: Path, **run: Any) -> int:
    how = {"model": "cnn", "models_dir": models, "workers": 1, **run}
    return label(Inputs((str(photos),)), Settings(), Wanted((f"{target}/",)), Run(**how))


def test_an_error_elsewhere_is_told_here(cluster: Any, tmp_path: Path) -> None:
    how = {"address": cluster.address, "cores": 1, "memory": 1 << 30}
    assert list(spread(sorted, ["a", "b"], **how)) in (["a", "b"], ["b", "a"])
    with pytest.raises(UsageError, match=r"^there is no file or folder called 'nowhere'$"):
        list(spread(open_sources, ["nowhere"], **how))
    with pytest.raises(FmnistError, match="a machine of the cluster has no folder"):
        _make(sorted, "a", str(tmp_path / "gone"), 1 << 30)


def test_a_node_is_lost_and_no_row(
    cluster: Any, photos: Path, tmp_path: Path, exported_dir: Path
) -> None:
    rows = tmp_path / "rows"

    def lose() -> None:
        while len(list(rows.glob("part-*.parquet"))) < 3:
            time.sleep(0.02)
        cluster.remove_node(cluster.other, allow_graceful=False)

    thief = threading.Thread(target=lose)
    thief.start()
    how = {"engine": RAY, "address": cluster.address}
    assert fill(photos, rows, exported_dir, **how) == 3
    thief.join()
    assert fill(photos, tmp_path / "local", exported_dir, engine="fork") == 3
    made = {path.name: path.read_bytes() for path in rows.glob("part-*")}
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "local").glob("part-*")}
    assert parts.merge(open_store(rows), tmp_path / "rows.jsonl", KINDS["jsonl"]) == (17, COUNT + 1)


def test_without_a_cluster_or_a_folder(photos: Path, tmp_path: Path, exported_dir: Path) -> None:
    run = Run(model="cnn", models_dir=exported_dir, engine=RAY, address="nonsense")
    with pytest.raises(UsageError, match="cannot start Ray at nonsense"):
        label(Inputs((str(photos),)), Settings(), Wanted((f"{tmp_path}/rows/",)), run)
    with pytest.raises(UsageError, match="give -o FOLDER/"):
        label(Inputs((str(photos),)), Settings(), Wanted((f"{tmp_path}/rows.csv",)), run)
    how = run._replace(engine="fork")
    with pytest.raises(UsageError, match="needs --engine ray"):
        label(Inputs((str(photos),)), Settings(), Wanted((f"{tmp_path}/rows/",)), how)
