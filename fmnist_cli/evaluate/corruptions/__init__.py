"""Pictures made worse on purpose: what `fmnist bench --robustness` measures accuracy on.

Everything is numpy (JPEG excepted, which OpenCV writes and reads), seeded, and computed for a
whole batch at once. Kinds and, where they suit garments of 28×28 pixels, their strengths follow

* Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions
  and Perturbations" (ImageNet-C, arXiv 1903.12261),
* Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for Computer Vision" (arXiv 1906.02337),
* Weiss and Tonella 2022, "Simple Techniques Work Surprisingly Well for Neural Network Test
  Prioritization and Active Learning" (Fashion-MNIST-C, ISSTA 2022);

the implementations are this package's own, so figures compare within it, not with these papers.
"""

from __future__ import annotations

from fmnist_cli.evaluate.corruptions.registry import (
    GROUPS,
    KINDS,
    Corruption,
    corrupt,
    counted,
)

__all__ = ["GROUPS", "KINDS", "Corruption", "corrupt", "counted"]
