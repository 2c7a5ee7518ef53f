"""The loop: batches, updates, what is recorded, and the best state kept for when something goes wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skgeom.optim._callbacks import Updates

_COPIES = 100
"""The best state is copied at most this many times per fit: a copy costs about as much as half an update."""

_PATIENCE = 10
"""Number of windows without progress after which `tol` stops."""

_SMOOTH = 200
"""Number of updates over which a random loss is averaged at least: that of Lloyd wavers by a twentieth."""

Record = Callable[[int, float, list[Tensor], bool], None]
"""From an iteration, its loss, its terms, and whether it is the last, a row of the history."""


class Outcome(NamedTuple):
    """Number of updates done, the loss of the state kept, after how many updates it was reached, and what went wrong.

    It converged if the loss stalled before the last update.
    """

    n_iter: int
    loss: float
    kept: int
    trouble: str
    converged: bool = False
    was_interrupted: bool = False


class Best:
    """The state of the lowest loss."""

    def __init__(self, parameters: Sequence[Tensor], max_iter: int) -> None:
        self.parameters = parameters
        self.gap = max(1, max_iter // _COPIES)
        self.iteration = 0
        self.loss = inf
        self._copies = [p.detach().clone() for p in parameters]

    def see(self, iteration: int, loss: float) -> None:
        """Keep this state if it is the best, and the last copy is not too recent."""
        if loss < self.loss and (self.loss == inf or iteration - self.iteration >= self.gap):
            self.iteration, self.loss = iteration, loss
            with torch.no_grad():
                for copy, p in zip(self._copies, self.parameters, strict=True):
                    copy.copy_(p)

    @torch.no_grad()
    def restore(self) -> None:
        """Go back to the state that was kept."""
        for copy, p in zip(self._copies, self.parameters, strict=True):
            p.copy_(copy)


class LossTrend:
    """The level of the loss, which is its mean over a window of updates, and whether it still falls."""

    def __init__(self, window: int, tol: float | None) -> None:
        self.recent: deque[float] = deque(maxlen=window)
        self.window = window
        self.patience = _PATIENCE * window
        self.tol = tol
        self.first = self.best = inf
        self.idle = 0

    @property
    def level(self) -> float:
        """The mean of the recent losses."""
        return sum(self.recent) / len(self.recent)

    def add(self, loss: float) -> None:
        """Take the loss before an update."""
        filling = len(self.recent) < self.window
        self.recent.append(loss)
        if filling:
            self.first = self.level
        self.idle = 0 if self.level < self.best - (self.tol or 0.0) else self.idle + 1
        self.best = min(self.best, self.level)

    def has_stalled(self) -> bool:
        """Return whether the loss has not fallen by more than the tolerance for long."""
        return self.tol is not None and self.idle >= self.patience

    def has_risen(self) -> bool:
        """Return whether the loss rose above its start, by more than it ever fell below and by a hundredth."""
        return self.level > self.first + max(self.first - self.best, 0.01 * abs(self.first))


def batches(n: int, size: int | None, generator: torch.Generator, device: torch.device) -> Iterator[Tensor | None]:
    """Yield positions of `size` different items out of n for ever, in epochs that drop what is left; None means all."""
    if size is None or size >= n:
        while True:
            yield None
    while True:
        order = torch.randperm(n, generator=generator).to(device)
        for start in range(0, n - size + 1, size):
            yield order[start : start + size]


def window_of(n: int, size: int | None, is_random: bool) -> int:
    """Return over how many updates a loss is averaged: an epoch of batches of n, and more if it is random."""
    n_batches = max(1, n // (size or n))
    return max(_SMOOTH, n_batches) if is_random else n_batches


def descend(
    evaluate: Callable[[], tuple[Tensor, list[Tensor]]],
    optimizers: Sequence[torch.optim.Optimizer],
    record: Record,
    updates: Updates,
    attributes: Callable[[], dict[str, Any]],
    *,
    max_iter: int,
    tol: float | None,
    window: int,
) -> Outcome:
    """Update until the end, until the loss stalls or until a callback says stop.

    An interrupt, a loss that is not finite and a loss that rose in the end bring the best state back.
    """
    parameters = [p for o in optimizers for group in o.param_groups for p in group["params"]]
    best, trend = Best(parameters, max_iter), LossTrend(window, tol)
    done, loss, trouble, stopping, interrupted = 0, inf, "", False, False
    try:
        while True:
            total, values = evaluate()
            loss = total.item()
            if not isfinite(loss):
                trouble = f"the loss became {loss}"
                break
            trend.add(loss)
            best.see(done, trend.level)
            last = stopping or done == max_iter or trend.has_stalled()
            record(done, loss, values, last)
            if last:
                break
            updates.begin()
            for o in optimizers:
                o.zero_grad()
            total.backward()
            for o in optimizers:
                o.step()
            done += 1
            stopping = updates.end(attributes)
        if not trouble and trend.has_risen():
            trouble = f"the loss rose from {trend.first:.4g} to {trend.level:.4g}"
    except KeyboardInterrupt:
        trouble, interrupted = "it was interrupted", True
    except ValueError as error:  # a loss that refuses the rows it is given: at the start they are the user's
        if done == 0:
            raise
        trouble = f"the loss could not be computed: {error}"
    if trouble:
        best.restore()
        return Outcome(done, best.loss, best.iteration, trouble, was_interrupted=interrupted)
    return Outcome(done, loss, done, trouble, converged=trend.has_stalled())
