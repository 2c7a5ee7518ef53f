"""A space to report on, with the results that several parts of the report share."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from skgeom._array import float64, peak, to_numpy
from skgeom._cloud import Cloud
from skgeom._core._rows import norms
from skgeom._core.pairs._cosines import different
from skgeom._core.sums import _angular, _spectrum
from skgeom._core.sums._moments import Moments
from skgeom._core.sums._rank import rank
from skgeom._validation import check_cloud, check_directed, check_ranked_moments
from skgeom._warnings import silenced
from skgeom.calibration import CosineCalibrator
from skgeom.metrics import conformity
from skgeom.metrics._estimate import MIN_GROUPS, in_blocks
from skgeom.model_selection import row_groups
from skgeom.model_selection._trial import in_large_classes

N_FOLDS = 5
SEED = 0
MATCH_ALPHA = 1e-3
"""Share of pairs of different rows that may be above the cosine of a match."""

MAX_MATCH_ROWS = 2_000
"""Rows from whose pairs that cosine is found: the interval shows how far others would move it."""


class Space:
    """Rows with their labels, partners and scores.

    Parameters
    ----------
    title : str
        Name of the space in the report.
    X : array of shape (n_samples, n_features)
        The rows as stored.
    labels, pair, words : array or None
        A label for each row; rows of a second space, row for row; a word for each row.
    notes : tuple of str
        Notes for the reader on how the rows were read.
    scores : array or None
        How similar the two rows of each pair are: of rows with their partners in `pair`, or of those at `positions`.
    positions : array of shape (n_pairs, 2) or None
        The rows of each judged pair.
    """

    def __init__(
        self,
        title: str,
        X: Any,
        labels: np.ndarray | None = None,
        pair: np.ndarray | None = None,
        words: np.ndarray | None = None,
        notes: tuple[str, ...] = (),
        scores: np.ndarray | None = None,
        positions: np.ndarray | None = None,
    ) -> None:
        self.title = title
        self.x = to_numpy(check_cloud(X))
        self.stored_dtype = X.dtype if hasattr(X, "dtype") else np.asarray(X).dtype
        self.pair = None if pair is None else to_numpy(check_cloud(pair, name="paired", scale_free=True))
        self.labels = labels
        self.scores = scores
        self.positions = positions
        self.words = words
        self.notes = notes

    def judged_pairs(self) -> np.ndarray:
        """Return both rows of each judged pair (n_pairs, 2, n_features)."""
        if self.positions is not None:
            return self.x[self.positions]
        assert self.pair is not None
        return np.stack([self.x, self.pair], axis=1)

    @cached_property
    def cloud(self) -> Cloud:
        """The rows for measures that do not depend on the scale, in blocks of whole groups of equal rows."""
        return blocks_or_rows(to_numpy(check_cloud(self.x, scale_free=True)), self.equal_rows)

    @cached_property
    def norms(self) -> np.ndarray:
        """The length of each row."""
        x = self.cloud.X
        lengths = to_numpy(float64(norms(x)))
        return lengths if x is self.x else lengths * (peak(self.x) / (peak(x) or 1.0))

    @cached_property
    def directed(self) -> np.ndarray:
        """Positions of the rows that have a direction: all but zero rows."""
        return np.flatnonzero(self.norms)

    @cached_property
    def directed_pairs(self) -> np.ndarray:
        """Positions of the rows that have a direction and whose partners have one."""
        assert self.pair is not None
        return np.flatnonzero((self.norms > 0) & self.pair.any(axis=1))

    @cached_property
    def directed_cloud(self) -> Cloud:
        """The rows that have a direction."""
        if self.directed.size == len(self.x):
            return self.cloud
        return blocks_or_rows(self.cloud.X[self.directed], self.equal_rows[self.directed])

    @cached_property
    def conformity(self) -> np.ndarray:
        """Mean cosine of each row that has a direction to all others."""
        return to_numpy(conformity(self.directed_cloud))

    @cached_property
    def cosine_shares(self) -> np.ndarray | None:
        """Share of each coordinate in the average cosine, None if that is not clearly above 0."""
        rows = check_directed(self.directed_cloud)
        shares = to_numpy(_angular.shares_of(rows, _angular.cosine_parts(rows)))
        return None if np.isnan(shares[0]) else shares

    @cached_property
    def calibrator(self) -> CosineCalibrator | None:
        """The calibrator of cosines, fitted to a sample of rows; None without two different directions in a plane."""
        rows = self.cloud.X[sampled(self.directed, MAX_MATCH_ROWS)]
        if min(rows.shape) < 2 or different(check_directed(rows)).size < 2:
            return None
        with silenced(".*not enough for a threshold"):
            return CosineCalibrator(MATCH_ALPHA).fit(rows)

    @cached_property
    def moments(self) -> Moments:
        """The moments of the rows, whose spectrum determines the rank."""
        return check_ranked_moments(self.cloud)

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Variances of the principal directions, in descending order."""
        return to_numpy(_spectrum.covariance_eigenvalues(self.moments))

    @cached_property
    def rank(self) -> int:
        """Number of directions that vary by more than the rounding of the rows."""
        return rank(self.moments, self.eigenvalues)

    @cached_property
    def equal_rows(self) -> np.ndarray:
        """The number of the group of equal rows that each row belongs to."""
        return row_groups(self.x)

    @cached_property
    def in_large_classes(self) -> np.ndarray:
        """Positions of the rows whose class has a different row for each fold."""
        if self.labels is None:
            return np.arange(len(self.x))
        return in_large_classes(np.unique(self.labels, return_inverse=True)[1], self.equal_rows, N_FOLDS)

    @property
    def classified(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows of those classes, and their labels."""
        assert self.labels is not None
        return self.cloud.X[self.in_large_classes], self.labels[self.in_large_classes]


def check_directions(name: str, x: np.ndarray) -> None:
    """Raise if too few rows have a direction."""
    n_directed = np.count_nonzero(x.any(axis=1))
    if n_directed < 2:
        raise ValueError(
            f"{name}: expected rows with a direction, got {len(x):,} rows of which {n_directed} are not zero. "
            "Check how the embeddings were saved."
        )


def check_directed_pairs(name: str, space: Space) -> None:
    """Raise if too few rows have a direction together with their partners."""
    assert space.pair is not None
    check_directions(name, space.pair)
    if space.directed_pairs.size < 2:
        raise ValueError(
            f"{name}: expected two or more pairs of rows that are not zero, got {space.directed_pairs.size} of "
            f"{len(space.x):,}. Check that row k of both is one pair."
        )


def check_pair_shape(name: str, shape: tuple[int, ...], of: str, expected: tuple[int, ...]) -> None:
    """Raise if the partners do not match the rows of a space."""
    if shape != expected:
        raise ValueError(
            f"{name}: expected the shape of {of}, {expected}, got {shape}. Row k of both must be one pair."
        )


def check_large_classes(name: str, space: Space) -> None:
    """Raise if the labels do not form classes that are large enough."""
    assert space.labels is not None
    n_classes = np.unique(space.labels).size
    n_large = np.unique(space.labels[space.in_large_classes]).size
    if n_large < 2:
        raise ValueError(
            f"{name}: expected two or more classes with {N_FOLDS} different rows each, got {n_classes:,} different "
            f"labels, {n_large} of them with that many. Pass the class of each row."
        )


def check_positions_of_pairs(name: str, values: Any, n: int) -> np.ndarray:
    """Return the positions of the two rows of each pair as integers, and raise unless they are below n."""
    try:
        given = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected two positions of rows for each pair, got no numbers: {error}.") from error
    if given.ndim != 2 or given.shape[1] != 2 or not given.size:
        raise ValueError(f"{name}: expected two positions of rows for each pair, got the shape {given.shape}.")
    broken = given[given != np.floor(given)]
    if broken.size:
        raise ValueError(f"{name}: expected integers, the positions of rows, got {broken[0]:g}.")
    if given.min() < 0 or given.max() >= n:
        raise ValueError(f"{name}: expected positions from 0 to {n - 1}, got {given.min():.0f} to {given.max():.0f}.")
    return given.astype(np.int64)


def blocks_or_rows(x: np.ndarray, groups: np.ndarray) -> Cloud:
    """Return rows in blocks of whole groups, for standard errors; unchanged if there are too few groups."""
    enough = np.unique(groups).size >= MIN_GROUPS
    return in_blocks(x, groups, random_state=SEED) if enough else Cloud(x)


def sampled(positions: np.ndarray, size: int) -> np.ndarray:
    """Return the positions in order, or a random sample of them if there are more than `size`."""
    if positions.size <= size:
        return positions
    return np.sort(np.random.default_rng(SEED).choice(positions, size, replace=False))
