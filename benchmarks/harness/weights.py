"""The weights of an exported graph, for the peer in PyTorch.

The peer has to predict with the same weights, also in a clone, which has the exported graphs but
no run folders.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch

from fmnist_cli.calibration import without_curve
from fmnist_cli.contract import Pixels
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.preprocess import from_frames
from fmnist_cli.training.restore import restore


def write_weights(model: str, pixels: Pixels, target: Path) -> float:
    """Write the weights of the exported `model` for `peers.torch_loader`.

    Returns:
        The largest difference between both in a probability, for uint8 [N, 28, 28].

    Raises:
        ModelError: both do not compute the same.
    """
    file = open_model(model)
    classifier, session = restore(file), Session(file)
    shown = from_frames(pixels, session.spec)
    with torch.inference_mode():
        ours = classifier(torch.from_numpy(np.array(shown))).numpy()
    # The curve that calibrates confidence lies behind the network and changes no label.
    _, curve = without_curve(onnx.load_from_string(file.content))
    if curve is not None:
        ours = curve(ours)
    torch.save(classifier.state_dict(), target)
    return float(np.abs(ours - session(shown)).max())
