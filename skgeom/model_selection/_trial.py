"""A trial of transforms: folds, candidates, the rows of each fold under each, and the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import check_random_state

from skgeom._core._jackknife import jackknife
from skgeom._core._threads import in_threads
from skgeom._validation import check_count, check_groups, check_real
from skgeom._warnings import silenced
from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner
from skgeom.model_selection._intervals import Statistic, compared
from skgeom.model_selection._judgement import Judged, Judgement, answered
from skgeom.model_selection._transforms import AS_IS, Transforms, check_transforms, default_transforms, fitted, mapped

Listener: TypeAlias = Callable[[int, int], None]
"""A callable that receives the number of fits done and of all fits."""

_listener: ContextVar[Listener] = ContextVar("_listener", default=lambda done, total: None)

_MIN_GROUPS = 4
"""Different rows in each fold."""

Observe: TypeAlias = "Callable[[Any, Fold], Observation]"
"""From the transformed rows of a fold."""


class LeftOut(NamedTuple):
    """The score without each block of held-out rows, and of all (b + 1,), and the sizes of the blocks (b,)."""

    scores: np.ndarray
    sizes: np.ndarray


class Observation(NamedTuple):
    """The observation of each held-out row (n,), and further measures of all of them.

    `left_out` is for a score to which rows also contribute through others, so that resampling rows misses its error.
    """

    rows: np.ndarray
    measures: dict[str, float]
    left_out: LeftOut | None = None


class Split(NamedTuple):
    """The positions of the rows that take part, with the fold and the group of each: three arrays (n,)."""

    rows: np.ndarray
    fold: np.ndarray
    groups: np.ndarray


class Chance(NamedTuple):
    """The number of folds, the confidence of the intervals, and the source of random numbers."""

    n_folds: int
    confidence: float
    n_resamples: int
    rng: np.random.Generator


class Fold(NamedTuple):
    """The rows in the order of one fold: positions (n,) of those to learn from, to choose by, and held out.

    `n_train` and `n_known` are where the first two end.
    """

    number: int
    order: np.ndarray
    n_train: int
    n_known: int

    @property
    def held_out(self) -> np.ndarray:
        """Positions of the rows held out."""
        return self.order[self.n_known :]

    def of_pairs(self) -> Fold:
        """Return the fold of the rows 2 i and 2 i + 1 of pairs i."""
        order = np.stack([2 * self.order, 2 * self.order + 1], axis=1).ravel()
        return Fold(self.number, order, 2 * self.n_train, 2 * self.n_known)


class Candidates(NamedTuple):
    """Transformers by name, and an iterator of the rows of a fold, mapped by each one fitted to the known rows."""

    estimators: Transforms
    mapped: Callable[[Fold], Iterator[Any]]


@contextmanager
def progress_to(listener: Listener) -> Iterator[None]:
    """Notify a listener of each fit of the judges inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def chance_of(n_folds: int, confidence: float, n_resamples: int, random_state: Any) -> Chance:
    """Check the parameters that all judges share."""
    check_count(n_folds, "n_folds", low=2)
    check_count(n_resamples, "n_resamples", low=100)
    if not 0 < check_real(confidence, "confidence", 0, 1) < 1:
        raise ValueError(f"confidence={confidence!r}, expected a number between 0 and 1, such as 0.95.")
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return Chance(n_folds, confidence, n_resamples, np.random.default_rng(seed))


def groups_of(equal: np.ndarray, groups: Any) -> np.ndarray:
    """Return the given groups as integers, or those of equal rows."""
    return equal if groups is None else check_groups(groups, equal.size)[1]


def split_of(
    groups: np.ndarray, chance: Chance, most: int, codes: np.ndarray | None = None
) -> tuple[Split, tuple[str, ...]]:
    """Return the folds, which keep groups together and the shares of classes, and notes on the rows left out."""
    notes = []
    rows = np.arange(groups.size)
    if rows.size > most:
        rows = np.sort(chance.rng.choice(rows, most, replace=False))
        notes.append(f"A random sample of {most:,} of {groups.size:,} took part.")
    if codes is not None:
        large = in_large_classes(codes[rows], groups[rows], chance.n_folds)
        n_classes = np.unique(codes[rows]).size
        n_small = n_classes - np.unique(codes[rows[large]]).size
        if n_classes - n_small < 2:
            raise ValueError(
                f"Expected two or more classes with {chance.n_folds} different rows each, got {n_classes:,} classes, "
                f"{n_classes - n_small:,} of them with that many. Pass the class of each row, or fewer n_folds."
            )
        if n_small:
            notes.append(f"Classes of fewer than {chance.n_folds} different rows were left out: {n_small:,}.")
        rows = rows[large]
    _, first, inverse = np.unique(groups[rows], return_index=True, return_inverse=True)
    if first.size < _MIN_GROUPS * chance.n_folds:
        raise ValueError(
            f"Expected at least {_MIN_GROUPS * chance.n_folds} different rows, or groups of them, for {chance.n_folds} "
            f"folds, got {first.size}. Without groups, equal rows count as one, and so do pairs that a chain of common "
            "rows links. Pass more rows, fewer n_folds, or other groups."
        )
    splitter = (KFold if codes is None else StratifiedKFold)(
        chance.n_folds, shuffle=True, random_state=int(chance.rng.integers(2**31))
    )
    fold = np.empty(first.size, dtype=np.int64)
    strata = None if codes is None else _strata(codes[rows], inverse, chance.n_folds)
    for f, (_, test) in enumerate(splitter.split(first, strata)):
        fold[test] = f
    return Split(rows, fold[inverse], inverse), tuple(notes)


def in_large_classes(codes: np.ndarray, groups: np.ndarray, least: int) -> np.ndarray:
    """Return the positions of the rows whose class has a minimum number of groups."""
    distinct = np.unique(np.column_stack([codes, groups]), axis=0)[:, 0]
    return np.flatnonzero(np.bincount(distinct, minlength=codes.max() + 1)[codes] >= least)


def _strata(codes: np.ndarray, groups: np.ndarray, least: int) -> np.ndarray:
    """Return the class of most rows of each group, or the commonest of these classes instead of one of few groups."""
    pairs, counts = np.unique(np.column_stack([groups, codes]), axis=0, return_counts=True)
    order = np.lexsort((-counts, pairs[:, 0]))
    most = pairs[order[np.unique(pairs[:, 0], return_index=True)[1]], 1]
    sizes = np.bincount(most)
    return np.where(sizes[most] < least, sizes.argmax(), most)


def of_rows(x: np.ndarray, transforms: Transforms | None) -> Candidates:
    """Return the candidates for the rows of one space."""
    tried = default_transforms(x) if transforms is None else check_transforms(transforms)
    return Candidates(tried, lambda fold: mapped(tried, x[fold.order], fold.n_known))


def of_sides(x: np.ndarray, y: np.ndarray) -> Candidates:
    """Return the candidates for the rows of two spaces; all but the first after the mean of each side was removed."""
    shared = CCAAligner(shrinkage=0.1)
    aligners: dict[str, Any] = {
        "Procrustes": ProcrustesAligner(),
        "least squares": LstsqAligner(alpha="gcv"),
        "canonical correlations": shared,
    }
    of_both: dict[str, Any] = {}
    if x.shape[1] == y.shape[1]:
        of_both = default_transforms(np.concatenate([side - side.mean(axis=0) for side in (x, y)]))

    def held_out(fold: Fold) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        n = fold.n_known
        u, v = (side[fold.order] - side[fold.order[:n]].mean(axis=0) for side in (x, y))
        if of_both:
            yield x[fold.held_out], y[fold.held_out]
            rest = {name: estimator for name, estimator in of_both.items() if name != AS_IS}
            for z, _ in mapped(rest, np.concatenate([u[:n], v[:n], u[n:], v[n:]]), 2 * n):
                first, second = np.split(z[2 * n :], 2)
                yield first, second
        for aligner in aligners.values():
            found = fitted(aligner, u[:n], v[:n])
            z = np.asarray(found.transform(u[n:]))
            yield z, found.transform_target(v[n:]) if aligner is shared else v[n:]

    return Candidates({**of_both, **aligners}, held_out)


def judged(
    task: str,
    score: str,
    candidates: Candidates,
    split: Split,
    observe: Observe,
    statistic: Statistic,
    chance: Chance,
    notes: tuple[str, ...],
) -> Judgement:
    """Fit, observe, compare and answer."""
    names = list(candidates.estimators)
    if any(getattr(estimator, "shrinkage", None) == "ledoit_wolf" for estimator in candidates.estimators.values()):
        notes += (
            "Rows are few for the widest whitenings, which shrink the covariance: more rows may change the answer.",
        )

    folds = [_fold(split.fold, f, chance.n_folds) for f in range(chance.n_folds)]

    tell, done, total = _listener.get(), count(1), chance.n_folds * len(names)

    def in_fold(f: int) -> list[tuple[int, Observation]]:
        seen = []
        mapped_rows = candidates.mapped(folds[f])
        for name in names:
            try:
                z = next(mapped_rows)
                seen.append((_width(z), observe(z, folds[f])))
            except Exception as error:
                error.add_note(f"Raised in fold {f} under the transform {name!r}.")
                raise
            tell(next(done), total)
        return seen

    with silenced(category=UserWarning):  # of few rows: judged on rows that no fit has seen, it shows
        found = in_threads(np.empty(0), in_fold, chance.n_folds)
    observed = np.empty((len(names), split.fold.size))
    for fold, results in zip(folds, found, strict=True):
        observed[:, fold.held_out] = [seen.rows for _, seen in results]
    shares = np.bincount(split.fold) / split.fold.size
    errors = _errors([[seen.left_out for _, seen in results] for results in found], shares)
    compare = compared(
        observed,
        split.fold,
        split.groups,
        statistic,
        confidence=chance.confidence,
        n_resamples=chance.n_resamples,
        rng=chance.rng,
        errors=None if errors is None else errors[1],
    )
    rows = []
    for j, name in enumerate(names):
        others = [results[j][1].measures for results in found]
        measures = {key: float(shares @ [one[key] for one in others]) for key in others[0]}
        if errors is not None:
            measures["standard_error"] = float(errors[0, j])
        value, difference, margin = (float(values[j]) for values in compare)
        rows.append(Judged(name, found[0][j][0], value, difference, margin, measures))
    return answered(task, score, rows, candidates.estimators, chance.confidence, split.fold.size, chance.n_folds, notes)


def _errors(left_out: list[list[LeftOut | None]], shares: np.ndarray) -> np.ndarray | None:
    """Return the standard errors of scores, and of their differences from the first (2, m), by the jackknife.

    Folds are independent, given the transforms. None unless every fold has `left_out`.
    """
    squares = np.zeros((2, len(left_out[0])))
    for share, results in zip(shares, left_out, strict=True):
        for j, one in enumerate(results):
            if one is None or results[0] is None:
                return None
            for of, scores in enumerate((one.scores, one.scores - results[0].scores)):
                if np.ptp(scores) > 0:
                    squares[of, j] += (share * jackknife(scores[-1], scores[:-1], one.sizes).error) ** 2
    return np.sqrt(squares)


def _fold(fold: np.ndarray, number: int, n_folds: int) -> Fold:
    """Return the rows with a fold held out, and the next one to choose by."""
    turns = (fold - number) % n_folds
    order = np.argsort(-turns, kind="stable")
    return Fold(number, order, int(np.count_nonzero(turns > 1)), int(np.count_nonzero(turns)))


def _width(z: Any) -> int:
    return int(z[0].shape[1])
