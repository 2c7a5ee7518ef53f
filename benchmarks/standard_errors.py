"""What a standard error costs: `estimate`, with 20 blocks, beside the measure alone.

The target for measures of pairs is at most 30 % more: 0.77 times as fast.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks._harness import Case, Data, rotated_cloud
from skgeom import metrics
from skgeom.comparison import neighbour_overlap

ROWS = (10_000, 100_000)


def cases(data: Data) -> list[Case]:
    """Return the measures, alone and with their standard errors."""
    many = rotated_cloud(ROWS[1], np.arange(1, 385) ** -0.4).astype(np.float32)
    few = data.x[: ROWS[0]]
    partners = (few + 0.05 * np.random.default_rng(0).normal(size=few.shape)).astype(np.float32)
    sums = [
        Case(f"{name} {x.shape[0]:,} x {x.shape[1]}", "alone", (x,), partial(metrics.estimate, name), function)
        for name, function in (
            ("isoscore", metrics.isoscore),
            ("average_cosine", metrics.average_cosine),
            ("effective_rank", metrics.effective_rank),
        )
        for x in (few, many)
    ]
    pairs = [
        Case(f"{name} {ROWS[0]:,} x 384", "alone", given, partial(metrics.estimate, function), function, None, "≥ 0.77")
        for name, function, given in (
            ("silhouette", metrics.silhouette_score, (few, data.y[: ROWS[0]])),
            ("uniformity", metrics.uniformity, (few,)),
            ("sigreg", metrics.sigreg, (few,)),
            ("median_angle", metrics.median_angle, (few,)),
            ("pair_distance_ratio", metrics.pair_distance_ratio, (few, partners)),
            ("clip_loss", metrics.clip_loss, (few, partners)),
            ("recall_at_k", metrics.recall_at_k, (few, partners)),
            ("mma", metrics.mma, (few,)),
            ("hubness", metrics.hubness, (few,)),
            ("neighbour_overlap", neighbour_overlap, (few, partners)),
        )
    ]
    classes, seed = np.arange(ROWS[0]) % 10, {"random_state": 0}
    others = [
        Case(
            f"{function.__name__} {ROWS[0]:,} x 384",
            "alone",
            given,
            partial(metrics.estimate, function, **options),
            partial(function, **options),
        )
        for function, given, options in (
            (metrics.isoscore_within, (few, classes), {}),
            (metrics.calinski_harabasz_score, (few, classes), {}),
            (metrics.davies_bouldin_score, (few, classes), {}),
            (metrics.sliced_dispersion, (few,), seed),
            (metrics.spherical_sliced_wasserstein, (few,), seed),
            (metrics.lloyd, (few,), seed),
            (metrics.conformity_divergence, (few, partners), {}),
        )
    ]
    return [*sums, *pairs, *others]
