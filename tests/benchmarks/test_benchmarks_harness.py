"""The parts of the measurements against peers that are no measurements."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import memory
import numpy as np
import pytest
from harness import case, musts, sets, trees
from harness.labels import agreement
from harness.memory import kilobytes, users_of, watch
from harness.rounds import Run, Spread, in_turns, interleave, ratio, run
from harness.trees import tree


def test_every_round_has_all_names_and_every_second_one_is_turned_round() -> None:
    assert list(in_turns(["a", "b", "c"], 3)) == ["a", "b", "c", "c", "b", "a", "a", "b", "c"]


def test_results_are_kept_by_contender_and_round() -> None:
    calls: list[str] = []
    told: list[str] = []

    def contender(name: str) -> str:
        calls.append(name)
        return f"{name}{calls.count(name)}"

    results = interleave({name: partial(contender, name) for name in "ab"}, 2, told.append)
    assert results == {"a": ["a1", "a2"], "b": ["b1", "b2"]}
    assert calls == ["a", "b", "b", "a"]
    assert len(told) == 2


def test_ratios_are_taken_within_rounds() -> None:
    # A machine twice as slow in the second round: the ratio does not notice.
    assert ratio([3.0, 6.0, 3.3], [1.0, 2.0, 1.0]) == Spread(3.0, 3.0, 3.3, (3.0, 3.0, 3.3))


def test_a_spread_is_rounded_when_written() -> None:
    assert Spread.of([1.2345678, 2.0]).to_json() == {
        "median": 1.6173,
        "min": 1.2346,
        "max": 2.0,
        "values": [1.2346, 2.0],
    }


def test_a_child_reports_in_json() -> None:
    done = run([sys.executable, "-c", "print('{\"seconds\": 2}')"])
    assert done.report == {"seconds": 2}
    assert done.wall_s > 0


def test_a_failing_child_ends_the_measurement_with_its_last_words() -> None:
    with pytest.raises(SystemExit, match=r"(?s)exit code 7 of.*no such thing"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('no such thing'); sys.exit(7)"])


def _runs(seconds: list[float], **more: float) -> list[Run]:
    return [Run(s + 1, json.dumps({"seconds": s, **more})) for s in seconds]


def test_figures_of_a_case() -> None:
    passes = {"decode_seconds": 1.0, "inference_seconds": 0.5}
    alone = {f"{name}_alone": seconds / 2 for name, seconds in passes.items()}
    decode_and_infer = json.dumps(passes | alone)
    runs = {
        "whole": [Run(2.0), Run(2.0)],
        "steady": _runs([1.0, 1.0]),
        "roofline": [Run(9.0, decode_and_infer)] * 2,
        "torch": _runs([5.0, 7.0], warm_up=0.5),
        "pillow": _runs([3.0, 3.0], warm_up=0.0),
    }
    result = case.figures(runs, images=100, cores=2)
    assert result["ours"]["steady_images_per_s"]["median"] == 100
    assert result["roofline"]["decode_us"]["median"] == 10_000
    assert result["roofline"]["inference_us"]["median"] == 5_000
    assert result["roofline"]["limit_images_per_s"]["median"] == pytest.approx(133.33)
    assert result["roofline"]["reached"]["median"] == 0.75
    assert result["roofline"]["reached_alone"]["median"] == 0.375
    assert result["torch"]["times_steady"]["values"] == [5, 7]
    assert result["torch"]["times_whole"]["values"] == [2.75, 3.75]
    assert result["pillow"]["times_steady"]["median"] == 3


def test_agreement_needs_the_same_pictures() -> None:
    assert agreement({"a": "Bag", "b": "Coat"}, {"b": "Coat", "a": "Dress"}) == 0.5
    with pytest.raises(SystemExit, match="not of the same pictures"):
        agreement({"a": "Bag"}, {"b": "Bag"})


def _document(steady: float, whole: float, reached: float, first_row: float) -> dict[str, Any]:
    figures = {
        "torch": {"times_steady": {"median": steady}, "times_whole": {"median": whole}},
        "roofline": {"reached": {"median": reached}},
    }
    return {"cases": {"cnn-png": figures}, "first_row": {"times": {"median": first_row}}}


def test_musts_are_judged_where_there_is_a_figure() -> None:
    lines = musts.verdicts(_document(steady=5.0, whole=6.9, reached=0.85, first_row=1.6))
    assert [line.split()[0] for line in lines] == ["met", "MISSED", "met", "met"]
    lines = musts.verdicts(_document(steady=4.9, whole=7.0, reached=0.84, first_row=1.61))
    assert [line.split()[0] for line in lines] == ["MISSED", "met", "MISSED", "MISSED"]


def test_a_choice_is_spread_over_all() -> None:
    paths = [Path(str(number)) for number in range(10)]
    assert [path.name for path in sets.spread(paths, 3)] == ["0", "3", "6"]
    assert sets.spread(paths, 20) == paths


def test_an_enlarged_photo_keeps_its_shape(tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "small.png"), small)
    sets.enlarge(tmp_path / "small.png", tmp_path / "large.jpg")
    large = cv2.imread(str(tmp_path / "large.jpg"))
    assert large is not None
    height, width = large.shape[:2]
    assert height * width == pytest.approx(12_000_000, rel=0.001)
    assert height / width == pytest.approx(80 / 60, rel=0.001)


@pytest.mark.parametrize(("layout", "folders"), [("flat", 1), ("nested", 3)])
def test_a_tree_of_links(tmp_path: Path, layout: str, folders: int) -> None:
    sources = [tmp_path / "a.png", tmp_path / "b.png"]
    for source in sources:
        source.write_bytes(source.name.encode())
    files = 2 * trees.PER_FOLDER + 1
    with tree(tmp_path / "work", sources, files, layout) as root:
        found = sets.pictures_in(root)
        assert len(found) == files
        assert len({path.parent for path in found}) == folders
        assert [path.read_bytes() for path in found[:3]] == [b"a.png", b"b.png", b"a.png"]
        assert sources[1].stat().st_nlink == trees.PER_FOLDER + 1
    assert not root.exists()


def test_kilobytes_of_a_field() -> None:
    text = "Rss:    200 kB\nPss:     120 kB\nPss_Anon:  1 kB\n"
    assert kilobytes(text, "Pss") == 120
    assert kilobytes("", "Pss") == 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux only")
def test_memory_counts_children_and_shared_pages_once() -> None:
    megabytes = 60
    script = (
        "import os, sys, time\n"
        f"block = b'x' * ({megabytes} << 20)\n"
        "if os.fork() == 0:\n"
        "    own = b'y' * (20 << 20)\n"  # beside what it shares with its parent
        "    time.sleep(0.4)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    peak = watch([sys.executable, "-c", script], interval_s=0.01)
    assert megabytes + 20 < peak.pss_bytes / (1 << 20) < 2 * megabytes
    assert megabytes + 20 < peak.anonymous_bytes / (1 << 20) < peak.pss_bytes / (1 << 20)
    assert len(peak.rss_bytes) == 2
    assert peak.samples > 2


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux only")
def test_users_of_a_library_are_found() -> None:
    assert users_of("numpy") >= 1  # this process
    assert users_of("no such library, ever") == 0


def test_memory_verdicts_compare_the_most_files_with_the_fewest() -> None:
    def entry(layout: str, files: int, megabytes: float) -> dict[str, Any]:
        size = int(megabytes * 1e6)
        return {"model": "cnn", "layout": layout, "files": files, "pss_bytes": size}

    lines = memory.verdicts(
        [
            entry("flat", 10, 100),
            entry("flat", 1000, 115),
            entry("nested", 10, 100),
            entry("nested", 1000, 116),
            entry("high", 10, 301),
            entry("high", 1000, 301),
        ]
    )
    assert [text.split()[0] for text in lines] == ["met", "MISSED", "MISSED"]


def test_lines_are_counted_without_reading_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("a\nb\n" + "c" * (1 << 20) + "\n")
    assert memory.lines_in(path) == 3
