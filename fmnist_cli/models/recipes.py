"""How a model is trained under a preset: plain data, written into the training record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TorchRecipe:
    """AdamW or Muon, one-cycle learning rate, EMA weights, augmentation on the fly.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per step.
        learning_rate: peak of the cycle.
        weight_decay: decoupled decay of weight matrices (biases and norms are spared).
        label_smoothing: probability mass moved from the label to all classes, 0 to 1.
        ema_decay: per-step decay of the averaged weights, which are the ones kept.
        translate: largest shift in pixels, each axis.
        flip: whether half of the images are mirrored left to right.
        erase: share of images with a random rectangle overwritten, 0 to 1.
        relight: share of images seen in other light, 0 to 1.
        bfloat16: whether matrix products run in bfloat16 where the processor has it.
        samples: training images used, stratified; None for all.
        muon: whether filters move by orthogonalised momentum instead of AdamW.
        teachers: networks whose runs lie beside this one; the mean of what they say is
            distilled. None to learn from labels alone.
        teacher_share: share of the loss that comes from the teachers, 0 to 1.
        teacher_temperature: above 1 softens the teachers' probabilities.
        params: keyword arguments of the model's ``build``.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 5e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    ema_decay: float = 0.999
    translate: int = 2
    flip: bool = True
    erase: float = 0.0
    relight: float = 0.0
    bfloat16: bool = False
    samples: int | None = None
    muon: bool = False
    teachers: tuple[str, ...] = ()
    teacher_share: float = 0.5
    teacher_temperature: float = 1.0
    params: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def parents(self) -> tuple[str, ...]:
        """Models whose runs must be finished first."""
        return self.teachers


@dataclass(frozen=True, slots=True)
class PictureRecipe:
    """A pretrained network, trained on with labelled pictures in colour.

    Attributes:
        epochs: as many draws as there are pictures, so often.
        batch_size: pictures per step.
        learning_rate: peak of the cycle, of AdamW.
        head: the head's learning rate, in multiples of that.
        weight_decay: of matrices.
        label_smoothing: probability mass moved from what is right to all classes, 0 to 1.
        ema_decay: per-step decay of the averaged weights, which are the ones kept.
        erase: share of images with a random rectangle overwritten, 0 to 1.
        frozen: first parts of the backbone that stay as they are.
        made_up: frames of Fashion-MNIST made up as product pictures, per picture.
        nothing: pictures of nothing, per picture.
        keep: weight of what the network said before of its own classes.
        keep_types: weight of what it said of pictures for which several classes are right.
        balance: folders are drawn by their size to this power: 1 as they are, 0 equally often.
        folds: parts that the pictures are divided into.
        judged: of these, how many are left out in turn and judged by a network that has not seen
            them; this calibrates novelty and confidence.
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 5e-4
    head: float = 3.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    ema_decay: float = 0.995
    erase: float = 0.25
    frozen: int = 6
    made_up: float = 0.125
    nothing: float = 0.0625
    keep: float = 0.1
    keep_types: float = 0.5
    balance: float = 0.5
    folds: int = 3
    judged: int = 1
    samples: None = None

    @property
    def parents(self) -> tuple[str, ...]:
        """Models whose runs must be finished first: none."""
        return ()


@dataclass(frozen=True, slots=True)
class SklearnRecipe:
    """Keyword arguments of the model's ``build``, and how many images it sees.

    Attributes:
        params: arguments of ``build``.
        samples: training images used, stratified; None for all.
    """

    params: Mapping[str, float | int | str] = field(default_factory=dict)
    samples: int | None = None

    @property
    def parents(self) -> tuple[str, ...]:
        """Models whose runs must be finished first: none."""
        return ()


@dataclass(frozen=True, slots=True)
class StackRecipe:
    """Finished models joined into one.

    Attributes:
        members: registry names, whose runs lie beside this one.
        regularization: weight of the squared distance from plain averaging.
    """

    members: tuple[str, ...]
    regularization: float = 1e-2
    samples: None = None

    @property
    def parents(self) -> tuple[str, ...]:
        """Models whose runs must be finished first."""
        return self.members


Recipe = TorchRecipe | PictureRecipe | SklearnRecipe | StackRecipe
