"""What an audit found: issues with labels, and groups of duplicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmnist_cli.audit.duplicates import Pair, groups
from fmnist_cli.audit.labels import AuditData, Judgements, LabelQuality, label_quality
from fmnist_cli.data.fashion_mnist import Split


@dataclass(frozen=True, slots=True)
class Place:
    """An image.

    Attributes:
        position: among all images, the training file first.
        split: where it belongs.
        index: position in its official file, from 0.
        label: class of the data set.
    """

    position: int
    split: Split
    index: int
    label: int


@dataclass(frozen=True, slots=True)
class Issue(Place):
    """A label that is likely wrong.

    Attributes:
        suggested: class that the model finds the most probable.
        self_confidence: probability of the label, 0 to 1.
        suggested_probability: of the suggested class, 0 to 1.
    """

    suggested: int
    self_confidence: float
    suggested_probability: float

    @property
    def margin(self) -> float:
        """Probability of the label less that of the suggested class; the worst is -1."""
        return self.self_confidence - self.suggested_probability


@dataclass(frozen=True, slots=True)
class Copy(Place):
    """One image of a group of duplicates.

    Attributes:
        kind: how it is like the image of the group that it is most like; see `Pair`.
        correlation: with that image, up to 1.
        keep: whether it stays when duplicates are left out of training: the test images of a
            group, or else the first validation image, or else the first of all.
    """

    kind: str
    correlation: float
    keep: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are one picture: two or more, the training file first."""

    copies: tuple[Copy, ...]

    @property
    def conflicting(self) -> bool:
        """Whether their labels differ."""
        return len({copy.label for copy in self.copies}) > 1

    @property
    def closest(self) -> float:
        """Largest correlation of two of them."""
        return max(copy.correlation for copy in self.copies)

    @property
    def across_splits(self) -> bool:
        """Whether a model was trained on what it is then measured on."""
        return len({copy.split for copy in self.copies}) > 1


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """All that an audit found.

    Attributes:
        issues: likely wrong labels, the worst first.
        groups: duplicates; those with differing labels first, then those across splits, of
            these the closest first.
        train: label quality of the official training file.
        test: label quality of the official test file.
        train_accuracy: share of training images whose label is the most probable class to the
            model that did not see them, 0 to 1.
        test_accuracy: the same of the test images and the mean of all models.
    """

    issues: list[Issue]
    groups: list[Group]
    train: LabelQuality
    test: LabelQuality
    train_accuracy: float
    test_accuracy: float


def examine(data: AuditData, judgements: Judgements, pairs: list[Pair]) -> Findings:
    """Put together what the probabilities and the pairs of like images say."""
    # Apart, since the mean of several models is surer than the one that judged each
    # training image, and the thresholds are means of how sure they are.
    train = label_quality(judgements.train, data.train.labels)
    test = label_quality(judgements.test, data.test.labels)
    places = data.places()
    issues = []
    for quality, start in ((train, 0), (test, len(data.train))):
        for at in np.flatnonzero(quality.issue).tolist():
            own = float(quality.self_confidence[at])
            suggested, probability = int(quality.suggested[at]), own - float(quality.margin[at])
            issues.append(Issue(*places[start + at], suggested, own, probability))
    issues.sort(key=lambda issue: (issue.margin, issue.position))
    best: dict[int, Pair] = {}
    for pair in pairs:
        for end in (pair.first, pair.second):
            if end not in best or best[end].correlation < pair.correlation:
                best[end] = pair
    found = [Group(_copies(members, best, places)) for members in groups(pairs, len(places))]
    found.sort(key=lambda group: (not group.conflicting, not group.across_splits, -group.closest))
    return Findings(
        issues,
        found,
        train,
        test,
        float(np.mean(judgements.train.argmax(axis=1) == data.train.labels)),
        float(np.mean(judgements.test.argmax(axis=1) == data.test.labels)),
    )


def _copies(
    members: list[int], best: dict[int, Pair], places: list[tuple[int, Split, int, int]]
) -> tuple[Copy, ...]:
    """The images of a group; `best` is the pair of each with what it is most like."""
    splits = [places[member][1] for member in members]
    held_out: Split | None = next((s for s in ("test", "validation") if s in splits), None)
    stays = members[splits.index(held_out)] if held_out else members[0]
    return tuple(
        Copy(
            *places[member],
            best[member].kind,
            best[member].correlation,
            member == stays or split == "test",
        )
        for member, split in zip(members, splits, strict=True)
    )
