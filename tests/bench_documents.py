"""Documents as `fmnist bench -o` writes them, with figures that are easy to tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def around(value: float, share: float = 0.05) -> dict[str, float]:
    """An estimate whose interval reaches so far on both sides."""
    return {"median": value, "low": value * (1 - share), "high": value * (1 + share)}


def result(p50_ms: float = 1.0, **changed: Any) -> dict[str, Any]:
    """A model with everything measured; `changed` replaces whole entries."""
    p95_ms, p99_ms = 2 * p50_ms, 3 * p50_ms
    rate = 1000 / p50_ms
    return {
        "title": "Model",
        "sha256": "0" * 64,
        "file_bytes": 2_000_000,
        "parameters": 12_345,
        "macs": 3_400_000,
        "peak_memory_bytes": 90_000_000,
        "peak_memory_interval": around(90e6),
        "quality": {
            "images": 40,
            "accuracy": 0.95,
            "macro_f1": 0.94,
            "shirt_f1": 0.81,
            "calibration_error": 0.0123,
            "f1": {"Shirt": 0.81},
        },
        "timing": {
            "load_s": 0.02,
            "latency": {"calls": 1000, "p50_ms": p50_ms, "p95_ms": p95_ms, "p99_ms": p99_ms},
            "latency_spread": 1.1,
            "images_per_s": 3 * rate,
            "batch_size": 16,
            "images_per_s_by_batch_size": {"1": rate, "16": 3 * rate},
            "images_per_s_spread": 1.2,
            "intervals": {
                "load_s": around(0.02),
                "p50_ms": around(p50_ms),
                "p95_ms": around(p95_ms),
                "p99_ms": around(p99_ms),
                "images_per_s": {
                    "1": {"1": around(rate), "16": around(2 * rate)},
                    "2": {"1": around(rate), "16": around(3 * rate)},
                },
            },
            "rounds": [],
        },
        "end_to_end": None,
        **changed,
    }


def document(models: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """A document of these models; `changed` replaces whole entries."""
    return {
        "format": 2,
        "command": "fmnist bench --threads 2 --seconds 8 --rounds 10",
        "date": "2026-11-25T20:00:00+00:00",
        "machine": {"processor": "Some CPU", "cores": 2, "device": "cpu", "system": "Linux"},
        "versions": {"fmnist-cli": "1", "onnxruntime": "2", "numpy": "3", "python": "4"},
        "pixels": "test",
        "threads": 2,
        "seconds_per_model": 8.0,
        "rounds": 10,
        "batch_sizes": [1, 16],
        "thread_counts": [1, 2],
        "models": dict(models),
        **changed,
    }
