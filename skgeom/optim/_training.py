"""One fit of `EmbeddingOptimizer`: its space, head, batches and optimisers, and the state they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from skgeom._array import asarray_like, is_foreign, take_rows, to_numpy
from skgeom._core._labels import Labels, labels_of
from skgeom._core.sums._clusters import class_moments
from skgeom._typing import Array
from skgeom._validation import check_directed
from skgeom.optim._callbacks import Updates
from skgeom.optim._checkpoint import Checkpoint, Saver
from skgeom.optim._checks import check_gradient, check_head_losses, check_module, check_same_shape, same_state
from skgeom.optim._constraint import Constraint, on_spheres, radii
from skgeom.optim._descent import Batches, Descent, Outcome, window_of
from skgeom.optim._heads import DistanceHead, Head, LinearHead, OwnHead, drawing_from, linear_start
from skgeom.optim._history import History
from skgeom.optim._interrupts import Interruptible
from skgeom.optim._monitors import Monitors, column_names
from skgeom.optim._movable import LinearMap, Movable, Points, as_tensor, host_copy
from skgeom.optim._riemannian import RiemannianAdam, RiemannianSGD
from skgeom.optim._targets import read_targets
from skgeom.optim._terms import Batch, HeadLoss, check_y, terms_of

Optimizer = torch.optim.Optimizer


class Settings(Protocol):
    """The parameters of the estimator."""

    objective: Any
    parametrization: str
    constraint: Constraint | None
    head: Any
    fit_intercept: bool
    optimizer: str
    learning_rate: float
    max_iter: int
    batch_size: int | None
    monitor: Any
    monitor_every: int
    monitor_sample: int | None
    tol: float | None
    device: str | None
    random_state: Any
    verbose: int
    checkpoint: Any
    checkpoint_every: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters by name."""


class Training:
    """The input of one fit.

    The parameters of the estimator, checked rows x, y, pairs (m, 2) or single items (m, 1) of positions, and the fitted
    attributes from which the fit continues, none for a new start.
    """

    def __init__(
        self, settings: Settings, x: Array, y: Any, pairs: np.ndarray | None, earlier: Mapping[str, Any]
    ) -> None:
        self.settings = settings
        self.earlier = earlier
        self.x = x
        self.pairs = pairs
        self.n_items = x.shape[0] if pairs is None else pairs.shape[0]
        self.terms = terms_of(settings.objective, column_names(settings.monitor, settings.monitor_sample))
        check_head_losses(settings.head, [term.source.name for term in self.terms if isinstance(term.source, HeadLoss)])
        self.targets = read_targets(y, self.n_items, check_y(self.terms, y, pairs))
        seed = check_random_state(settings.random_state).randint(np.iinfo(np.int32).max)
        self.monitors = Monitors(
            settings.monitor, self.targets.clusters, pairs, y, x.shape[0], settings.monitor_sample, seed
        )
        self.monitors.check_rows(x)
        if settings.constraint is not None:
            check_directed(x)
        self.generator = torch.Generator().manual_seed(seed)
        self.labels = self.targets.labels() if any(term.needs_labels for term in self.terms) else None
        self.space, self.start = self._space()
        self.head = self._head()
        self.y = self._y()
        self.batches = Batches(self.n_items, settings.batch_size, self.generator, self.start.device)
        self.history: list[tuple[float, ...]] = []
        self.checkpoint = self._checkpoint(y)

    def run(self, updates: Updates, interruptible: Interruptible) -> Outcome:
        """Update until the end, from a checkpoint if there is one, and return the outcome."""
        settings = self.settings
        descent = Descent(
            self._evaluate,
            self._optimizers(),
            self._record,
            updates,
            self.attributes,
            interruptible,
            max_iter=settings.max_iter,
            tol=settings.tol,
            window=window_of(self.n_items, settings.batch_size, any(term.is_random for term in self.terms)),
            buffers=() if self.head is None else list(self.head.buffers()),
        )
        if self.checkpoint is None:
            return descent.run()
        earlier = self.checkpoint.read()
        if earlier is not None:
            descent.load(earlier["descent"])
            self.batches.load(earlier["batches"])
            self.history.extend(map(tuple, earlier["history"]))
        return descent.run(Saver(self.checkpoint, self._state))

    def _checkpoint(self, y: Any) -> Checkpoint | None:
        if self.settings.checkpoint is None:
            return None
        data = {"X": self.x, "y": y, "pairs": self.pairs, **self.earlier}
        parameters = self.settings.get_params(deep=False)
        return Checkpoint(self.settings.checkpoint, self.settings.checkpoint_every, parameters, data)

    def _state(self) -> dict[str, Any]:
        return {"batches": self.batches.state(), "history": self.history}

    def attributes(self) -> dict[str, Any]:
        """Return the current fitted attributes."""
        found: dict[str, Any] = {"_n_features_out": self.start.shape[1]}
        if isinstance(self.space, Points):
            found["embedding_"] = self._like_input(self.space.parameter)
        else:
            found["map_"] = host_copy(self.space.parameter)
        if self.head is not None:
            found |= self.head.fitted()
        if self.targets.classes is not None:
            found["classes_"] = self.targets.classes
        return found

    def recorded(self) -> History:
        """Return the history so far."""
        return History([term.name for term in self.terms], self.monitors.names, self.history, self.monitors.errors)

    def _space(self) -> tuple[Movable, Tensor]:
        """Return the moving parameters, and the rows before they move."""
        settings = self.settings
        x = as_tensor(self.x, settings.device)
        radius = radii(x, settings.constraint)
        start = x if radius is None or settings.constraint != "sphere" else on_spheres(x, radius)
        if settings.parametrization == "points":
            return Points(self._points(start, radius)), start
        identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        return LinearMap(x, self._earlier("map_", identity), radius), start

    def _points(self, start: Tensor, radius: Tensor | None) -> Tensor:
        """Return where the rows begin to move: those of an earlier fit get the norms of the constraint of this one."""
        rows = self._earlier("embedding_", start)
        return rows if rows is start or radius is None else on_spheres(rows, radius)

    def _head(self) -> Head | None:
        if not any(term.needs_head for term in self.terms):
            return None
        kind, n_outputs = self.settings.head, self.targets.n_outputs
        width = self.start.shape[1] * (1 if self.pairs is None else self.pairs.shape[1])
        if kind == "linear":
            start = linear_start(n_outputs, width, self.settings.fit_intercept, self.generator)
            return LinearHead(*(self._earlier(name, new.to(self.start)) for name, new in start.items()))
        if kind == "distance":
            return DistanceHead(self._earlier("prototypes_", self._class_means()))
        return OwnHead(self._module(width, n_outputs), n_outputs, self.generator)

    @torch.no_grad()
    def _class_means(self) -> Tensor:
        """Return the current means of the classes, of pairs side by side."""
        assert self.targets.clusters is not None
        labels, z = labels_of(self.targets.clusters), self.space.rows(None)
        sides = [z] if self.pairs is None else [take_rows(z, side) for side in self.pairs.T]
        return torch.as_tensor(np.hstack([to_numpy(class_moments(side, labels).mean) for side in sides])).to(z)

    def _module(self, n_features: int, n_outputs: int) -> torch.nn.Module:
        """Return the module of the user, in the state of the previous fit if there was one."""
        with drawing_from(self.generator):
            module = self.settings.head(n_features, n_outputs)
        check_module(module, torch.nn.Module)
        module = module.to(self.start).train()
        if "head_" in self.earlier:
            same_state(module, self.earlier["head_"])
        return module

    def _earlier(self, name: str, new: Tensor) -> Tensor:
        """Return the initial state: that of the previous fit, or a new one."""
        if name not in self.earlier:
            return new
        earlier = self.earlier[name]
        check_same_shape(new, earlier.shape, name)
        return torch.tensor(to_numpy(earlier)).to(new)

    def _y(self) -> Tensor | None:
        values = self.targets.values
        if values is None:
            return None
        y = torch.as_tensor(values, device=self.start.device)
        return y.to(self.start.dtype) if y.is_floating_point() else y

    def _optimizers(self) -> list[Optimizer]:
        lr, adam = self.settings.learning_rate, self.settings.optimizer == "adam"
        free: list[Tensor] = [] if self.head is None else [p for p in self.head.parameters() if p.requires_grad]
        on_sphere = self.settings.constraint is not None and isinstance(self.space, Points)
        found: list[Optimizer] = []
        if on_sphere:
            found.append((RiemannianAdam if adam else RiemannianSGD)([self.space.parameter], lr=lr))
        else:
            free = [self.space.parameter, *free]
        if free:
            found.append(torch.optim.Adam(free, lr=lr, fused=True) if adam else torch.optim.SGD(free, lr=lr))
        return found

    def _evaluate(self) -> tuple[Tensor, list[Tensor]]:
        """Return the loss and its terms for the next batch."""
        batch = self._batch(next(self.batches))
        values = [term(batch, self.head) for term in self.terms]
        for term, value in zip(self.terms, values, strict=True):
            check_gradient(value, term.name)
        total: Any = sum(term.weight * value for term, value in zip(self.terms, values, strict=True))
        return total, values

    def _batch(self, index: Tensor | None) -> Batch:
        rows, sides = self._rows_and_sides(index)
        z = self.space.rows(rows)
        joint = z if sides is None else torch.cat([z.index_select(0, side) for side in sides.T], dim=1)
        return Batch(
            z,
            self.start if rows is None else self.start.index_select(0, rows),
            joint,
            self.y if index is None or self.y is None else self.y.index_select(0, index),
            self._labels(index),
            self.generator,
        )

    def _rows_and_sides(self, index: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return the positions of the rows of a batch, or None for all, and of both sides of its pairs among them."""
        if self.pairs is None:
            return index, None
        pairs = torch.as_tensor(self.pairs, device=self.start.device)
        if index is None:
            return None, pairs
        rows, inverse = torch.unique(pairs.index_select(0, index), return_inverse=True)
        return rows, inverse

    def _labels(self, index: Tensor | None) -> Labels | None:
        clusters = self.targets.clusters
        if self.labels is None or index is None or clusters is None:
            return self.labels
        return labels_of(np.unique(clusters[to_numpy(index)], return_inverse=True)[1])

    def _record(self, iteration: int, loss: float, values: Sequence[Tensor], last: bool) -> None:
        if not last and iteration % self.settings.monitor_every:
            return
        measured, errors = self._measure(iteration)
        self.history.append((iteration, loss, *(v.item() for v in values), *measured, *errors))
        self._say(iteration, loss, measured, last)

    @torch.no_grad()
    def _measure(self, iteration: int) -> tuple[list[float], list[float]]:
        def rows(index: np.ndarray | None) -> Tensor:
            return self.space.rows(None if index is None else torch.as_tensor(index, device=self.start.device))

        return self.monitors(rows, iteration, forgiving=iteration > 0)

    def _say(self, iteration: int, loss: float, measured: list[float], last: bool) -> None:
        """Print ten of the records, or all with verbose=2."""
        if not self.settings.verbose:
            return
        apart = self.settings.monitor_every * ceil(self.settings.max_iter / (10 * self.settings.monitor_every))
        if last or self.settings.verbose > 1 or iteration % apart == 0:
            values = zip(("loss", *self.monitors.names), (loss, *measured), strict=True)
            numbers = ", ".join(f"{name} {value:.5g}" for name, value in values)
            print(f"[EmbeddingOptimizer] iteration {iteration} of {self.settings.max_iter}: {numbers}")

    def _like_input(self, z: Tensor) -> Array:
        """Return rows in the library and on the device of the input."""
        if isinstance(self.x, Tensor):
            return z.detach().clone()
        return asarray_like(host_copy(z), self.x) if is_foreign(self.x) else host_copy(z)
