"""One fit of `SphereDispersion`: its starts, the descent from each, and the polish."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from skgeom._array import asarray_like, is_foreign, to_numpy
from skgeom._core.pairs._bounds import tammes_bound
from skgeom._core.pairs._energies import nearest_in_angle
from skgeom._typing import Array
from skgeom._validation import check_choice, check_directed
from skgeom.optim._callbacks import Updates
from skgeom.optim._checks import check_gradient
from skgeom.optim._descent import Outcome, batches, descend, window_of
from skgeom.optim._movable import as_tensor
from skgeom.optim._polish import polish
from skgeom.optim._riemannian import RiemannianAdam
from skgeom.optim._spherical_codes import least_angle
from skgeom.optim._terms import OBJECTIVES, Batch, Term, terms_of

_DISPERSIONS = [
    name
    for name, row in OBJECTIVES.items()
    if row.needs == "cloud" and row.direction < 0 and "row scaling" in row.invariances
]

_ONE_DIRECTION = 1e-6
"""Distance of unit rows below which their direction is one."""

_APART = 0.1
"""Length of the random steps that part rows of one direction, in units of the best angle conceivable: between such rows
no loss has a gradient, and between rows much closer that of a singular one is too large for Adam to forget."""


class Spread(NamedTuple):
    """Where one start came to, polished or not, its minimum angle in radians, its history and how it went."""

    points: np.ndarray
    angle: float
    history: list[tuple[float, float]]
    outcome: Outcome


class Settings(Protocol):
    """The parameters of the estimator."""

    loss: Any
    learning_rate: float
    max_iter: int
    batch_size: int | None
    n_init: int
    device: str | None
    random_state: Any
    verbose: int


class Spreading:
    """What one fit works with: the parameters of the estimator, and checked rows x."""

    def __init__(self, settings: Settings, x: Array, polishes: bool) -> None:
        self.settings = settings
        self.x = x
        self.polishes = polishes
        self.term = _term(settings.loss)
        self.rng = check_random_state(settings.random_state)
        self.generator = torch.Generator().manual_seed(int(self.rng.randint(np.iinfo(np.int32).max)))
        self.given = as_tensor(check_directed(x).unit(), settings.device)

    def run(self, updates: Updates) -> Spread:
        """Spread from the rows as they are, then from random ones, and return the best."""
        found: list[Spread] = []
        for k in range(self.settings.n_init):
            found.append(self._spread(self._random() if k else self._parted(), updates))
            stopped = found[-1].outcome
            if stopped.was_interrupted or (stopped.n_iter < self.settings.max_iter and not stopped.trouble):
                break
        return max(found, key=lambda s: s.angle) if self.polishes else min(found, key=lambda s: s.outcome.loss)

    def as_input(self, points: np.ndarray) -> Array:
        """Return points in the precision of the rows that came, in their library and on their device."""
        if self.settings.device is None and is_foreign(self.x):
            return asarray_like(points, self.x)
        return points.astype(to_numpy(self.x[:1, :]).dtype)

    def _spread(self, start: Tensor, updates: Updates) -> Spread:
        points = start.clone().requires_grad_()
        n, size = points.shape[0], self.settings.batch_size
        index = batches(n, size, self.generator, points.device)
        history: list[tuple[float, float]] = []
        outcome = descend(
            lambda: self._evaluate(points, next(index)),
            [self._optimizer(points)],
            partial(self._record, history),
            updates,
            lambda: {"embedding_": self.as_input(to_numpy(points))},
            max_iter=self.settings.max_iter,
            tol=None,
            window=window_of(n, size, self.term.is_random or (size is not None and size < n)),
        )
        found = to_numpy(points).astype(np.float64)
        if self.polishes and not outcome.was_interrupted:
            found = polish(found)
        return Spread(found, least_angle(found), history, outcome)

    def _optimizer(self, points: Tensor) -> RiemannianAdam:
        """Return an optimiser whose learning rate falls to 0 along half a cosine."""
        optimizer = RiemannianAdam([points], lr=self.settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.settings.max_iter)
        optimizer.register_step_post_hook(lambda *_: schedule.step())
        return optimizer

    def _evaluate(self, points: Tensor, index: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        z = points if index is None else points.index_select(0, index)
        value = self.term(Batch(z, z, z, None, None, self.generator), None)
        check_gradient(value, self.term.name)
        return self.term.weight * value, [value]

    def _record(self, history: list[tuple[float, float]], i: int, loss: float, _: list[Tensor], last: bool) -> None:
        history.append((i, loss))
        apart = max(1, self.settings.max_iter // 10)
        if self.settings.verbose and (last or i % apart == 0):
            print(f"[SphereDispersion] iteration {i} of {self.settings.max_iter}: loss {loss:.6g}")

    def _parted(self) -> Tensor:
        """Return the rows as they came, those of one direction parted by small random steps."""
        near = to_numpy(nearest_in_angle(check_directed(self.given)).chords.minus) < _ONE_DIRECTION**2
        if not near.any():
            return self.given
        u = to_numpy(self.given).astype(np.float64)
        again = np.flatnonzero(near)
        steps = self.rng.standard_normal((again.size, u.shape[1]))
        u[again] += _APART * tammes_bound(*u.shape) * steps / np.linalg.norm(steps, axis=1)[:, None]
        return self._on_sphere(u)

    def _random(self) -> Tensor:
        return self._on_sphere(self.rng.standard_normal(tuple(self.given.shape)))

    def _on_sphere(self, u: np.ndarray) -> Tensor:
        return torch.tensor(u / np.linalg.norm(u, axis=1)[:, None]).to(self.given)


def _term(loss: Any) -> Term:
    return terms_of(loss if callable(loss) else check_choice(loss, _DISPERSIONS, "loss"), ())[0]
