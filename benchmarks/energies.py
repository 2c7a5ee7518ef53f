"""Losses over all pairs with their gradients, beside plain Torch.

Both sides take 10,000 x 128 rows in float32 as Torch tensors and return the gradient. Where every pair counts, the
rival is what one writes first: the n x n matrix of cosines, the kernel on all of it, and autograd. Where only the
nearest row counts, it searches for that without a graph, in blocks of 1,024 rows, and builds the graph of the pairs
found: most of the time on both sides is then one product of all rows. Errors are those of the gradient, relative to it,
against the rival in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from benchmarks._harness import Case, Data
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs import _energies as e

N, D, BLOCK = 10_000, 128, 1024
TEMPERATURE = 0.07
Loss: TypeAlias = Callable[..., torch.Tensor]


def cases(data: Data) -> list[Case]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, D)).astype(np.float32)
    y = x + rng.standard_normal((N, D)).astype(np.float32)
    gaussian, laplace = partial(e.gaussian, 1.0, 0.0), partial(e.laplace, 1.0)
    potential = plain(lambda c: torch.exp(4 * c - 4))
    return [
        _case("Gaussian kernel", _mean(gaussian), plain(lambda c: torch.exp(2 * c - 2)), x),
        _case("Laplace kernel", _mean(laplace), plain(lambda c: torch.exp(-chord(c))), x),
        _case("Laplace, geodesic", _mean(partial(e.geodesic_laplace, 1.0)), plain(lambda c: torch.exp(-arc(c))), x),
        _case("Riesz energy", _mean(partial(e.riesz, 1.0)), plain(lambda c: 1 / chord(c)), x),
        _case("uniformity", lambda x: e.uniformity(rows(x), 2.0), lambda x: potential(x).log(), x),
        _nearest_case("MMA", e.mma, lambda u, v: -arc((u * v).sum(1)), x),
        _nearest_case("MMCS", e.mmcs, lambda u, v: (u * v).sum(1), x),
        _nearest_case("KoLeo", e.koleo, lambda u, v: -(u - v).norm(dim=1).log(), x),
        _case("NT-Xent", nt_xent, plain_nt_xent, x, y),
    ]


def _nearest_case(name: str, ours: Callable[[e.Nearest], torch.Tensor], pairs: Loss, x: np.ndarray) -> Case:
    case = _case(name, lambda x: ours(e.nearest_in_angle(rows(x))), of_nearest(pairs), x)
    return replace(case, peer_name="Torch, graph of the pairs found", speed_target="≥ 1", memory_target="")


def _case(name: str, ours: Loss, peer: Loss, *clouds: np.ndarray) -> Case:
    return Case(
        f"{name}, {N:,} x {D} float32",
        "plain Torch",
        clouds,
        partial(gradients, ours),
        partial(gradients, peer),
        error=partial(_error, peer),
        speed_target="≥ 4",
        memory_target="≤ a tenth",
        error_target="≤ 1e-4",
    )


def gradients(loss: Loss, *clouds: np.ndarray) -> list[np.ndarray]:
    """Return the gradients of a loss with respect to each cloud."""
    tensors = [torch.tensor(cloud, requires_grad=True) for cloud in clouds]
    loss(*tensors).backward()
    return [tensor.grad.numpy() for tensor in tensors]


def _error(peer: Loss, found: list[np.ndarray], *clouds: np.ndarray) -> float:
    exact = gradients(peer, *(cloud.astype(np.float64) for cloud in clouds))
    return max(float(np.linalg.norm(f - g) / np.linalg.norm(g)) for f, g in zip(found, exact, strict=True))


def rows(x: torch.Tensor) -> DirectedRows:
    return DirectedRows(x, norms(x))


def _mean(kernel: e.Kernel) -> Loss:
    return lambda x: e.mean_energy(rows(x), kernel)


def nt_xent(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return e.nt_xent(rows(x).unit() / TEMPERATURE, rows(y).unit())


# The rival


def others(x: torch.Tensor) -> torch.Tensor:
    """Return the cosines between all rows, and -1 between a row and itself."""
    u = normalize(x)
    return (u @ u.T).masked_fill(torch.eye(len(x), dtype=torch.bool), -1.0)


def chord(c: torch.Tensor) -> torch.Tensor:
    return (2 - 2 * c).clamp(min=1e-12).sqrt()


def arc(c: torch.Tensor) -> torch.Tensor:
    return torch.acos(c.clamp(1e-6 - 1, 1 - 1e-6))


def of_nearest(pairs: Loss) -> Loss:
    def mean(x: torch.Tensor) -> torch.Tensor:
        u = normalize(x)
        return pairs(u, u[nearest(u.detach())]).mean()

    return mean


@torch.no_grad()
def nearest(u: torch.Tensor) -> torch.Tensor:
    """Return which row is nearest to each."""
    found = []
    for start in range(0, len(u), BLOCK):
        cosines = u[start : start + BLOCK] @ u.T
        cosines.diagonal(start).fill_(-1.0)
        found.append(cosines.argmax(1))
    return torch.cat(found)


def plain(kernel: Loss) -> Loss:
    def mean(x: torch.Tensor) -> torch.Tensor:
        n = len(x)
        return kernel(others(x)).masked_fill(torch.eye(n, dtype=torch.bool), 0.0).sum() / (n * (n - 1))

    return mean


def plain_nt_xent(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    logits = normalize(x) @ normalize(y).T / TEMPERATURE
    own = torch.arange(len(x))
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
