"""Classical and deep models in one: their opinions weighed by class.

The report's future work. Members are finished runs; what is fitted is small: one weight per
member and class, and one offset per class, on images that no member was fitted on
(stacking, Wolpert 1992; the rule is a log-linear opinion pool, Genest & Zidek 1986).
"""

from __future__ import annotations

from fmnist_cli.models.registry import StackRecipe

_MEMBERS = ("resnet", "mlp", "logreg")  # docs/research/accuracy.md has the others

RECIPES = dict.fromkeys(("quick", "standard", "best"), StackRecipe(_MEMBERS))
