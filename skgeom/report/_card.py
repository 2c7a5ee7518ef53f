"""The geometry card: named values that describe a space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import nan
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import to_numpy
from skgeom._cloud import Blocks, Cloud
from skgeom._core._rows import unit
from skgeom._core.sums import _spectrum
from skgeom._core.sums._moments import Moments
from skgeom._core.sums._rank import live
from skgeom._warnings import silenced
from skgeom.calibration import CosineCalibrator
from skgeom.metrics import (
    collapse_bound,
    conformity,
    cosine_shares,
    estimate,
    silhouette_score,
    variance_explained,
)
from skgeom.metrics._measure import MEASURES
from skgeom.report._space import MATCH_ALPHA, N_FOLDS, Space, blocks_or_rows, sampled

MAX_PAIR_ROWS = 20_000
"""Rows of which all pairs are looked at; of a larger space, a sample."""

MAX_RECALL_SAMPLE = 5_000
SPREAD, COSINES, CLASSES, PAIRS = "Spread: principal directions", "Directions: cosines", "Classes", "Pairs"
"""Titles of the sections that have pictures."""

_MISSING = "not available"
_TOP = 10
_ROGUE = 3
_LISTED = 6
_EXTREMES = 5
_CLASS_WIDTH = 20


class Entry(NamedTuple):
    """A value with its range, its direction (+1 if more is better, -1 if less is better) and a hint about its meaning.

    `error` is its standard error, NaN if it has none. `about` is the public function or estimator that documents it,
    None for counts.
    """

    name: str
    value: float | int | str
    low: float | None = None
    high: float | None = None
    direction: int = 0
    hint: str = ""
    error: float = nan
    about: Callable[..., Any] | None = None


class Section(NamedTuple):
    """A part of the card."""

    title: str
    entries: list[Entry]


def card(space: Space) -> list[Section]:
    """Return the card of a space."""
    sections = [
        Section("Rows", [*_rows(space)]),
        Section(SPREAD, [*_spread(space)]),
        Section(COSINES, [*_cosines(space)]),
    ]
    if space.labels is not None:
        sections.append(Section(CLASSES, [*_classes(space)]))
    if space.pair is not None:
        sections.append(Section(PAIRS, [*_pairs(space, space.pair)]))
    return sections


def dead_coordinates(m: Moments) -> np.ndarray:
    """Return the coordinates that do not vary by more than the rounding of the rows."""
    return np.flatnonzero(~to_numpy(live(m)))


def _rows(space: Space) -> Iterator[Entry]:
    n, d = space.x.shape
    stored, computed = str(space.stored_dtype), str(space.x.dtype)
    yield Entry("shape", f"{n:,} × {d:,}", hint=stored if stored == computed else f"{stored}, computed in {computed}")
    low, median, high, mean = (float(f(space.norms)) for f in (np.min, np.median, np.max, np.mean))
    yield Entry("norm", median, low, high, hint=f"median; smallest to largest; mean {mean:.4g}")
    yield Entry("zero rows", n - space.directed.size, hint="without direction, no part in cosines")
    copies = int(n - np.unique(space.equal_rows).size)
    yield Entry("repeated rows", copies, hint="equal to an earlier row")


def _spread(space: Space) -> Iterator[Entry]:
    d, m = space.x.shape[1], space.moments
    below = (
        f"{d - space.rank} below the precision of the rows" if space.rank < d else "all above the precision of the rows"
    )
    yield Entry("numerical rank", space.rank, 0, d, hint=f"of {d} directions; {below}")
    yield _dead(dead_coordinates(m))
    yield _measured(space.cloud, "isoscore", "IsoScore", "share of the dimensions in even use")
    if len(space.x) >= 4:
        hint = "corrected for few rows; may leave the range"
        yield _measured(space.cloud, "isoscore", "IsoScore, debiased", hint, debias=True)
    yield _measured(space.cloud, "participation_ratio", "participation ratio", "directions that share the variance")
    yield _measured(space.cloud, "effective_rank", "effective rank", "the same from the entropy of the spectrum")
    yield _measured(space.cloud, "stable_rank", "stable rank", "total variance over the largest")
    yield _measured(space.cloud, "spectrum_slope", "spectrum slope", "decay of the variances: 0 flat, 1 as 1/rank")
    shares = to_numpy(_spectrum.variance_explained(m))
    hint = f"in the first direction; {_percent(1 / d)} if isotropic"
    yield Entry("variance, top 1", _percent(shares[0]), hint=hint, about=variance_explained)
    if d > _TOP:
        hint = f"in the first {_TOP}; {_percent(_TOP / d)} if isotropic"
        yield Entry(f"variance, top {_TOP}", _percent(shares[_TOP - 1]), hint=hint, about=variance_explained)


def _dead(dead: np.ndarray) -> Entry:
    listed = ", ".join(map(str, dead[:_LISTED])) + (", ..." if dead.size > _LISTED else "")
    return Entry("dead coordinates", dead.size, hint=f"constant up to rounding: {listed}" if dead.size else "none")


def _cosines(space: Space) -> Iterator[Entry]:
    cloud = space.directed_cloud
    yield _measured(cloud, "average_cosine", "average cosine", "of two rows: 0 if directions spread evenly")
    yield _rogue(space.cosine_shares)
    yield _match(space.calibrator)
    plain = Cloud(cloud.X)  # an error would mean a pass over the rows for each block
    yield _measured(plain, "partition_isotropy", "I1, unit rows", "smallest over largest Z(±v) = Σ exp⟨±v, u⟩")
    yield _measured(plain, "partition_dispersion", "I2, unit rows", "deviation of Z(±v) over its mean")
    q = np.quantile(space.conformity, [0.05, 0.25, 0.5, 0.75, 0.95])
    hint = f"median; 5 to 95 %; quartiles {q[1]:.3f}, {q[3]:.3f}"
    yield Entry("conformity", q[2], q[0], q[4], hint=hint, about=conformity)
    if space.words is not None:
        order, words = np.argsort(space.conformity), space.words[space.directed]
        yield Entry("most conforming", "", hint=", ".join(words[order[: -_EXTREMES - 1 : -1]]))
        yield Entry("least conforming", "", hint=", ".join(words[order[:_EXTREMES]]))


def _rogue(shares: np.ndarray | None) -> Entry:
    """Return the entry of the coordinates with the largest shares of the average cosine."""
    if shares is None:
        hint = "the average cosine is not clearly above 0"
        return Entry("rogue dimensions", _MISSING, hint=hint, about=cosine_shares)
    top = np.argsort(-shares, kind="stable")[:_ROGUE]
    even = _percent(top.size / shares.size)
    hint = f"of the average cosine: coordinates {', '.join(map(str, top))}; {even} if even"
    return Entry("rogue dimensions", _percent(shares[top].sum()), hint=hint, about=cosine_shares)


def _match(calibrator: CosineCalibrator | None) -> Entry:
    """Return the entry of the cosine that two different rows rarely exceed."""
    name, share = "cosine of a match", f"1 in {1 / MATCH_ALPHA:,.0f} pairs"
    if calibrator is None or not calibrator.has_enough_rows_:
        return Entry(name, _MISSING, hint=f"too few different rows for {share}", about=CosineCalibrator)
    (low, high), hint = calibrator.threshold_interval_.tolist(), f"exceeded by {share}; 95 % interval"
    return Entry(name, calibrator.threshold_, low, high, hint=hint, about=CosineCalibrator)


def _classes(space: Space) -> Iterator[Entry]:
    assert space.labels is not None
    names, sizes = np.unique(space.labels, return_counts=True)
    hint = f"{_class(names, sizes, sizes.argmin())} to {_class(names, sizes, sizes.argmax())}"
    if sizes.min() == sizes.max():
        hint = f"of {sizes[0]:,} rows each"
    yield Entry("classes", names.size, hint=hint)
    kept = space.in_large_classes
    if kept.size < len(space.x):
        small = np.setdiff1d(names, space.labels[kept]).size
        hint = f"of fewer than {N_FOLDS} different rows, {len(space.x) - kept.size:,} in all"
        yield Entry("classes left out", small, hint=hint)
    (x, labels), groups = space.classified, space.equal_rows[kept]
    k, (n, d) = np.unique(labels).size, x.shape
    if n > k:
        yield from _separation(x, labels, groups)
    hint = "largest IsoScore if classes become points"
    yield Entry("collapse bound", collapse_bound(k, d), 0, 1, hint=hint, about=collapse_bound)
    share = np.unique(labels, return_counts=True)[1].max() / n
    yield Entry("largest class", float(share), 0, 1, hint="share of the rows: accuracy of always guessing it")


def short_class(name: str) -> str:
    """Return the name of a class, cut if it is long."""
    return name if len(name) <= _CLASS_WIDTH else f"{name[: _CLASS_WIDTH - 3]}..."


def _class(names: np.ndarray, sizes: np.ndarray, index: np.intp) -> str:
    return f"{short_class(str(names[index]))} ({sizes[index]:,})"


def _separation(x: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Iterator[Entry]:
    rows = sampled(np.arange(len(x)), MAX_PAIR_ROWS)
    of = "" if rows.size == len(x) else f", of {rows.size:,} rows"
    if np.unique(labels[rows]).size > 1:
        cloud, hint = blocks_or_rows(x[rows], groups[rows]), f"Euclidean{of}: own class nearer than the next"
        yield _measured(cloud, "silhouette", "silhouette", hint, labels[rows])
    if np.linalg.norm(x, axis=1).all():
        cosine = silhouette_score(x, labels, metric="cosine")
        yield Entry("silhouette, cosine", cosine, -1, 1, 1, "the same for directions", about=silhouette_score)
    hint = "variance between over within; 1 = chance"
    yield _measured(Cloud(x), "calinski_harabasz", "Caliński-Harabasz", hint, labels)


def _pairs(space: Space, pair: np.ndarray) -> Iterator[Entry]:
    both = space.directed_pairs
    u, v = (to_numpy(unit(rows[both])) for rows in (space.cloud.X, pair))
    cloud = blocks_or_rows(u, space.equal_rows[both])
    yield _measured(cloud, "paired_cosine", "paired cosine", "mean over pairs", v)
    yield _measured(cloud, "modality_gap", "centroid gap", "between mean unit rows, the modality gap", v)
    for name, values in (("x to pair", conformity(u, v)), ("pair to x", conformity(v, u))):
        low, median, high = np.quantile(to_numpy(values), [0.05, 0.5, 0.95])
        yield Entry(f"conformity, {name}", median, low, high, hint="median; 5 to 95 %", about=conformity)
    rows = np.arange(both.size)
    rows = rows if rows.size <= MAX_PAIR_ROWS else sampled(rows, MAX_RECALL_SAMPLE)
    hint = f"nearest is the partner, among {rows.size:,}" + (" sampled" if rows.size < both.size else "")
    groups = space.equal_rows[both][rows]
    yield _measured(blocks_or_rows(u[rows], groups), "recall_at_k", "recall@1, x to pair", hint, v[rows])
    yield _measured(blocks_or_rows(v[rows], groups), "recall_at_k", "recall@1, pair to x", "the reverse", u[rows])


def _measured(cloud: Cloud, measure: str, name: str, hint: str, *others: np.ndarray, **options: bool) -> Entry:
    """Return an entry with the value, bounds and direction of a measure, and its error if there are enough rows."""
    row = MEASURES[measure]
    low, high = row.range(*cloud.X.shape)
    if not isinstance(cloud, Blocks):
        return Entry(name, row(cloud, *others, **options), low, high, row.direction, hint, about=row.function)
    with silenced("The bias of"):  # the card shows errors, and no intervals
        found = estimate(measure, cloud, *others, paired=row.needs == "clouds", **options)
    return Entry(name, found.value, low, high, row.direction, hint, found.standard_error, row.function)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
