"""The loss of an optimisation: weighted terms, each a function of a batch of rows or of the output of the head."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from skgeom._core._labels import Labels
from skgeom.metrics._measure import MEASURES, Measure
from skgeom.optim._checks import (
    check_no_pairs,
    check_one_direction,
    check_one_kind_of_y,
    check_supervised,
    check_terms,
)
from skgeom.optim._heads import Head
from skgeom.optim._monitors import takes_y, unique_names
from skgeom.optim._targets import CLASSES, CLUSTERS, INDICATOR, TARGETS


class HeadLoss(NamedTuple):
    """A loss of the outputs of the head against y, and the kind of y it takes."""

    name: str
    function: Callable[..., Tensor]
    kind_of_y: str


HEAD_LOSSES = {
    loss.name: loss
    for loss in (
        HeadLoss("cross_entropy", cross_entropy, CLASSES),
        HeadLoss("binary_cross_entropy", binary_cross_entropy_with_logits, INDICATOR),
    )
}
"""The losses of the head by name."""

OBJECTIVES = {name: row for name, row in MEASURES.items() if row.differentiable}
"""The measures that gradients can improve, by name."""

_KIND_OF_Y = {"labels": CLUSTERS, "partners": TARGETS, "clouds": TARGETS}


class Batch(NamedTuple):
    """The input of the terms in one update.

    The rows z (b, d) and where they started; `joint`, the rows to which y belongs: z, or the concatenated pairs of its
    rows; y of these, and their clusters.
    """

    z: Tensor
    start: Tensor
    joint: Tensor
    y: Tensor | None
    labels: Labels | None
    generator: torch.Generator


class Term(NamedTuple):
    """A loss of the head, a declared measure, or a function of the user, with its weight in the total."""

    name: str
    weight: float
    source: HeadLoss | Measure | Callable[..., Tensor]

    @property
    def needs_head(self) -> bool:
        """Whether the function takes the outputs of the head."""
        return isinstance(self.source, HeadLoss)

    @property
    def needs_labels(self) -> bool:
        """Whether the function takes clusters."""
        return isinstance(self.source, Measure) and self.source.needs == "labels"

    @property
    def kind_of_y(self) -> str | None:
        """The required kind of y, None for any."""
        if isinstance(self.source, HeadLoss):
            return self.source.kind_of_y
        return _KIND_OF_Y.get(self.source.needs) if isinstance(self.source, Measure) else None

    @property
    def is_random(self) -> bool:
        """Whether the value is random."""
        return isinstance(self.source, Measure) and self.source.is_random

    def __call__(self, batch: Batch, head: Head | None) -> Tensor:
        """Return the value, 0-d."""
        if isinstance(self.source, HeadLoss):
            assert head is not None
            return self.source.function(head(batch.joint), batch.y)
        if isinstance(self.source, Measure):
            return _measured(self.source, batch)
        return self.source(batch.z, y=batch.y) if takes_y(self.source) else self.source(batch.z)


def terms_of(objective: Any, monitors: Iterable[str]) -> list[Term]:
    """Return the terms of an objective, with names that differ from each other and from the monitors.

    A name or a callable alone is improved: a loss has weight 1, a measure of which more is better -1.
    """
    given = check_terms(objective, [*HEAD_LOSSES, *OBJECTIVES])
    sources = [_source(one) for one, _ in given]
    taken = {"iteration", "loss", *monitors}
    plain = unique_names((one for one, _ in given), ())
    names = unique_names([f"{name}_term" if name in taken else name for name in plain], taken)
    return [
        Term(name, _weight_alone(source) if weight is None else weight, source)
        for name, (_, weight), source in zip(names, given, sources, strict=True)
    ]


def check_y(terms: list[Term], y: Any, pairs: Any) -> str | None:
    """Return the kind of y that all terms require, None for any; class labels and an indicator both give clusters.

    Raises
    ------
    ValueError
        If y is missing, if terms need different kinds of it, or if it cannot belong to pairs.
    """
    needed = [
        (term.kind_of_y, term.source.name)  # the name that was given, not the one of the column
        for term in terms
        if isinstance(term.source, HeadLoss | Measure) and term.kind_of_y is not None
    ]
    check_supervised(y, [name for _, name in needed])
    kinds = dict(needed)
    if len(kinds) > 1 and TARGETS not in kinds:
        kinds.pop(CLUSTERS, None)
    check_one_kind_of_y(kinds.values())
    if TARGETS in kinds:
        check_no_pairs(pairs, kinds[TARGETS])
    return next(iter(kinds), None)


def _measured(row: Measure, batch: Batch) -> Tensor:
    """Return the value of a measure for its part of a batch."""
    rows = batch.joint if row.needs == "labels" else batch.z
    others = row.besides(labels=batch.labels, partners=batch.y, start=batch.start)
    return row(rows, *others, **({"random_state": batch.generator} if row.is_random else {}))


def _source(one: Any) -> HeadLoss | Measure | Callable[..., Tensor]:
    """Return the loss of the head, the row of a measure, also one with other options, or the callable."""
    if isinstance(one, str):
        return HEAD_LOSSES[one] if one in HEAD_LOSSES else OBJECTIVES[one]
    function, options = (one.func, one.keywords) if isinstance(one, partial) and not one.args else (one, {})
    for row in OBJECTIVES.values():
        if row.function is function:
            return replace(row, options=options)
    return one


def _weight_alone(source: HeadLoss | Measure | Callable[..., Tensor]) -> float:
    """Return the weight with which minimising improves a loss, a function of the user or a measure."""
    return -float(check_one_direction(source.direction, source.name)) if isinstance(source, Measure) else 1.0
