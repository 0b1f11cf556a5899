"""Pictures made worse on purpose: what `robustness.py` measures accuracy on.

Everything is numpy (JPEG excepted, which OpenCV writes and reads), seeded, and computed for a
whole batch at once. Kinds and, where they suit garments of 28×28 pixels, their strengths follow

* Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions
  and Perturbations" (ImageNet-C, arXiv 1903.12261),
* Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for Computer Vision" (arXiv 1906.02337),
* Weiss and Tonella 2022, "Simple Techniques Work Surprisingly Well for Neural Network Test
  Prioritization and Active Learning" (Fashion-MNIST-C, ISSTA 2022);

the implementations are of this project, so figures compare within it, not with those papers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from zlib import crc32

import numpy as np

from fmnist_cli.contract import Pixels
from harness import effects
from harness.effects import Images

# float32 [N, 28, 28] in 0..1, level, generator → the same shape; values outside 0..1 are cut off.
Apply = Callable[[Images, float, np.random.Generator], Images]


class Corruption(NamedTuple):
    """A kind of corruption.

    Attributes:
        title: name for people.
        group: one of `GROUPS`.
        source: the data set it is taken from.
        parameter: what the levels are, in words.
        levels: one for each strength, from 1 on.
        apply: what it does.
    """

    title: str
    group: str
    source: str
    parameter: str
    levels: tuple[float, ...]
    apply: Apply


# Group → its title, and whether its kinds count for the mean corruption accuracy.
GROUPS: Mapping[str, tuple[str, bool]] = {
    "noise": ("noise", True),
    "blur": ("blur", True),
    "light": ("light", True),
    "cover": ("cover", True),
    "geometry": ("geometry", True),
    "polarity": ("negative", False),
    "tilt": ("tilted", False),
    "turn": ("turned", False),
    "background": ("background", False),
    "jpeg": ("JPEG", False),
}

_SHARE = "of full brightness"
_BACKGROUND = (0.1, 0.2, 0.4, 0.6, 0.8)

KINDS: Mapping[str, Corruption] = {
    "gaussian_noise": Corruption(
        "Gaussian noise", "noise", "ImageNet-C", f"standard deviation, {_SHARE}",
        (0.08, 0.12, 0.18, 0.26, 0.38), effects.gaussian_noise,
    ),
    "shot_noise": Corruption(
        "Shot noise", "noise", "MNIST-C", "photons of a white pixel",
        (60, 25, 12, 5, 3), effects.shot_noise,
    ),
    "impulse_noise": Corruption(
        "Impulse noise", "noise", "MNIST-C", "share of pixels black or white",
        (0.03, 0.06, 0.09, 0.17, 0.27), effects.impulse_noise,
    ),
    "defocus_blur": Corruption(
        "Defocus blur", "blur", "ImageNet-C", "radius in pixels",
        (1, 1.5, 2, 2.5, 3), effects.defocus_blur,
    ),
    "motion_blur": Corruption(
        "Motion blur", "blur", "MNIST-C", "length in pixels, any direction",
        (3, 5, 7, 9, 12), effects.motion_blur,
    ),
    "glass_blur": Corruption(
        "Glass blur", "blur", "MNIST-C", "how far a pixel may go",
        (1, 1.5, 2, 3, 4), effects.glass_blur,
    ),
    "pixelate": Corruption(
        "Pixelate", "blur", "ImageNet-C", "pixels a side",
        (17, 14, 11, 8, 7), effects.pixelate,
    ),
    "brightness": Corruption(
        "Brightness", "light", "MNIST-C", f"added, {_SHARE}",
        (0.1, 0.2, 0.3, 0.4, 0.5), effects.brightness,
    ),
    "contrast": Corruption(
        "Contrast", "light", "ImageNet-C", "share of the contrast that is left",
        (0.5, 0.4, 0.3, 0.2, 0.1), effects.contrast,
    ),
    "fog": Corruption(
        "Fog", "light", "MNIST-C", "thickness",
        (0.5, 1, 1.5, 2, 2.5), effects.fog,
    ),
    "spatter": Corruption(
        "Spatter", "cover", "MNIST-C", "share of the picture under mud",
        (0.05, 0.1, 0.15, 0.2, 0.3), effects.spatter,
    ),
    "zigzag": Corruption(
        "Zigzag", "cover", "MNIST-C", "lines across",
        (1, 2, 3, 4, 5), effects.zigzag,
    ),
    "translate": Corruption(
        "Translate", "geometry", "MNIST-C", "pixels along both axes",
        (1, 2, 3, 4, 5), effects.translate,
    ),
    "scale": Corruption(
        "Scale", "geometry", "MNIST-C", "size",
        (0.9, 0.8, 0.7, 0.6, 0.5), effects.scale,
    ),
    "shear": Corruption(
        "Shear", "geometry", "MNIST-C", "slope, to either side",
        (0.1, 0.2, 0.3, 0.4, 0.5), effects.shear,
    ),
    "negative": Corruption(
        "Negative", "polarity", "Fashion-MNIST-C", "times inverted", (1,), effects.negative
    ),
    "tilt": Corruption(
        "Tilt", "tilt", "MNIST-C", "degrees", (-30, -15, 15, 30), effects.rotate
    ),
    "turn": Corruption(
        "Turn", "turn", "Fashion-MNIST-C", "degrees", (-90, 90, 180), effects.rotate
    ),
    "grey_background": Corruption(
        "Grey behind", "background", "this project", f"brightness, {_SHARE}",
        _BACKGROUND, effects.grey_background,
    ),
    "gradient_background": Corruption(
        "Gradient behind", "background", "this project", f"brightest, {_SHARE}",
        _BACKGROUND, effects.gradient_background,
    ),
    "striped_background": Corruption(
        "Stripes behind", "background", "this project", f"brightest, {_SHARE}",
        _BACKGROUND, effects.striped_background,
    ),
    "noisy_background": Corruption(
        "Noise behind", "background", "this project", f"brightest, {_SHARE}",
        _BACKGROUND, effects.noisy_background,
    ),
    "jpeg": Corruption(
        "JPEG", "jpeg", "ImageNet-C", "quality, of 100", (90, 50, 25, 10, 5), effects.jpeg
    ),
}  # fmt: skip


def counted() -> list[str]:
    """The kinds whose mean is the mean corruption accuracy: 15, of five strengths each."""
    return [name for name, kind in KINDS.items() if GROUPS[kind.group][1]]


def corrupt(name: str, pixels: Pixels, strength: int, seed: int = 0) -> Pixels:
    """Pictures with one kind of corruption.

    Random choices depend on the seed, the kind and the number of pictures, not on the strength: a
    noise grows without becoming another one, so strengths differ by strength alone.

    Args:
        name: of `KINDS`.
        pixels: uint8 [N, 28, 28].
        strength: from 1 to the number of the kind's levels.
        seed: the same one gives the same pictures.

    Returns:
        uint8 [N, 28, 28].

    Raises:
        KeyError: there is no such kind.
        ValueError: there is no such strength.
    """
    kind = KINDS[name]
    if not 1 <= strength <= len(kind.levels):
        raise ValueError(f"{name} has strengths from 1 to {len(kind.levels)}, not {strength}")
    rng = np.random.default_rng([seed, crc32(name.encode())])
    images = (pixels / np.float32(255)).astype(np.float32)
    worse = kind.apply(images, kind.levels[strength - 1], rng)
    return np.rint(np.clip(worse, 0, 1) * 255).astype(np.uint8)
