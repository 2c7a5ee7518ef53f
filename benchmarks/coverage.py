"""Coverage of the 95 % intervals of `estimate`: planted distributions, moment measures and measures of pairs.

Each cell is the share of samples, in percent, whose interval holds the target, and in brackets the same with the
standard error that counts values as independent, where there is one: sd / √n of the values of the rows. The target of
measures of sums is the value of 400,000 rows, that of silhouette and uniformity the mean of six times 8,000, and that
of measures of the number of rows the mean over all samples. Rows have 16 features of scale 1 to 0.25 around a mean of
length 1, labels are the largest of the first three features, and partners are rows with noise. "documents" are five
rows each, with 60 % of their variance in common, left out together (groups=), and "documents, as rows" are the same
without groups.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks._harness import Settings, limited
from skgeom.comparison import neighbour_overlap
from skgeom.metrics import (
    average_cosine,
    conformity,
    effective_rank,
    estimate,
    isoscore,
    modality_gap,
    participation_ratio,
    silhouette_samples,
    silhouette_score,
    uniformity,
)

D = 16
SCALES = np.linspace(1, 0.25, D)
MEAN = np.full(D, 1 / D**0.5)
ROWS_OF_TRUTH, ROWS_IN_PAIRS, DRAWS = 400_000, 8_000, 6
PER_DOCUMENT = 5
SUMS = ("isoscore", "participation_ratio", "effective_rank", "average_cosine", "modality_gap")
PAIRS = ("silhouette", "uniformity", "recall_at_k", "neighbour_overlap")
SAMPLES = {200: {"sums": 1000, "pairs": 1000, "overlap": 300}, 1000: {"sums": 1000, "pairs": 300, "overlap": 100}}
DISTRIBUTIONS = ("normal", "t, 5 degrees", "mixture", "documents", "documents, as rows")


def table(settings: Settings) -> Iterator[str]:
    """Draw samples of every distribution, and yield the lines of their table."""
    names = (*SUMS, *PAIRS)
    yield f"| distribution | rows | {' | '.join(names)} |\n|" + "---|" * (2 + len(names))
    with limited(settings.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for distribution in DISTRIBUTIONS:
            truth = _truth(distribution)
            for n, samples in SAMPLES.items():
                cells = [_cell(name, distribution, n, samples, truth.get(name)) for name in names]
                yield f"| {distribution} | {n:,} | {' | '.join(cells)} |"


def _cell(name: str, distribution: str, n: int, samples: dict[str, int], target: float | None) -> str:
    kind = "overlap" if name == "neighbour_overlap" else "sums" if name in SUMS else "pairs"
    measure = neighbour_overlap if name == "neighbour_overlap" else name
    found, naive = [], []
    for seed in range(samples[kind]):
        x, y = rows(distribution, n, np.random.default_rng([seed, n]))
        others = {"silhouette": (labels(x),), "modality_gap": (y,), "recall_at_k": (y,), "neighbour_overlap": (y,)}
        groups = np.arange(n) // PER_DOCUMENT if distribution == "documents" else None
        paired = {"paired": True} if name == "modality_gap" else {}
        found.append(estimate(measure, x, *others.get(name, ()), groups=groups, **paired))
        if name in ROW_VALUES:
            values = ROW_VALUES[name](x, y)
            naive.append((values.mean(), 1.96 * values.std(ddof=1) / n**0.5))
    target = np.mean([one.value for one in found]) if target is None else target
    covered = np.mean([one.interval[0] <= target <= one.interval[1] for one in found])
    if not naive:
        return f"{100 * covered:.0f}"
    return f"{100 * covered:.0f} ({100 * np.mean([abs(v - target) <= margin for v, margin in naive]):.0f})"


def rows(distribution: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (n, d) of a distribution, and their partners."""
    z = rng.normal(size=(n, D))
    if distribution.startswith("documents"):
        documents = np.repeat(rng.normal(size=(-(-n // PER_DOCUMENT), D)), PER_DOCUMENT, axis=0)[:n]
        z = 0.6**0.5 * documents + 0.4**0.5 * z
    elif distribution == "t, 5 degrees":
        z /= np.sqrt(rng.chisquare(5, (n, 1)) / 5)
    elif distribution == "mixture":
        centres = 2 * np.eye(3, D)
        z = 0.7 * z + centres[rng.integers(0, 3, n)]
    x = z * SCALES + MEAN
    return x, x + rng.normal(size=(n, D)) * 0.3 - 0.5 * MEAN


def labels(x: np.ndarray) -> np.ndarray:
    """Return a class for each row."""
    return x[:, :3].argmax(axis=1)


def _truth(distribution: str) -> dict[str, float]:
    x, y = rows(distribution, ROWS_OF_TRUTH, np.random.default_rng(0))
    one_cloud = (isoscore, participation_ratio, effective_rank, average_cosine)
    many = [rows(distribution, ROWS_IN_PAIRS, np.random.default_rng([DRAWS, draw]))[0] for draw in range(DRAWS)]
    of_pairs = {
        "silhouette": np.mean([silhouette_score(z, labels(z)) for z in many]),
        "uniformity": np.mean([uniformity(z) for z in many]),
    }
    return {f.__name__: f(x) for f in one_cloud} | {"modality_gap": modality_gap(x, y)} | of_pairs


ROW_VALUES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "average_cosine": lambda x, y: conformity(x),
    "silhouette": lambda x, y: silhouette_samples(x, labels(x)),
    "neighbour_overlap": lambda x, y: np.asarray(neighbour_overlap(x, y, per_row=True)),
}
"""The values of rows whose mean is a measure."""
