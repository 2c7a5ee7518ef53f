"""How often a call hands work to an accelerator, and how often the host waits for it: 10,000 x 384 float32 rows.

Counted on the second device of array-api-strict, which stands in for an accelerator: an operation is an array that
comes into being or is overwritten there (views count too, although they launch nothing), and a wait is a number or an
array that the host reads. While it waits, an accelerator stands idle. It does not replace a measurement on a GPU.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import array_api_strict as strict
import numpy as np
from array_api_strict._array_object import Array as StrictArray

from benchmarks._harness import Settings, limited, rotated_cloud
from skgeom import metrics, preprocessing
from skgeom.alignment import CCAAligner, GeneralizedProcrustes, LstsqAligner, ProcrustesAligner
from skgeom.calibration import CosineCalibrator
from skgeom.comparison import cka, cloud_test, compare, neighbour_overlap
from skgeom.multimodal import divergence_along_offset, double_ellipsoid

N, D, CLASSES, TARGET = 10_000, 384, 10, 40
DEVICE = strict.Device("device1")
OVERWRITES = ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__")
READS = ("__bool__", "__int__", "__float__", "__index__", "to_device")
SIZED_BY_DATA = ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values")

OFFSET = 0.1
"""For a mean cosine of about .4, as sentences have."""

LABELS, HUNDRED = np.arange(N) % CLASSES, np.arange(N) % 100


def _quietly(fit: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Fit without the warning that a hundred rows are few."""
    with warnings.catch_warnings(action="ignore"):
        return fit(*args, **kwargs)


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "isoscore": lambda x, _: metrics.isoscore(x),
    'estimate("isoscore")': lambda x, _: metrics.estimate("isoscore", x),
    'estimate("effective_rank")': lambda x, _: metrics.estimate("effective_rank", x),
    'estimate("silhouette")': lambda x, _: metrics.estimate("silhouette", x, LABELS),
    'estimate("uniformity")': lambda x, _: metrics.estimate("uniformity", x),
    'estimate("median_angle")': lambda x, _: metrics.estimate("median_angle", x),
    'estimate("clip_loss")': lambda x, y: metrics.estimate("clip_loss", x, y),
    "effective_rank": lambda x, _: metrics.effective_rank(x),
    "average_cosine": lambda x, _: metrics.average_cosine(x),
    "conformity": lambda x, _: metrics.conformity(x),
    "silhouette_score": lambda x, _: metrics.silhouette_score(x, LABELS),
    'silhouette_score(metric="sqeuclidean")': lambda x, _: metrics.silhouette_score(x, LABELS, metric="sqeuclidean"),
    "davies_bouldin_score": lambda x, _: metrics.davies_bouldin_score(x, LABELS),
    'davies_bouldin_score(metric="geodesic")': lambda x, _: metrics.davies_bouldin_score(x, LABELS, metric="geodesic"),
    "uniformity": lambda x, _: metrics.uniformity(x),
    "mma": lambda x, _: metrics.mma(x),
    "median_angle": lambda x, _: metrics.median_angle(x),
    "angle_quantiles, nine": lambda x, _: metrics.angle_quantiles(x, np.linspace(0, 1, 9)),
    "triplet_objective, 100 classes": lambda x, _: metrics.triplet_objective(x, HUNDRED),
    "sigreg": lambda x, _: metrics.sigreg(x),
    "clip_loss": metrics.clip_loss,
    "k_nearest": metrics.k_nearest,
    'k_nearest(metric="csls")': lambda x, y: metrics.k_nearest(x, y, metric="csls"),
    "recall_at_k": metrics.recall_at_k,
    "hubness": lambda x, _: metrics.hubness(x),
    "mixed_retrieval": metrics.mixed_retrieval,
    "layer_profile, twelve layers": lambda x, y: metrics.layer_profile([x, y] * 6),
    "cka": cka,
    "compare, twelve spaces": lambda x, y: compare([x, y] * 6),
    "neighbour_overlap": neighbour_overlap,
    "cloud_test": cloud_test,
    "cloud_test, four clouds": lambda x, y: cloud_test(x, y, x[::-1, :], y[::-1, :]),
    "CosineCalibrator.fit": lambda x, _: CosineCalibrator().fit(x),
    "double_ellipsoid": double_ellipsoid,
    "divergence_along_offset, nine shifts": lambda x, y: divergence_along_offset(x, y, np.linspace(-1, 1, 9)),
    "Whitening.fit": lambda x, _: preprocessing.Whitening().fit(x),
    'Whitening(shrinkage="ledoit_wolf").fit': lambda x, _: preprocessing.Whitening(shrinkage="ledoit_wolf").fit(x),
    "Whitening.fit_transform": lambda x, _: preprocessing.Whitening().fit_transform(x),
    "AllButTheTop.fit": lambda x, _: preprocessing.AllButTheTop().fit(x),
    "GroupWhitening.fit, ten groups": lambda x, _: preprocessing.GroupWhitening().fit(x, groups=LABELS),
    "GroupWhitening.fit, 100 groups": lambda x, _: _quietly(preprocessing.GroupWhitening().fit, x, groups=HUNDRED),
    "GroupAllButTheTop.fit, ten groups": lambda x, _: preprocessing.GroupAllButTheTop().fit(x, groups=LABELS),
    "TangentSpace.fit": lambda x, _: preprocessing.TangentSpace().fit(x),
    "ProcrustesAligner.fit": lambda x, y: ProcrustesAligner().fit(x, y),
    "LstsqAligner.fit": lambda x, y: LstsqAligner().fit(x, y),
    "CCAAligner.fit": lambda x, y: CCAAligner().fit(x, y),
    "GeneralizedProcrustes.fit, two spaces": lambda x, y: GeneralizedProcrustes(random_state=0).fit([x, y]),
    "GeneralizedProcrustes.fit, five spaces": lambda x, y: GeneralizedProcrustes(random_state=0).fit([x, y, x, y, x]),
}


def table(settings: Settings) -> Iterator[str]:
    """Yield a line for each call."""
    rows = (rotated_cloud(N, np.arange(1, D + 1) ** -0.5) + OFFSET).astype(np.float32)
    pairs = rows, rows + 0.1 * rotated_cloud(N, np.ones(D), seed=1).astype(np.float32)
    yield "| call | operations | waits | target |\n|" + "---|" * 4
    with limited(settings.threads):
        for name, call in CALLS.items():
            sides = [strict.asarray(side, device=DEVICE) for side in pairs]
            with counted() as counts:
                call(*sides)
            yield f"| {name} | {counts['operations']:,} | {counts['waits']} | ≤ {TARGET} |"


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the operations on the device, and the waits of the host, within the context."""
    counts: Counter[str] = Counter()

    def counting(what: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted_method(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if what == "waits":
                counts[what] += sys._getframe(1).f_globals["__name__"].startswith("skgeom")
            else:
                counts[what] += (args[0] if result is None else result).device == DEVICE
            return result

        return counted_method

    made = StrictArray.__dict__["_new"].__func__
    changes: dict[str, Any] = {"_new": classmethod(counting("operations", made))}
    changes |= {name: counting("operations", getattr(StrictArray, name)) for name in OVERWRITES}
    changes |= {name: counting("waits", getattr(StrictArray, name)) for name in READS}
    sized = {name: counting("waits", getattr(strict, name)) for name in SIZED_BY_DATA}
    with patch.multiple(StrictArray, **changes), patch.multiple(strict, **sized):
        yield counts
