"""RBF support vector machine on principal components, with calibrated probabilities.

Probabilities come from `CalibratedClassifierCV` with ``ensemble=False``: one machine
fitted on all images, and one temperature fitted on its cross-validated scores. Unlike with
``SVC(probability=True)``, the label is always the most probable class; unlike with one
sigmoid per class, it is also the machine's own.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC

from fmnist_cli.models import features as inputs
from fmnist_cli.models.features import HogFeatures, PixelFeatures, TemperedPCA
from fmnist_cli.models.registry import SklearnRecipe, presets

SHARPNESS = 2.0  # of the soft votes; chosen on validation


def pair_signs(classes: int) -> npt.NDArray[np.float64]:
    """float64 [pairs, classes]: +1 for the first class of a pair, -1 for the second."""
    pairs = list(combinations(range(classes), 2))
    signs = np.zeros((len(pairs), classes))
    for row, (first, second) in enumerate(pairs):
        signs[row, first], signs[row, second] = 1, -1
    return signs


class SoftVoteSVC(SVC):  # type: ignore[misc]
    """One-against-one `SVC` whose decision function is a sum of soft votes.

    A stock machine counts the pairs that a class wins, a function with steps: where a
    pair is close to a draw, rounding alone turns a vote and moves the probabilities far.
    Here each pair votes with tanh(2·decision), which is smooth, so that an exported graph
    can agree with it, and was as accurate on validation.

    Fitting goes through scikit-learn-intelex where that is installed: several times faster.
    The fitted machine is moved back into the attributes of the stock class: it predicts,
    is saved and is exported without the accelerator.
    """

    def decision_function(self, features: Any) -> npt.NDArray[np.float64]:
        """Scores float64 [N, classes] of features [N, D]."""
        # The parent's one-against-one decisions, without its hard votes.
        pairs = self._decision_function(features)
        votes: npt.NDArray[np.float64] = np.tanh(SHARPNESS * pairs)
        return votes @ pair_signs(len(self.classes_))

    def fit(self, features: Any, labels: Any, sample_weight: Any = None) -> SoftVoteSVC:
        """Fit on features [N, D] and labels [N], as `SVC.fit` does."""
        try:
            from sklearnex.svm import SVC as Accelerated  # noqa: N811
        except ImportError:
            super().fit(features, labels, sample_weight)
            return self
        fitted = Accelerated(**self.get_params()).fit(features, labels, sample_weight)
        for name in ("classes_", "class_weight_", "n_features_in_", "n_iter_", "shape_fit_"):
            setattr(self, name, getattr(fitted, name))
        self.support_ = fitted.support_.astype(np.int32)
        self.support_vectors_ = np.ascontiguousarray(fitted.support_vectors_, dtype=np.float64)
        self._n_support = fitted.n_support_.astype(np.int32)
        self.dual_coef_ = self._dual_coef_ = np.ascontiguousarray(fitted.dual_coef_, np.float64)
        self.intercept_ = self._intercept_ = np.asarray(fitted.intercept_, np.float64)
        self._probA = self._probB = np.empty(0)
        self._gamma, self._num_iter = fitted._gamma, fitted.n_iter_
        self._sparse, self._effective_probability, self.fit_status_ = False, False, 0
        return self


# Types that a saved model may hold besides those skops knows to be harmless.
TRUSTED = (
    *inputs.TRUSTED,
    "fmnist_cli.models.svm.SoftVoteSVC",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.model_selection._split.StratifiedKFold",
)

VARIANTS = {
    "hog": presets(
        SklearnRecipe({"features": "hog", "components": 64}, samples=12_000),
        SklearnRecipe({"features": "hog", "components": 128}),
    ),
    "pixels": presets(
        SklearnRecipe({"features": "pixels", "components": 50}, samples=12_000),
        SklearnRecipe({"features": "pixels", "components": 100}),
    ),
}
RECIPES = VARIANTS["hog"]

# Chosen on validation; the two kinds of features differ in scale.
_GAMMA = {"hog": 0.013, "pixels": 0.03}


def build(
    seed: int,
    *,
    components: int,
    features: str = "hog",
    c: float = 5.0,
    gamma: float | None = None,
    folds: int = 3,
) -> Pipeline:
    """Unfitted pipeline: pixels uint8 [N, 28, 28] → probabilities [N, 10].

    `gamma` is by default what was best for the kind of `features`.
    """
    machine = SoftVoteSVC(C=c, gamma=gamma or _GAMMA[features], cache_size=2000)
    cv = StratifiedKFold(folds, shuffle=True, random_state=seed)
    calibrated = CalibratedClassifierCV(machine, method="temperature", ensemble=False, cv=cv)
    if features == "hog":
        tempered = TemperedPCA(components, exponent=0.25)
        return make_pipeline(HogFeatures(cell=2), tempered, calibrated)
    pca = PCA(components, svd_solver="covariance_eigh")
    return make_pipeline(PixelFeatures(), pca, calibrated)
