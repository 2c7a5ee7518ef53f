"""The loop: batches, updates, records, and the best state, kept in case of an exception."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from skgeom.optim._callbacks import Updates
from skgeom.optim._interrupts import Interruptible

_COPIES = 100
"""The best state is copied at most this many times per fit: a copy costs about as much as half an update."""

_PATIENCE = 10
"""Number of windows without progress after which `tol` stops."""

_SMOOTH = 200
"""Number of updates over which a random loss is averaged, as a minimum: that of Lloyd wavers by a twentieth."""

Record = Callable[[int, float, list[Tensor], bool], None]
"""From an iteration, its loss, its terms, and whether it is the last, a row of the history."""


class Outcome(NamedTuple):
    """Number of updates, the loss of the best state, the updates before that state, and the exception.

    It converged if the loss stalled before the last update. An error is raised for the caller once the state is
    kept.
    """

    n_iter: int
    loss: float
    kept: int
    trouble: str
    converged: bool = False
    was_interrupted: bool = False
    error: BaseException | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the fit ended by itself, so that nothing is left to continue."""
        return not self.was_interrupted and self.error is None


class Saver(Protocol):
    """Keeps the state of a descent in a file every so many updates."""

    every: int

    def save(self, state: Mapping[str, Any]) -> None:
        """Save a state together with that of the start."""


class Best:
    """The state of the lowest loss, in memory allocated once, before the first update."""

    def __init__(self, parameters: Sequence[Tensor], max_iter: int) -> None:
        self.parameters = parameters
        self.gap = max(1, max_iter // _COPIES)
        self._copies = [p.detach().clone() for p in parameters]
        self._kept = (0, inf, True)

    @property
    def iteration(self) -> int:
        """Number of updates after which the state was reached."""
        return self._kept[0]

    @property
    def loss(self) -> float:
        """The loss of the state; infinite at the start, before the first loss."""
        return self._kept[1]

    def see(self, iteration: int, loss: float) -> None:
        """Keep this state if it is the best, and the last copy is not too recent."""
        if loss < self.loss and (self.loss == inf or iteration - self.iteration >= self.gap):
            self._kept = (iteration, loss, False)
            _copy(self.parameters, self._copies)
            self._kept = (iteration, loss, True)

    def restore(self) -> None:
        """Restore the best state; if its copy was interrupted, it is still the current state."""
        if self._kept[2]:
            _copy(self._copies, self.parameters)

    def state(self) -> list[Any]:
        """Return the state to write to a file."""
        return [self.iteration, self.loss, self._copies]

    def load(self, state: Sequence[Any]) -> None:
        """Continue from a state that was returned."""
        iteration, loss, copies = state
        _copy(copies, self._copies)
        self._kept = (iteration, loss, True)


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
        """Add the finite loss before an update."""
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
        """Return whether the loss rose above its start by more than it ever fell below it, and by a hundredth."""
        if not self.recent:
            return False
        return self.level > self.first + max(self.first - self.best, 0.01 * abs(self.first))

    def state(self) -> list[Any]:
        """Return the state to write to a file."""
        return [list(self.recent), self.first, self.best, self.idle]

    def load(self, state: Sequence[Any]) -> None:
        """Continue from a state that was returned."""
        recent, self.first, self.best, self.idle = state
        self.recent.extend(recent)


class Batches:
    """Endless batches of `size` different positions out of n, in epochs that drop the remainder; None means all."""

    def __init__(self, n: int, size: int | None, generator: torch.Generator, device: torch.device) -> None:
        self.n = n
        self.size = n if size is None else size
        self.generator = generator
        self.device = device
        self._order = torch.empty(0, dtype=torch.int64)
        self._start = 0

    def __next__(self) -> Tensor | None:
        if self.size >= self.n:
            return None
        if self._start + self.size > self._order.shape[0]:
            self._order, self._start = torch.randperm(self.n, generator=self.generator).to(self.device), 0
        start, self._start = self._start, self._start + self.size
        return self._order[start : self._start]

    def state(self) -> list[Any]:
        """Return the place within the epoch, and the state of the generator."""
        return [self._order, self._start, self.generator.get_state()]

    def load(self, state: Sequence[Any]) -> None:
        """Continue from a state that was returned."""
        order, self._start, generator = state
        self._order = order.to(self.device)
        self.generator.set_state(generator)


def window_of(n: int, size: int | None, is_random: bool) -> int:
    """Return how many updates a loss is averaged over: an epoch of batches of n, and more if it is random."""
    n_batches = max(1, n // (size or n))
    return max(_SMOOTH, n_batches) if is_random else n_batches


class Descent:
    """Updates until the end, until the loss stalls or until a callback stops it.

    If it ends early, by an interrupt, a loss that is NaN or rose, or any exception, the best state is restored. An
    exception or interrupt before the first update passes to the caller. Buffers change in the evaluation, not by
    gradients, as the running means of a module do.
    """

    def __init__(
        self,
        evaluate: Callable[[], tuple[Tensor, list[Tensor]]],
        optimizers: Sequence[torch.optim.Optimizer],
        record: Record,
        updates: Updates,
        attributes: Callable[[], dict[str, Any]],
        interruptible: Interruptible,
        *,
        max_iter: int,
        tol: float | None,
        window: int,
        buffers: Sequence[Tensor] = (),
    ) -> None:
        self.evaluate = evaluate
        self.optimizers = optimizers
        self.record = record
        self.updates = updates
        self.attributes = attributes
        self.interruptible = interruptible
        self.max_iter = max_iter
        self.parameters = [p for o in optimizers for group in o.param_groups for p in group["params"]]
        self.buffers = list(buffers)
        self.best = Best([*self.parameters, *self.buffers], max_iter)
        self.trend = LossTrend(window, tol)
        self.done = 0
        self.loss = inf

    def run(self, saver: Saver | None = None) -> Outcome:
        """Update until the end, and return the outcome."""
        try:
            with self.interruptible():
                trouble = self._loop(saver)
        except BaseException as error:
            if self.done == 0:
                raise
            if isinstance(error, KeyboardInterrupt):
                return self._back("it was interrupted", was_interrupted=True)
            if isinstance(error, Exception) and not _are_finite(self.parameters):
                return self._back("the parameters became infinite or NaN")
            return self._back(f"{type(error).__name__} was raised", error=error)
        if trouble:
            return self._back(trouble)
        return Outcome(self.done, self.loss, self.done, "", converged=self.trend.has_stalled())

    def state(self) -> dict[str, Any]:
        """Return all state that later updates depend on, except that of the caller."""
        return {
            "done": self.done,
            "parameters": [p.detach() for p in self.parameters],
            "buffers": self.buffers,
            "optimizers": [o.state_dict() for o in self.optimizers],
            "best": self.best.state(),
            "trend": self.trend.state(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that was returned."""
        self.done = state["done"]
        _copy(state["parameters"], self.parameters)
        _copy(state["buffers"], self.buffers)
        for o, values in zip(self.optimizers, state["optimizers"], strict=True):
            o.load_state_dict(values)
        self.best.load(state["best"])
        self.trend.load(state["trend"])

    def _loop(self, saver: Saver | None) -> str:
        """Update until the end, and return the exception, if any."""
        stopping = False
        while True:
            total, values = self.evaluate()
            self.loss = total.item()
            if isfinite(self.loss):
                self.trend.add(self.loss)
                self.best.see(self.done, self.trend.level)
            elif self.loss != inf:
                return f"the loss became {self.loss}"
            last = stopping or self.done == self.max_iter or self.trend.has_stalled()
            self.record(self.done, self.loss, values, last)
            if last:
                return self._rise()
            self.updates.begin()
            if not self._update(total):
                return "the loss became inf, and its gradient is not finite"
            self.done += 1
            stopping = self.updates.end(self.attributes)
            if saver is not None and self.done % saver.every == 0 and self.done < self.max_iter:
                saver.save(self.state())

    def _update(self, total: Tensor) -> bool:
        """Move once, unless an infinite loss has a gradient that is not finite."""
        for o in self.optimizers:
            o.zero_grad()
        total.backward()
        if self.loss == inf and not _are_finite(p.grad for p in self.parameters if p.grad is not None):
            return False
        for o in self.optimizers:
            o.step()
        return True

    def _rise(self) -> str:
        """Warn if the loss rose; an infinite loss of one batch does not count."""
        trend = self.trend
        if trend.recent and trend.window == 1 and self.loss == inf:
            return f"the loss rose from {trend.first:.4g} to inf"
        return f"the loss rose from {trend.first:.4g} to {trend.level:.4g}" if trend.has_risen() else ""

    def _back(self, trouble: str, *, was_interrupted: bool = False, error: BaseException | None = None) -> Outcome:
        self.best.restore()
        best = self.best
        return Outcome(self.done, best.loss, best.iteration, trouble, was_interrupted=was_interrupted, error=error)


@torch.no_grad()
def _copy(sources: Iterable[Tensor], targets: Iterable[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)


def _are_finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(torch.isfinite(t).all()) for t in tensors)
