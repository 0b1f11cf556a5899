"""Finding garments in photos: `isolate.onnx`, loaded when the first photo needs it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from fmnist_cli.errors import UsageError
from fmnist_cli.manifest import Part
from fmnist_cli.prepare import may_isolate
from fmnist_cli.runtime.parts import part_session
from fmnist_cli.runtime.store import find_models_dir, find_part, open_part

PART = "isolate"
INPUT, OUTPUT = "image", "mask"


class Isolator:
    """Callable: uint8 [H, W, 3] RGB → float32 [h, w], 0 to 1, how probably it is garment.

    Made at the start of every run, it only knows what the manifest says: folders without
    photos never read the file, and worker processes load it each for themselves. One thread
    runs it, since there are as many workers as cores. It may be called from several threads.

    Attributes:
        part: its entry in the manifest.
    """

    def __init__(self, part: Part, models_dir: Path) -> None:
        self.part = part
        self._models_dir = models_dir
        self._session: ort.InferenceSession | None = None
        self._loading = threading.Lock()

    def __call__(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The mask of one picture.

        Raises:
            ModelError: the file is missing, damaged, or none of this kind.
        """
        if self._session is None:
            with self._loading:
                self._session = self._session or self._load()
        (masks,) = self._session.run([OUTPUT], {INPUT: image[None]})
        return np.asarray(masks[0], np.float32)

    def _load(self) -> ort.InferenceSession:
        return part_session(open_part(PART, self._models_dir), INPUT, OUTPUT)


def open_isolator(mode: str, models_dir: Path | None = None) -> Isolator | None:
    """What finds garments, where `mode` of `fmnist_cli.prepare.MODES` may come upon photos.

    None for other modes, and for ``auto`` when the models have none with them.

    Raises:
        UsageError: `mode` is ``photo``, and they have none.
    """
    if not may_isolate(mode):
        return None
    folder = find_models_dir(models_dir)
    part = find_part(PART, folder)
    if part is not None:
        return Isolator(part, folder)
    if mode == "photo":
        raise UsageError(
            f"--prepare photo needs a network that finds garments, and {folder} has none"
            " (no 'isolate' in its manifest). Use --models-dir with a folder that has, such as"
            " that of the shipped models, or another --prepare"
        )
    return None
