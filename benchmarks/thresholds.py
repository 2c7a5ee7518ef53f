"""Held-out rates of false matches over nominal: thresholds of `CosineCalibrator`, and of a normal distribution.

In each of 20 splits 2,000 different rows of a set, or all if there are fewer, are cut into halves at random. The
threshold comes from one half, and the rate is that of the pairs inside the other, which NumPy counts: 1 where the
threshold keeps what it promises. The mean is over splits, and the deviation says how far a single threshold is off;
"not available" is where the calibrator says that a half has not enough rows. The last column is the same for the mean
plus the standard deviations that a normal distribution of cosines would ask for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import norm

from benchmarks._harness import Settings, limited
from skgeom.calibration import CosineCalibrator

SPLITS = 20
ROWS = 2000
ALPHAS = np.array([1e-2, 1e-3, 1e-4])
SETS = {
    "rt_polarity": ("rt_polarity_minilm", "X_raw", ...),
    "SNLI": ("snli_dev_minilm", "X_raw", ...),
    "TREC": ("trec_minilm", "X_raw", ...),
    "WordPiece": ("words_minilm_wordpiece_384d", "X", ...),
    "word2vec": ("words_w2v_en_es_50d", "X_en", ...),
    "STS-B, German": ("stsb_parallel_minilm", "X_de", ...),
    "CLIP images": ("modality_gap_pairs", "clip", 0),
    "CLIP texts": ("modality_gap_pairs", "clip", 1),
}


def table(settings: Settings) -> Iterator[str]:
    """Measure all sets and yield the lines of their table."""
    if settings.data is None:
        yield "No real data (--data, SKGEOM_DATA)."
        return
    yield (
        f"| set | rows in a half | {' | '.join(f'{a:.0e}' for a in ALPHAS)} | normal, {ALPHAS[-1]:.0e} |\n|"
        + "---|" * 6
    )
    with limited(settings.threads):
        for name, (file, key, part) in SETS.items():
            with np.load(Path(settings.data) / f"{file}.npz") as stored:
                x = np.unique(stored[key][part].astype(np.float32), axis=0)
            halves, ratios, enough, normal = _ratios(x)
            cells = [_cell(r) if e else "not available" for r, e in zip(ratios.T, enough, strict=True)]
            yield f"| {name} | {halves:,} | {' | '.join(cells)} | {_cell(normal)} |"


def _ratios(x: np.ndarray) -> tuple[int, np.ndarray, list[bool], np.ndarray]:
    """Return the rows in a half, rates over nominal (splits, alphas), which are available, and those by normality."""
    rng, half = np.random.default_rng(0), min(ROWS, len(x)) // 2
    ratios, normal = np.empty((SPLITS, ALPHAS.size)), np.empty(SPLITS)
    for split in range(SPLITS):
        order = rng.permutation(len(x))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            calibrators = [CosineCalibrator(alpha).fit(x[order[:half]]) for alpha in ALPHAS]
        by_normality = calibrators[0].mean_cosine_ + norm.isf(ALPHAS[-1]) * calibrators[0].std_cosine_
        held_out = _cosines(x[order[half : 2 * half]])
        ratios[split] = [np.mean(held_out > c.threshold_) / c.alpha for c in calibrators]
        normal[split] = np.mean(held_out > by_normality) / ALPHAS[-1]
    return half, ratios, [c.has_enough_rows_ for c in calibrators], normal


def _cosines(x: np.ndarray) -> np.ndarray:
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    return (u @ u.T)[np.triu_indices(len(u), 1)]


def _cell(ratios: np.ndarray) -> str:
    return f"{ratios.mean():.2f} ± {ratios.std(ddof=1):.2f}"
