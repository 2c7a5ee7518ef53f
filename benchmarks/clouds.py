"""Tests of whether clouds differ: how often they reject equal ones, and what they see beside permutations.

Levels: in each of 1,000 splits as many different rows of a set are drawn at random, without replacement, and cut into
clouds. A cell says how often a p-value is below 5 % and below 1 %, in percent; "any" is the p-value of all four parts.
With 1,000 splits a rate of 5 % has a standard error of .7, one of 1 % of .3. CLIP has 500 rows, so that its splits
overlap.

Equal means: the second cloud is stretched by 1.5 about the mean of the set, so that its covariance is 2.25 times that
of the first. Only the location is the same, and how often it is rejected is shown.

Power: 40 replications at 5 %, beside the maximum mean discrepancy with the same kernel and 200 permutations.

Documents: rows of one share a row and a spread of their own, drawn from a set, so that they depend on one another;
there are 5 in each, or 1 to 12. With `groups` the documents count; "rows" is what 100 tests without them say.

Drift: a reference and batches of other rows of one set, 200 times anew. False alarms are those of single batches at
5 %, and of whole streams with `n_batches`, of which 5 % may alarm. A rate of 5 % of the streams has a standard error of
1.5.

Time: CPU time beside permutations of the kernel alone. "By index" forms the kernel once and takes its rows and columns
in each order, as packages of drift detection do; "by product" multiplies it by all memberships at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks._harness import Settings, limited
from skgeom.comparison import CloudTest, DriftMonitor, cloud_test

SPLITS = 1000
STREAMS = 200
REPLICATIONS = 40
PARTS = ("location", "scale", "covariance", "kernel")
SIZES = ((100, 100), (150, 50), (80, 60, 60))
SETS = {
    "rt_polarity": ("rt_polarity_minilm", "X_raw", ...),
    "SNLI": ("snli_dev_minilm", "X_raw", ...),
    "TREC": ("trec_minilm", "X_raw", ...),
    "WordPiece": ("words_minilm_wordpiece_384d", "X", ...),
    "word2vec": ("words_w2v_en_es_50d", "X_en", ...),
    "CLIP images": ("modality_gap_pairs", "clip", 0),
}


def table(settings: Settings) -> Iterator[str]:
    """Measure all tables and yield their lines."""
    if settings.data is None:
        yield "No real data (--data, SKGEOM_DATA)."
        return
    with limited(settings.threads):
        sets = {name: _load(Path(settings.data), *where) for name, where in SETS.items()}
        yield from _power(sets, Path(settings.data))
        yield from _times(sets["rt_polarity"], settings)
        yield from _equal_means(sets["rt_polarity"])
        yield from _levels(sets)
        yield from _documents(sets)
        yield from _drift(sets)


def _load(folder: Path, file: str, key: str, part: object) -> np.ndarray:
    with np.load(folder / f"{file}.npz") as stored:
        return np.unique(stored[key][part].astype(np.float64), axis=0)


def _levels(sets: dict[str, np.ndarray]) -> Iterator[str]:
    yield from _header("Level: 5 % / 1 %", "set", "sizes", *PARTS, "any")
    for name, x in sets.items():
        for sizes in SIZES:
            found = np.array([_pvalues(cloud_test(*part)) for part in _splits(x, sizes, SPLITS)])
            yield f"| {name} | {', '.join(map(str, sizes))} | {' | '.join(map(_rates, found.T))} |"


def _equal_means(x: np.ndarray) -> Iterator[str]:
    yield from _header("Equal means, covariance x 2.25 (rt_polarity): 5 % / 1 %", "sizes", "location")
    mean = x.mean(axis=0)
    for sizes in ((200, 200), (300, 100), (100, 300)):
        splits = _splits(x, sizes, SPLITS)
        found = [cloud_test(a, mean + 1.5 * (b - mean), max_rows=32).location.pvalue for a, b in splits]
        yield f"| {', '.join(map(str, sizes))} | {_rates(np.array(found))} |"


def _documents(sets: dict[str, np.ndarray]) -> Iterator[str]:
    yield from _header("Documents: 5 % / 1 %", "set", "documents", "rows in each", *PARTS, "any", "rows, any")
    for name in ("rt_polarity", "word2vec"):
        for sizes in ((40, 40), (60, 20)):
            for least, most in ((5, 5), (1, 12)):
                rng, found, by_rows = np.random.default_rng(0), [], []
                for split in range(SPLITS):
                    clouds, groups = zip(
                        *(_draw_documents(sets[name], n, least, most, rng) for n in sizes), strict=True
                    )
                    apart = tuple(codes + 1000 * k for k, codes in enumerate(groups))
                    found.append(_pvalues(cloud_test(*clouds, groups=apart)))
                    if split < 100:
                        by_rows.append(cloud_test(*clouds).pvalue)
                rates = " | ".join(map(_rates, [*np.array(found).T, np.array(by_rows)]))
                sizes_of = str(least) if least == most else f"{least} to {most}"
                yield f"| {name} | {', '.join(map(str, sizes))} | {sizes_of} | {rates} |"


def _draw_documents(
    x: np.ndarray, n: int, least: int, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of n documents, and the number of the document of each."""
    group = np.repeat(np.arange(n), rng.integers(least, most + 1, n))
    common, own = x[rng.choice(len(x), n, replace=False)], x[rng.choice(len(x), len(group), replace=False)]
    return common[group] + rng.uniform(0.5, 1.5, n)[group, None] * (own - x.mean(axis=0)), group


def _power(sets: dict[str, np.ndarray], folder: Path) -> Iterator[str]:
    yield from _header(
        f"Power at 5 %, {REPLICATIONS} replications", "difference", "sizes", *PARTS, "any", "200 permutations"
    )
    for name, sizes, draw in _differences(sets, folder):
        rng, found, permuted = np.random.default_rng(0), [], []
        for _ in range(REPLICATIONS):
            a, b = draw(rng, sizes)
            found.append(_pvalues(cloud_test(a, b)))
            permuted.append(_by_product(a, b, 200))
        rates = [*np.mean(np.array(found) < 0.05, axis=0), np.mean(np.array(permuted) < 0.05)]
        yield f"| {name} | {', '.join(map(str, sizes))} | {' | '.join(f'{rate:.2f}' for rate in rates)} |"


Draw = Callable[[np.random.Generator, tuple[int, int]], list[np.ndarray]]


def _differences(sets: dict[str, np.ndarray], folder: Path) -> Iterator[tuple[str, tuple[int, int], Draw]]:
    """Yield what is planted in the second cloud, its name and the sizes."""
    x, trec = sets["rt_polarity"], sets["TREC"]
    total = np.sqrt(x.var(axis=0).sum())
    direction = np.random.default_rng(7).normal(size=x.shape[1])
    direction *= 0.15 * total / np.linalg.norm(direction)
    axes = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:10]

    def changed(change: Callable[[np.ndarray], np.ndarray]) -> Draw:
        def draw(rng: np.random.Generator, sizes: tuple[int, int]) -> list[np.ndarray]:
            a, b = next(_splits(x, sizes, 1, rng))
            return [a, change(b)]

        return draw

    def mixed(b: np.ndarray) -> np.ndarray:
        n = round(0.075 * len(b))
        return np.concatenate([trec[:n], b[n:]])

    with np.load(folder / "rt_polarity_minilm.npz") as stored:
        negative, positive = (stored["X_raw"][stored["y"] == label].astype(np.float64) for label in (0, 1))
    with np.load(folder / "words_w2v_en_es_50d.npz") as stored:
        words = stored["X_en"].astype(np.float64)

    def between(first: np.ndarray, second: np.ndarray, share: float = 1.0) -> Draw:
        def draw(rng: np.random.Generator, sizes: tuple[int, int]) -> list[np.ndarray]:
            n = round(share * sizes[1])
            a, rest = next(_splits(first, (sizes[0], sizes[1] - n), 1, rng))
            return [a, np.concatenate([rest, second[rng.choice(len(second), n, replace=False)]])]

        return draw

    mean = x.mean(axis=0)
    yield "rt_polarity, negative and positive", (100, 100), between(negative, positive)
    yield "half of the second positive", (200, 200), between(negative, positive, 0.5)
    yield "word2vec, the 1,000 most and least frequent", (100, 100), between(words[:1000], words[-1000:])
    yield "shift of .15 total deviations", (100, 100), changed(lambda b: b + direction)
    yield "7.5 % TREC rows mixed in", (200, 200), changed(mixed)
    yield "scale x 1.1", (200, 200), changed(lambda b: mean + 1.1 * (b - mean))
    yield "10 leading axes x 1.5", (200, 200), changed(lambda b: b + 0.5 * (b - mean) @ axes.T @ axes)
    yield "none", (200, 200), changed(lambda b: b)


def _times(x: np.ndarray, settings: Settings) -> Iterator[str]:
    yield from _header(
        f"CPU time, ms (rt_polarity, {settings.threads} thread)",
        "sizes",
        "cloud_test, all four parts",
        *(f"{n:,} permutations {how}" for n in (200, 10_000) for how in ("by index", "by product")),
    )
    for sizes in ((100, 100), (500, 500), (1000, 1000)):
        a, b = next(_splits(x, sizes, 1))
        by_index = _seconds(partial(_by_index, a, b, 20)) - _seconds(partial(_by_index, a, b, 0))
        peers = [_seconds(partial(_by_product, a, b, n)) for n in (200, 10_000)]
        cells = [_seconds(partial(cloud_test, a, b)), 10 * by_index, peers[0], 500 * by_index, peers[1]]
        yield f"| {', '.join(map(str, sizes))} | {' | '.join(f'{1e3 * cell:,.0f}' for cell in cells)} |"


def _drift(sets: dict[str, np.ndarray]) -> Iterator[str]:
    yield from _header(
        f"Drift: false alarms at 5 %, {STREAMS} streams",
        "set",
        "reference",
        "batches",
        "batches that alarm, %",
        "streams that alarm with n_batches, %",
    )
    for name, x in sets.items():
        sizes = (300, *[50] * 10) if len(x) > 1000 else (200, *[50] * 5)
        n, found = len(sizes) - 1, []
        for reference, *batches in _splits(x, sizes, STREAMS):
            monitor = DriftMonitor(alpha=0.05, n_batches=n).fit(reference)
            found.append([monitor.score(batch) for batch in batches])
        pvalues = np.array(found)
        single, streams = 100 * np.mean(pvalues <= 0.05), 100 * np.mean(pvalues.min(axis=1) <= 0.05 / n)
        yield f"| {name} | {sizes[0]} | {n} of {sizes[1]} | {single:.1f} | {streams:.1f} |"


def _splits(
    x: np.ndarray, sizes: Sequence[int], n: int, rng: np.random.Generator | None = None
) -> Iterator[list[np.ndarray]]:
    """Yield n times clouds of different rows."""
    rng = rng or np.random.default_rng(0)
    for _ in range(n):
        rows = rng.choice(len(x), sum(sizes), replace=False)
        yield [x[part] for part in np.split(rows, np.cumsum(sizes)[:-1])]


def _pvalues(found: CloudTest) -> list[float]:
    return [*(getattr(found, part).pvalue for part in PARTS), found.pvalue]


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    rows = np.concatenate([a, b])
    squares = np.sum(rows * rows, axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * (rows @ rows.T), 0.0)
    return np.exp(-distances / (2 * np.median(distances[np.triu_indices(len(rows), 1)])))


def _discrepancy(kernel: np.ndarray, n: int) -> float:
    """Return the unbiased squared maximum mean discrepancy of the first n rows and the others."""
    m = len(kernel) - n
    first, second = kernel[:n, :n], kernel[n:, n:]
    within = (first.sum() - np.trace(first)) / (n * (n - 1)) + (second.sum() - np.trace(second)) / (m * (m - 1))
    return float(within - 2 * kernel[:n, n:].mean())


def _by_index(a: np.ndarray, b: np.ndarray, n_orders: int) -> float:
    kernel, rng = _kernel(a, b), np.random.default_rng(0)
    value, drawn = _discrepancy(kernel, len(a)), 0
    for _ in range(n_orders):
        order = rng.permutation(len(kernel))
        drawn += _discrepancy(kernel[order][:, order], len(a)) >= value
    return (1 + drawn) / (1 + n_orders)


def _by_product(a: np.ndarray, b: np.ndarray, n_orders: int) -> float:
    kernel, rng = _kernel(a, b), np.random.default_rng(0)
    n, m = len(a), len(b)
    np.fill_diagonal(kernel, 0.0)
    first = np.stack([np.arange(n + m) < n, *(rng.permutation(n + m) < n for _ in range(n_orders))], axis=1)
    members = first.astype(np.float64)
    towards, total = kernel @ members, kernel.sum()
    inside = np.sum(members * towards, axis=0)
    between = towards.sum(axis=0) - inside
    values = inside / (n * (n - 1)) + (total - 2 * between - inside) / (m * (m - 1)) - 2 * between / (n * m)
    return float(np.mean(values >= values[0] - 1e-12))


def _seconds(function: Callable[[], object], repeats: int = 3) -> float:
    def once() -> float:
        start = time.process_time()
        function()
        return time.process_time() - start

    return median(once() for _ in range(repeats))


def _header(title: str, *columns: str) -> Iterator[str]:
    yield f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def _rates(pvalues: np.ndarray) -> str:
    return f"{100 * np.mean(pvalues < 0.05):.1f} / {100 * np.mean(pvalues < 0.01):.1f}"
