"""The closed null of debiased CKA beside 10,000 random orders of the rows, on pairs of real spaces.

For each pair the rows of one space are shuffled 10,000 times. The mean and the deviation of the values are those of
the closed form up to sampling. The tail columns give the p-value that the closed form assigns to the value that 5 %,
1 % and .1 % of the orders exceed: the same numbers where it is right. A normal distribution of the same mean and
deviation is set beside. Then the p-value of the pair itself, which 10,000 orders can only bound, and the CPU time of
each way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import norm, pearson3

from benchmarks._harness import Settings, limited
from skgeom.comparison import cka, relation_test

ORDERS = 10_000
TAILS = (0.05, 0.01, 0.001)


def table(settings: Settings) -> Iterator[str]:
    """Measure all pairs and yield the lines of their table."""
    if settings.data is None:
        yield "No real data (--data, SKGEOM_DATA)."
        return
    yield (
        f"| pair | rows | CKA | mean, deviation | of {ORDERS:,} orders | tail 5 %, 1 %, .1 % | normal | p-value "
        f"| p of {ORDERS:,} orders | CPU, ms | orders, ms |\n|" + "---|" * 11
    )
    with limited(settings.threads):
        for name, x, y in _pairs(Path(settings.data)):
            yield _row(name, x, y)


def _pairs(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    def rows(file: str, key: str, n: int | None = None) -> np.ndarray:
        with np.load(folder / f"{file}.npz") as stored:
            return stored[key][:n].astype(np.float64)

    yield "STS-B, English and German", *(rows("stsb_parallel_minilm", key, 300) for key in ("X_en", "X_de"))
    pairs = rows("words_w2v_en_es_50d", "pairs_muse_en_es_train", 500).astype(int)
    words = zip(("X_en", "X_es"), pairs.T, strict=True)
    yield "word2vec, English and Spanish", *(rows("words_w2v_en_es_50d", key)[index] for key, index in words)
    clip = rows("modality_gap_pairs", "clip")
    yield "CLIP, images and texts", clip[0], clip[1]
    for task in ("mrpc", "wnli"):
        models = (rows(f"glue_{task}_{model}", "X", 400) for model in ("minilm", "mpnet"))
        yield f"{task.upper()}, MiniLM and MPNet", *models


def _row(name: str, x: np.ndarray, y: np.ndarray) -> str:
    start = time.process_time()
    closed = relation_test(x, y)
    seconds = time.process_time() - start
    start = time.process_time()
    drawn = relation_test(x, y, n_permutations=ORDERS, random_state=0)
    seconds_drawn = time.process_time() - start
    values = _shuffled(x, y)
    at = np.quantile(values, 1 - np.array(TAILS))
    z = (at - closed.null_mean) / closed.null_std
    tails = [", ".join(f"{p:.4f}" for p in ps) for ps in (pearson3.sf(z, closed.null_skewness), norm.sf(z))]
    return (
        f"| {name} | {len(x)} | {cka(x, y):.3f} | {closed.null_mean:.4f}, {closed.null_std:.4f} "
        f"| {values.mean():.4f}, {values.std():.4f} | {tails[0]} | {tails[1]} | {_p(closed.pvalue)} "
        f"| {drawn.pvalue:.4f} | {1e3 * seconds:.0f} | {1e3 * seconds_drawn:,.0f} |"
    )


def _shuffled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return debiased CKA of shuffled rows, from the doubly centred matrices themselves."""
    rng = np.random.default_rng(1)
    a, b = (_doubly_centred(rows @ rows.T) for rows in (x - x.mean(axis=0), y - y.mean(axis=0)))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    orders = (rng.permutation(len(a)) for _ in range(ORDERS))
    return np.array([np.vdot(a, b[order[:, None], order[None, :]]) for order in orders])


def _doubly_centred(matrix: np.ndarray) -> np.ndarray:
    n = len(matrix)
    a = matrix - np.diag(np.diag(matrix))
    sums = a.sum(axis=1) / (n - 2)
    a = a - sums[:, None] - sums[None, :] + a.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(a, 0.0)
    return a


def _p(p: float) -> str:
    return "< 1e-6" if p < 1e-6 else f"{p:.2g}"
