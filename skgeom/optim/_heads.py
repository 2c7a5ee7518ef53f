"""Classifiers that are trained on top of the rows: linear, by distance to prototypes, or a module of the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from threading import RLock
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.functional import linear

from skgeom.optim._checks import check_outputs
from skgeom.optim._movable import host_copy

_redirecting = RLock()
"""Held while draws from the global generator of the host are redirected."""


class Head(Module):
    """A module from rows (n, d) to outputs (n, k)."""

    def fitted(self) -> dict[str, Any]:
        """Return the fitted attributes of the estimator that describe it."""
        raise NotImplementedError


class LinearHead(Head):
    """Weights (k, d), and an intercept (k,) or none."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.weight = Parameter(weight)
        self.bias = None if bias is None else Parameter(bias)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the outputs."""
        return linear(rows, self.weight, self.bias)

    def fitted(self) -> dict[str, Any]:
        """Return the weights and the intercept, zeros if there is none."""
        bias = torch.zeros_like(self.weight[:, 0]) if self.bias is None else self.bias
        return {"coef_": host_copy(self.weight), "intercept_": host_copy(bias)}


class DistanceHead(Head):
    """Minus the squared distances to prototypes (k, d), up to one constant per row, which a softmax ignores."""

    def __init__(self, prototypes: Tensor) -> None:
        super().__init__()
        self.prototypes = Parameter(prototypes)

    def forward(self, rows: Tensor) -> Tensor:
        """Return 2⟨x - o, p - o⟩ - ‖p - o‖², with o the mean prototype: far from the origin digits would cancel."""
        origin = self.prototypes.detach().mean(dim=0)
        p = self.prototypes - origin
        return linear(rows - origin, 2 * p, -p.square().sum(dim=1))

    def fitted(self) -> dict[str, Any]:
        """Return the prototypes."""
        return {"prototypes_": host_copy(self.prototypes)}


class OwnHead(Head):
    """A module of the user, whose random layers draw from our generator."""

    def __init__(self, module: Module, n_outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.module = module
        self.n_outputs = n_outputs
        self.generator = generator

    def forward(self, rows: Tensor) -> Tensor:
        """Return the outputs."""
        with drawing_from(self.generator):
            outputs = self.module(rows)
        check_outputs(outputs, (rows.shape[0], self.n_outputs))
        return outputs

    def fitted(self) -> dict[str, Any]:
        """Return a copy of the module, ready for new rows."""
        return {"head_": deepcopy(self.module).eval()}


def linear_start(n_outputs: int, n_features: int, fit_intercept: bool, generator: torch.Generator) -> dict[str, Tensor]:
    """Return weights, and intercepts if requested, uniform in ±1/√d, like those of `torch.nn.Linear`."""
    shapes = {"coef_": (n_outputs, n_features)} | ({"intercept_": (n_outputs,)} if fit_intercept else {})
    draws = {name: torch.rand(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}
    return {name: (2 * draw - 1) * n_features**-0.5 for name, draw in draws.items()}


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Redirect draws from the global generator of the host to another one, and leave the global one alone.

    Fits in several threads take turns, or one would draw from the generator of another.
    """
    with _redirecting, torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator.get_state())
        yield
        generator.set_state(torch.get_rng_state())
