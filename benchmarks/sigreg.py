"""SIGReg over all slices with its gradient, beside the sketch of 256 slices that its source draws at each step."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from benchmarks._harness import Case, Data
from skgeom.metrics import sigreg

SLICES = 256


def cases(data: Data) -> list[Case]:
    """Return batches of several sizes, standardised feature by feature as for a normal target."""
    x = (data.x - data.x.mean(axis=0)) / np.maximum(data.x.std(axis=0), 1e-3)
    rows = np.random.default_rng(0).permutation(len(x))
    return [_case(x[rows[:n]].astype(np.float32)) for n in (256, 1024, 4096)]


def _case(x: np.ndarray) -> Case:
    return Case(
        f"{len(x):,} x {x.shape[1]} float32",
        f"{SLICES} slices, 17 frequencies",
        (x,),
        lambda x: gradient(sigreg, x),
        lambda x: gradient(sketched, x),
        error=_error,
        speed_target="≥ 1",
        error_target="≤ 1e-4",
    )


def sketched(x: torch.Tensor) -> torch.Tensor:
    """Return the mean over random slices of the Epps-Pulley distance, as published but for its factor √(2π) n."""
    directions = torch.randn(x.shape[1], SLICES)
    t = torch.linspace(-5, 5, 17)
    target = torch.exp(-(t**2) / 2)
    phases = (x @ (directions / directions.norm(dim=0)))[:, :, None] * t
    squares = (phases.cos().mean(0) - target) ** 2 + phases.sin().mean(0) ** 2
    return torch.trapezoid(squares * target, t, dim=1).mean() / math.sqrt(2 * math.pi)


def gradient(loss: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray) -> np.ndarray:
    """Return the gradient of a loss with respect to the rows."""
    tensor = torch.tensor(x, requires_grad=True)
    loss(tensor).backward()
    return tensor.grad.numpy()


def _error(found: np.ndarray, x: np.ndarray) -> float:
    exact = gradient(sigreg, x.astype(np.float64))
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
