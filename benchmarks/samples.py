"""Monitors of fresh samples beside those of all rows: cost, bias, errors; and an update of the size of MNLI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
import torch

from benchmarks._harness import Settings, digits, limited
from skgeom.metrics._measure import MEASURES
from skgeom.optim import EmbeddingOptimizer
from skgeom.optim._monitors import Monitors

ROWS, D, CLASSES = 100_000, 384, 3
SIZES = (2_000, 5_000, 20_000)
RECORDS = 10
MEASURED = ("isoscore", "participation_ratio", "silhouette", "calinski_harabasz", "davies_bouldin", "dunn")
MNLI_ROWS, MNLI_PAIRS = 519_214, 390_000
THREADS = 2


def table(settings: Settings) -> Iterator[str]:
    """Yield both tables, of one thread, where CPU time has no spinning in it, and of two, whatever the options say."""
    with limited(1):
        yield from sampled_table()
    with limited(THREADS):
        yield from update_table()


def clusters(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows in float32 around three centres, with a falling spectrum, and their classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=n)
    x = rng.standard_normal((n, D), dtype=np.float32) * (np.arange(1, D + 1) ** -0.3).astype(np.float32)
    x += 0.3 * rng.standard_normal((CLASSES, D), dtype=np.float32)[y]
    return x / np.linalg.norm(x, axis=1, keepdims=True), y


def sampled_table() -> Iterator[str]:
    """Yield what ten samples of each size say of 100,000 rows, and the CPU seconds of a record."""
    x, y = clusters(ROWS)
    full, seconds = {}, {}
    for name in MEASURED:
        row = MEASURES[name]
        start = time.process_time()
        full[name] = row(x, *row.besides(labels=y))
        seconds[name] = time.process_time() - start
    yield f"{ROWS:,} x {D} float32 unit rows, {CLASSES} classes; {RECORDS} fresh samples of each size; CPU seconds of a"
    yield "record in one thread, with the standard errors; bias is the mean of the samples less the value of all rows."
    yield "Standard errors are nan for measures that depend on the number of rows.\n"
    yield "| measure | rows | value | bias | sd of samples | mean standard error | CPU, s |\n|" + "---|" * 7
    for name in MEASURED:
        yield f"| {name} | all | {full[name]:.5f} | | | | {digits(seconds[name])} |"
        for size in SIZES:
            values, errors, cost = samples(x, y, name, size)
            found = f"{values.mean():.5f} | {values.mean() - full[name]:+.5f} | {values.std(ddof=1):.5f}"
            yield f"| | {size:,} | {found} | {errors.mean():.5f} | {digits(cost)} |"


def samples(x: np.ndarray, y: np.ndarray, name: str, size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the values and standard errors of fresh samples, and the median of the seconds of a record."""
    monitors, rows = Monitors([name], y, None, y, len(x), size, seed=0), torch.from_numpy(x)
    records, spent = [], []
    for i in range(RECORDS):
        start = time.process_time()
        records.append(monitors(lambda index: rows[torch.from_numpy(index)], i))
        spent.append(time.process_time() - start)
    values, errors = np.array(records)[..., 0].T
    return values, errors, median(spent)


class Clock:
    """A monitor that notes the time of each record."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.times: list[float] = []

    def __call__(self, embedding: np.ndarray) -> float:
        """Note the time."""
        self.times.append(self.now())
        return 0.0


def update_table() -> Iterator[str]:
    """Yield the seconds of an update, with monitors of 20,000, of pairs of rows as many as MNLI has."""
    x, classes = clusters(MNLI_ROWS)
    pairs = np.random.default_rng(1).integers(MNLI_ROWS, size=(MNLI_PAIRS, 2))
    y = (classes[pairs[:, 0]] + classes[pairs[:, 1]]) % 3
    yield f"\n{MNLI_PAIRS:,} pairs of {MNLI_ROWS:,} x {D} float32 unit rows, 3 classes, full batch, Adam; IsoScore of"
    yield f"20,000 rows and silhouette of 20,000 pairs, with standard errors, at each update; {THREADS} threads.\n"
    yield "| | wall clock, s | CPU, s |\n|---|---|---|"
    for name, monitor in (("update with monitors", ["isoscore", "silhouette"]), ("update alone", [])):
        wall, cpu = Clock(time.perf_counter), Clock(time.process_time)
        EmbeddingOptimizer(
            parametrization="points",
            max_iter=4,
            monitor=[*monitor, wall, cpu],
            monitor_sample=20_000,
            random_state=0,
        ).fit(x, y, pairs=pairs)
        yield f"| {name} | {digits(median(np.diff(wall.times)))} | {digits(median(np.diff(cpu.times)))} |"
