"""A small colour network as a model of the registry: blocks, depthwise, and more than logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tinymodel import card_of
from torch import Tensor, nn

from fmnist_cli.contract import (
    EMBEDDING_NAME,
    INPUT_NAME,
    NOVELTY_NAME,
    OUTPUT_NAME,
    InputSpec,
    ModelCard,
    Pixels,
)
from fmnist_cli.export.graph import OPSET, canonical, serialize
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import REGISTRY, ModelSpec
from fmnist_cli.runtime.store import ModelFile

NAMES = ("Top", "Shoe", "Bag")
SPEC = InputSpec(height=48, width=64, color="rgb", preprocessing="letterbox")
CARD: ModelCard = card_of("toyphoto", NAMES)._replace(test_accuracy=None, input=SPEC)
RECIPES: dict[str, object] = {}


def _convolution(before: int, after: int, kernel: int, groups: int = 1) -> list[nn.Module]:
    stride = 2 if groups > 1 else 1
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(after, eps=1e-3), nn.ReLU6(inplace=True)]


class Network(nn.Module):
    """float32 [N, 3, 48, 64] → logits [N, classes], novelty [N], features [N, 16]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Sequential(*_convolution(3, 8, 3)),
            nn.Sequential(*_convolution(8, 8, 3, groups=8), *_convolution(8, 12, 1)),
            nn.Sequential(*_convolution(12, 12, 5, groups=12), *_convolution(12, 16, 1)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.novelty = nn.Linear(16, 1)  # before `head`, of the same kind, and no part of it
        self.head = nn.Linear(16, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All that the network says."""
        features = self.backbone(images)
        novelty = self.novelty(features).squeeze(1) / 3
        return self.head(features), novelty, features


def build(classes: int) -> nn.Module:
    """The network, untrained."""
    return Network(classes)


class _Outputs(nn.Module):
    def __init__(self, classifier: PixelClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, *others = self.classifier.network(self.classifier.normalize(pixels))
        return torch.softmax(logits / self.classifier.temperature, dim=1), *others


def classifier() -> PixelClassifier:
    """A seeded network whose normalisations do something."""
    torch.manual_seed(6)
    made = PixelClassifier(build(len(NAMES)), 0.498, 0.502)
    for parameter in made.parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 1)
    for _ in range(40):  # until the running statistics are those of the pictures
        made.logits(torch.from_numpy(pictures(16)))
    return made.eval()


def pictures(count: int) -> Pixels:
    """Noise of one colour each, uint8 [count, 48, 64, 3]."""
    rng = np.random.default_rng(1)
    tints = rng.uniform(0, 1, (count, 1, 1, 3))
    return (tints * rng.integers(0, 256, (count, *SPEC.shape))).astype(np.uint8)


def content(network: PixelClassifier) -> bytes:
    """Its file, the weights in half precision."""
    outputs = [OUTPUT_NAME, NOVELTY_NAME, EMBEDDING_NAME]
    program = torch.onnx.export(
        _Outputs(network).eval(),
        (torch.zeros(2, *SPEC.shape, dtype=torch.uint8),),
        dynamo=True,
        input_names=[INPUT_NAME],
        output_names=outputs,
        dynamic_shapes={"pixels": {0: "N"}},
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = canonical(program.model_proto, kept=(INPUT_NAME, *outputs))
    halve(model.graph)
    return serialize(model, CARD)


def halve(graph: onnx.GraphProto) -> None:
    """Store the weights of products as float16, each behind a node that casts it back."""
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        node = helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT)
        graph.node.insert(0, node)


def file_of(network: PixelClassifier, folder: Path) -> ModelFile:
    """The file in a folder."""
    path = folder / "toyphoto.onnx"
    path.write_bytes(content(network))
    return ModelFile.of("toyphoto", path, path.read_bytes())


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it a model of the registry."""
    spec = ModelSpec("toyphoto", "Toy photos", "torch", __name__, 1e-4)
    monkeypatch.setitem(REGISTRY, "toyphoto", spec)
