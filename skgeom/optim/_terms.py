"""The loss of an optimisation: weighted terms, each a function of a batch of rows, and the linear head."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from skgeom._core._labels import Labels
from skgeom.optim._checks import check_no_pairs, check_one_kind_of_y, check_supervised, check_terms
from skgeom.optim._losses import LOSSES, Loss
from skgeom.optim._monitors import takes_y, unique_names
from skgeom.optim._targets import CLASSES, CLUSTERS, INDICATOR, TARGETS

HEADS = {
    row.name: row
    for row in (
        Loss("cross_entropy", cross_entropy, "classes", -1, "Mickus et al. 2024, arXiv:2402.03191"),
        Loss("binary_cross_entropy", binary_cross_entropy_with_logits, "indicator", -1, "Mickus et al. 2024"),
    )
}
"""Losses of the outputs of the linear head against y."""

_KIND_OF_Y = {"classes": CLASSES, "indicator": INDICATOR, "labels": CLUSTERS, "targets": TARGETS}


class Batch(NamedTuple):
    """What the terms see of one update.

    The rows z (b, d) and where they started; `joint`, the rows to which y belongs: z, or the concatenated pairs of its
    rows; y of these, and their clusters.
    """

    z: Tensor
    start: Tensor
    joint: Tensor
    y: Tensor | None
    labels: Labels | None
    generator: torch.Generator


class Head(NamedTuple):
    """A linear classifier: weights (k, d), and an intercept (k,) or none."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the outputs (n, k)."""
        return torch.nn.functional.linear(rows, self.weight, self.bias)


class Term(NamedTuple):
    """A named row of the table, or a callable, and its weight in the total."""

    name: str
    weight: float
    source: Any

    @property
    def needs(self) -> str:
        """What the function takes besides the rows."""
        return self.source.needs if isinstance(self.source, Loss) else ""

    @property
    def needs_head(self) -> bool:
        """Whether the function takes the outputs of the head."""
        return self.source in HEADS.values()

    @property
    def is_random(self) -> bool:
        """Whether the value wavers from draw to draw."""
        return self.needs == "generator"

    def __call__(self, batch: Batch, head: Head | None) -> Tensor:
        """Return the value, 0-d."""
        if head is not None and self.needs_head:
            return self.source.function(head(batch.joint), batch.y)
        if not isinstance(self.source, Loss):
            return self.source(batch.z, y=batch.y) if takes_y(self.source) else self.source(batch.z)
        match self.needs:
            case "labels":
                return self.source.function(batch.joint, batch.labels)
            case "targets":
                return self.source.function(batch.z, batch.y)
            case "start":
                return self.source.function(batch.z, batch.start)
            case "generator":
                return self.source.function(batch.z, batch.generator)
        return self.source.function(batch.z)


def terms_of(objective: Any, monitors: Iterable[str]) -> list[Term]:
    """Return the terms of an objective, named apart from each other and from the monitors.

    A name or a callable alone means "make it better": a loss has weight 1, a measure of which more is better -1.
    """
    given = check_terms(objective, [*HEADS, *LOSSES])
    sources = [_source(one) for one, _ in given]
    taken = {"iteration", "loss", *monitors}
    plain = unique_names((one for one, _ in given), ())
    names = unique_names([f"{name}_term" if name in taken else name for name in plain], taken)
    return [
        Term(name, _weight_alone(source) if weight is None else weight, source)
        for name, (_, weight), source in zip(names, given, sources, strict=True)
    ]


def check_y(terms: list[Term], y: Any, pairs: Any) -> str | None:
    """Return what y must be for all terms, None for anything; clusters follow from class labels and an indicator alike.

    Raises
    ------
    ValueError
        If y is missing, if terms need different kinds of it, or if it cannot belong to pairs.
    """
    check_supervised(y, [term.name for term in terms if term.needs in _KIND_OF_Y])
    kinds = {_KIND_OF_Y[term.needs]: term.name for term in terms if term.needs in _KIND_OF_Y}
    if len(kinds) > 1 and TARGETS not in kinds:
        kinds.pop(CLUSTERS, None)
    check_one_kind_of_y(kinds.values())
    if TARGETS in kinds:
        check_no_pairs(pairs, kinds[TARGETS])
    return next(iter(kinds), None)


def new_head(n_outputs: int, n_features: int, fit_intercept: bool, generator: torch.Generator) -> Head:
    """Return a head whose weights and intercepts are uniform in ±1/√d, as those of `torch.nn.Linear`."""
    scale = n_features**-0.5

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1) * scale

    weight = uniform(n_outputs, n_features)
    return Head(weight, uniform(n_outputs) if fit_intercept else None)


def _source(one: Any) -> Any:
    """Return the loss of the head, the row of the table, or the callable; public losses are their rows."""
    if isinstance(one, str):
        return {**HEADS, **LOSSES}[one]
    function = one.func if isinstance(one, partial) else one
    for row in LOSSES.values():
        if row.function is function:
            return row._replace(function=one)
    return one


def _weight_alone(source: Any) -> float:
    return -float(source.direction) if isinstance(source, Loss) else 1.0
