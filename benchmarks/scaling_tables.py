"""The tables of docs/scaling.md; `readme_tables.py` writes them into the page."""

from __future__ import annotations

from statistics import median

from harness.tables import RESULTS, read, table

BILLION = 1e9
MACHINES, CORES = 100, 16
_CASES = ("cnn-png", "resnet-png", "photo-photos", "cnn-photos-12mp")


def billion_table() -> str:
    """What a billion pictures take, from images per second with all cores busy."""
    document = read(RESULTS / "classify.json")
    rows = []
    for name in _CASES:
        case = document["cases"][name]
        rate = case["ours"]["steady_images_per_s"]["median"] / document["machine"]["cores"]
        hours = BILLION / rate / 3600
        rows.append(
            [
                case["title"],
                f"`{case['model']}`",
                f"{rate:,.0f}",
                f"{hours:,.0f}",
                f"{hours / (MACHINES * CORES):,.2f}",
            ]
        )
    last = f"Hours on {MACHINES} machines of {CORES} cores"
    return table(["Pictures", "Model", "Images/s of a core", "Core-hours", last], rows, words=2)


def remote_table() -> str:
    """The same pictures from elsewhere and from the disk."""
    document = read(RESULTS / "remote.json")
    rows = [
        [
            run["name"].rpartition(", ")[2],
            f"`{run['model']}`",
            f"{run['pictures']:,}",
            f"{run['images_per_s']:,.0f}",
            f"{run['pss_bytes'] / 1e6:,.0f} MB",
        ]
        for run in [*document["slow"]["runs"], *document["s3"]["runs"]]
    ]
    header = ["From", "Model", "Pictures", "Images/s", "Peak memory"]
    cost = median(document["fetch"]["runs"][0]["cpu_s_per_object"])
    return (
        f"{table(header, rows, words=2)}\n\n"
        f"A small object of S3 costs its client {cost * 1e3:.1f} ms of a core."
    )


def listing_table() -> str:
    """How long it takes to name a million objects, and how much memory."""
    rows = [
        [
            run["name"],
            f"{run['objects_per_s']:,.0f}",
            f"{run['seconds']:,.1f} s",
            f"{run['peak_rss_bytes'] / 1e6:,.0f} MB",
        ]
        for run in read(RESULTS / "remote.json")["listing"]["runs"]
    ]
    return table(["From", "Names/s", "A million", "Peak memory"], rows)


def ray_table() -> str:
    """Two nodes against the local engine with as many cores."""
    rows = [
        [
            "photos on S3" if run["source"].startswith("s3:") else "PNGs",
            f"`{run['model']}`",
            f"{run['pictures']:,}",
            f"{run['inputs_of_a_part']:,}",
            f"{run['local_s']:,.1f} s",
            f"{run['ray_s']:,.1f} s{', a node killed' * run['node_killed']}",
            f"{(run['ray_s'] - run['local_s']) / run['pictures'] * 1e6:,.0f} µs",
            "the same bytes" if run["same_parts"] else "others",
        ]
        for run in read(RESULTS / "remote.json")["ray"]["runs"]
    ]
    header = [
        "Inputs",
        "Model",
        "Pictures",
        "Of a part",
        "Local",
        "Ray",
        "More per picture",
        "Parts",
    ]
    return table(header, rows, words=2)


FILES = {
    "docs/scaling.md": {
        "billion": billion_table,
        "remote": remote_table,
        "listing": listing_table,
        "ray": ray_table,
    }
}
