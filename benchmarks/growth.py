"""How times grow with rows n, columns d and neighbours, classes or dimensions k, beside what the definitions say.

An exponent is the slope of log time over log size, by least squares over four sizes that double, the other sizes fixed.
It stays below what is expected where the costs of lower order still count: products grow more efficient with d. The
exponent of d in a decomposition is 3, in the sums before it 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks._harness import SAMPLE_SECONDS, Inputs, Settings, limited, seconds
from skgeom.alignment import ProcrustesAligner
from skgeom.metrics import isoscore, k_nearest, silhouette_score, uniformity
from skgeom.preprocessing import Whitening

REPEATS = 3


class Growth(NamedTuple):
    """A call of rows (n, d) and k, the sizes that are doubled three times, and the exponents expected."""

    name: str
    call: Callable[..., Any]
    start: dict[str, int]
    fixed: dict[str, int]
    expected: dict[str, str]


def table(settings: Settings) -> Iterator[str]:
    """Measure all exponents and yield the lines of their table."""
    yield "| measure | size | values | at | exponent | expected |\n|" + "---|" * 6
    with limited(settings.threads):
        for growth in _growths():
            for size, start in growth.start.items():
                yield _line(growth, size, [start * 2**i for i in range(4)], settings)


def _growths() -> list[Growth]:
    rows, pairs = {"n": 20_000, "d": 256, "k": 8}, {"n": 4000, "d": 256, "k": 8}
    of_sums, of_pairs = {"n": "1", "d": "2"}, {"n": "2", "d": "1"}
    larger, fewer = {"n": 10_000, "d": 128}, {"n": 1500, "d": 128}
    return [
        Growth("IsoScore", lambda x, k: isoscore(x), larger, rows, of_sums),
        Growth(
            "Whitening.fit",
            lambda x, k: Whitening(k).fit(x),
            {**larger, "k": 8},
            rows,
            {**of_sums, "d": "2 to 3", "k": "0"},
        ),
        Growth("silhouette", _silhouette, {**fewer, "k": 8}, pairs, {**of_pairs, "k": "0"}),
        Growth("uniformity", lambda x, k: uniformity(x), fewer, pairs, of_pairs),
        Growth("k_nearest", lambda x, k: k_nearest(x, k=k), {**fewer, "k": 5}, pairs, {**of_pairs, "k": "0 to 1"}),
        Growth(
            "Procrustes", lambda x, k: ProcrustesAligner().fit(x, x[::-1]), larger, rows, {**of_sums, "d": "2 to 3"}
        ),
    ]


def _line(growth: Growth, size: str, values: list[int], settings: Settings) -> str:
    at = {name: value for name, value in growth.fixed.items() if name != size and name in growth.start}
    times = [_time(growth.call, _rows(**{**growth.fixed, size: value}), settings) for value in values]
    slope = np.polyfit(np.log(values), np.log(times), 1)[0]
    others = ", ".join(f"{name} = {value:,}" for name, value in at.items())
    sizes = f"{values[0]:,} to {values[-1]:,}"
    return f"| {growth.name} | {size} | {sizes} | {others} | {slope:.2f} | {growth.expected[size]} |"


def _rows(n: int, d: int, k: int) -> tuple[np.ndarray, int]:
    return np.random.default_rng(0).standard_normal((n, d), dtype=np.float32), k


def _time(call: Callable[..., Any], inputs: Inputs, settings: Settings) -> float:
    first = seconds(call, inputs, 1, settings.clock)
    calls = max(1, round(SAMPLE_SECONDS / max(first, 1e-6)))
    return median(seconds(call, inputs, calls, settings.clock) for _ in range(REPEATS))


def _silhouette(x: np.ndarray, k: int) -> float:
    return silhouette_score(x, np.arange(x.shape[0]) % k)
