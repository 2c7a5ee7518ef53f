"""Exponential and logarithmic maps of TangentSpace beside those of geoopt: the largest differences.

geoopt is not a dependency: ``pip install --no-deps geoopt==0.5.1`` beside Torch. Its maps of the ball are in
coordinates there, in which a vector at μ is (1 - ‖μ‖²) / 2 times as long as what TangentSpace returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch

from benchmarks._harness import Settings
from skgeom.preprocessing import TangentSpace

DIMENSIONS = (3, 10, 384)
CLOUDS = 20


def table(settings: Settings) -> Iterator[str]:
    """Yield for each space and dimension the largest differences over clouds of 200 points in float64."""
    if find_spec("geoopt") is None:
        yield "geoopt is not installed: pip install --no-deps geoopt==0.5.1"
        return
    yield "| space, features | log | exp | distance to the mean | target |"
    yield "|---|---|---|---|---|"
    for geometry in ("sphere", "poincare"):
        for d in DIMENSIONS:
            log, exp, distance = np.max([differences(geometry, d, seed) for seed in range(CLOUDS)], axis=0)
            yield f"| {geometry}, {d} | {log:.0e} | {exp:.0e} | {distance:.0e} | ≤ 1e-10 |"


def differences(geometry: str, d: int, seed: int) -> tuple[float, float, float]:
    """Return the largest difference of the tangent vectors at the mean, of the points they lead to, and of lengths."""
    geoopt = import_module("geoopt")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, d)) + rng.normal(size=d)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    space = geoopt.Sphere()
    if geometry == "poincare":
        x *= rng.uniform(0, 0.99, (200, 1))
        space = geoopt.PoincareBall()
    flat = TangentSpace(geometry).fit(x)
    z = flat.transform(x)
    unit = (1 - flat.mean_ @ flat.mean_) / 2 if geometry == "poincare" else 1.0
    mean, points, tangents = (torch.from_numpy(a) for a in (flat.mean_, x, z @ flat.basis_ * unit))
    return (
        np.abs(z @ flat.basis_ - space.logmap(mean, points).numpy() / unit).max(),
        np.abs(flat.inverse_transform(z) - space.expmap(mean, tangents).numpy()).max(),
        np.abs(np.linalg.norm(z, axis=1) - space.dist(mean, points).numpy()).max(),
    )
