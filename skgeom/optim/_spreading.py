"""One fit of `SphereDispersion`: its starts, the descent from each, and the polish."""

from __future__ import annotations

from collections.abc import Mapping
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
from skgeom.optim._checkpoint import Checkpoint, Saver, random_state_from_plain, random_state_to_plain
from skgeom.optim._checks import check_gradient
from skgeom.optim._descent import Batches, Descent, Outcome, window_of
from skgeom.optim._interrupts import Interruptible
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
    """The points of one start, polished or not, their minimum angle in radians, the history and the outcome."""

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
    checkpoint: Any
    checkpoint_every: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters by name."""


class Result(NamedTuple):
    """The best of the starts with its state, and the outcome of the last."""

    best: Spread
    last: Outcome


class Start:
    """One start: its points, their batches and optimiser, and its records."""

    def __init__(self, settings: Settings, points: Tensor, generator: torch.Generator) -> None:
        self.points = points.clone().requires_grad_()
        self.batches = Batches(points.shape[0], settings.batch_size, generator, points.device)
        self.history: list[tuple[float, float]] = []
        self.optimizer = RiemannianAdam([self.points], lr=settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, settings.max_iter)
        self.optimizer.register_step_post_hook(lambda *_: self.schedule.step())

    def state(self) -> dict[str, Any]:
        """Return the state to write to a file besides that of the descent."""
        return {"batches": self.batches.state(), "history": self.history, "schedule": self.schedule.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that was returned."""
        self.batches.load(state["batches"])
        self.history.extend(map(tuple, state["history"]))
        self.schedule.load_state_dict(state["schedule"])


class Spreading:
    """The input of one fit: the parameters of the estimator, and checked rows x."""

    def __init__(self, settings: Settings, x: Array, polishes: bool) -> None:
        self.settings = settings
        self.x = x
        self.polishes = polishes
        self.term = _term(settings.loss)
        self.rng = check_random_state(settings.random_state)
        self.generator = torch.Generator().manual_seed(int(self.rng.randint(np.iinfo(np.int32).max)))
        self.given = as_tensor(check_directed(x).unit(), settings.device)
        self.found: list[Spread] = []
        self.checkpoint = self._checkpoint()

    def run(self, updates: Updates, interruptible: Interruptible) -> Result:
        """Spread from the rows as they are, then from random ones, and return the best."""
        self.interruptible = interruptible
        earlier = None if self.checkpoint is None else self.checkpoint.read()
        if earlier is not None:
            self.found = [_spread_of(values) for values in earlier["found"]]
            self.rng = random_state_from_plain(earlier["rng"])
        last = self._next(updates, earlier)
        while not self._is_over(last):
            last = self._next(updates, None)
        kept = self.found
        best = max(kept, key=lambda s: s.angle) if self.polishes else min(kept, key=lambda s: s.outcome.loss)
        return Result(best, last._replace(loss=best.outcome.loss, kept=best.outcome.kept))

    def _next(self, updates: Updates, earlier: Mapping[str, Any] | None) -> Outcome:
        """Spread from the next start, or continue one, and return the outcome; a failure of the first is the user's."""
        try:
            self.found.append(self._spread(updates, earlier))
        except BaseException as error:
            if not self.found:
                raise
            interrupted = isinstance(error, KeyboardInterrupt)
            trouble = "it was interrupted" if interrupted else f"{type(error).__name__} was raised"
            return self.found[-1].outcome._replace(
                trouble=trouble, was_interrupted=interrupted, error=None if interrupted else error
            )
        return self.found[-1].outcome

    def _is_over(self, last: Outcome) -> bool:
        """Return whether all starts are done, or an exception, an interrupt or a callback ended the fit."""
        stopped = last.n_iter < self.settings.max_iter and not last.trouble
        return stopped or not last.is_complete or len(self.found) == self.settings.n_init

    def as_input(self, points: np.ndarray) -> Array:
        """Return points in the precision, in the library and on the device of the input."""
        if self.settings.device is None and is_foreign(self.x):
            return asarray_like(points, self.x)
        return points.astype(to_numpy(self.x[:1, :]).dtype)

    def _spread(self, updates: Updates, earlier: Mapping[str, Any] | None) -> Spread:
        one = Start(self.settings, self._start() if earlier is None else self.given, self.generator)
        n, size = one.points.shape[0], self.settings.batch_size
        descent = Descent(
            lambda: self._evaluate(one.points, next(one.batches)),
            [one.optimizer],
            partial(self._record, one.history),
            updates,
            lambda: {"embedding_": self.as_input(to_numpy(one.points))},
            self.interruptible,
            max_iter=self.settings.max_iter,
            tol=None,
            window=window_of(n, size, self.term.is_random or (size is not None and size < n)),
        )
        if earlier is not None:
            one.load(earlier["start"])
            descent.load(earlier["descent"])
        saver = None if self.checkpoint is None else Saver(self.checkpoint, lambda: self._state(one))
        return self._finished(one, descent.run(saver))

    def _start(self) -> Tensor:
        return self._random() if self.found else self._parted()

    def _finished(self, one: Start, outcome: Outcome) -> Spread:
        """Return the points of a start, polished unless it was interrupted, also during the polish."""
        found = to_numpy(one.points).astype(np.float64)
        if self.polishes and outcome.is_complete:
            try:
                with self.interruptible():
                    found = polish(found)
            except KeyboardInterrupt:
                outcome = outcome._replace(trouble="it was interrupted", was_interrupted=True)
            except BaseException as error:
                outcome = outcome._replace(trouble=f"{type(error).__name__} was raised", error=error)
        return Spread(found, least_angle(found), one.history, outcome)

    def _checkpoint(self) -> Checkpoint | None:
        if self.settings.checkpoint is None:
            return None
        parameters = self.settings.get_params(deep=False)
        return Checkpoint(self.settings.checkpoint, self.settings.checkpoint_every, parameters, {"X": self.x})

    def _state(self, one: Start) -> dict[str, Any]:
        return {
            "start": one.state(),
            "found": [_plain(spread) for spread in self.found],
            "rng": random_state_to_plain(self.rng),
        }

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
        """Return the rows of the input, with equal directions separated by small random steps."""
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


def _plain(spread: Spread) -> list[Any]:
    """Return a completed start as plain values."""
    return [torch.from_numpy(spread.points), spread.angle, spread.history, list(spread.outcome)]


def _spread_of(values: Any) -> Spread:
    points, angle, history, outcome = values
    return Spread(points.numpy(), angle, [tuple(row) for row in history], Outcome(*outcome))


def _term(loss: Any) -> Term:
    return terms_of(loss if callable(loss) else check_choice(loss, _DISPERSIONS, "loss"), ())[0]
