"""The uncertainty of a measure: its standard error and interval, by leaving out blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from inspect import signature
from math import floor, inf, isfinite, log10, nan
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from sklearn.utils import check_random_state

from skgeom._array import as_data, in_full_precision, is_foreign, to_numpy
from skgeom._cloud import Blocks, Cloud, rows_of
from skgeom._core._jackknife import balanced_blocks, jackknife
from skgeom._core._threads import in_threads
from skgeom._typing import Array
from skgeom._validation import as_given, check_choice, check_count, check_device, check_groups, check_real
from skgeom._warnings import warn
from skgeom.metrics._checks import rows_to_send, sent
from skgeom.metrics._measure import COMPARISONS, MEASURES, Measure, as_numbers, as_one_number
from skgeom.summary import CloudSummary

_LEAST_BLOCKS = 5
MIN_GROUPS = 2 * _LEAST_BLOCKS
"""Minimum number of rows or groups for a standard error."""

_SHOWN = 2
"""Number of digits of a standard error in print."""


class Estimate(NamedTuple):
    """A value with its standard error: the result of `estimate`.

    Attributes
    ----------
    value : float
        The value of the measure.
    standard_error : float
        Standard deviation of the value over samples of the same size; NaN if it cannot be estimated.
    interval : tuple of float
        Lower and upper end of the confidence interval, within the bounds of the measure.
    corrected : float
        The centre of the interval: the value less its estimated bias, or the value itself if the measure depends on the
        number of rows.
    n_blocks : int
        Number of blocks, each left out once.

    Examples
    --------
    >>> from skgeom.metrics import Estimate
    >>> print(Estimate(0.123456, 0.00789, (0.107, 0.14), 0.1229, 20))
    0.1235 ± 0.0079
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    corrected: float
    n_blocks: int

    def __str__(self) -> str:
        decimals = decimals_of(self.standard_error)
        return f"{self.value:.{decimals}f} ± {self.standard_error:.{decimals}f}"

    def negative(self) -> Estimate:
        """Return the estimate of minus the measure."""
        low, high = self.interval
        return self._replace(value=-self.value, interval=(-high, -low), corrected=-self.corrected)


def decimals_of(standard_error: float) -> int:
    """Return the number of significant decimals of a value, given its standard error; 4 without one."""
    if not isfinite(standard_error) or standard_error <= 0:
        return 4
    return max(0, _SHOWN - 1 - floor(log10(standard_error)))


@in_full_precision
def estimate(
    measure: str | Callable[..., Any],
    X: Any,
    /,
    *others: Any,
    groups: Any = None,
    paired: bool = False,
    n_blocks: int = 20,
    confidence: float = 0.95,
    random_state: Any = 0,
    **options: Any,
) -> Estimate:
    r"""Estimate a measure: its value with a standard error and a confidence interval.

    The rows are dealt into B blocks, and the measure is computed without each of them in turn [1]_: with :math:`\theta`
    the value for all rows, :math:`\theta_b` the value without block b, and :math:`\bar\theta` the mean of these,

    .. math:: \mathrm{se}^2 = \frac{B - 1}{B} \sum_b (\theta_b - \bar\theta)^2, \qquad
              \theta_{bc} = B \theta - (B - 1) \bar\theta, \qquad \theta_{bc} \pm t_{B - 1} \, \mathrm{se},

    For blocks of different sizes, each is compared with the value expected without as many rows [2]_, and all count
    alike in the error, since the rows of a block may belong together [3]_. No distribution is assumed.

    Parameters
    ----------
    measure : str or callable
        The name of a measure or its function, such as "isoscore" or `isoscore`; or your own function
        ``(X, *others, **options) -> float`` of rows.
    X : array of shape (n_samples, n_features), or list of CloudSummary
        At least ten rows; or the summaries of at least ten sets of rows (`skgeom.summary.cloud_summary`). Each summary
        is a block and counts as a group: a random share of the rows, or separate documents.
    *others
        Further arguments of the measure: labels, partners, the second cloud, or the list of its summaries. They may
        also be passed by name.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, such as its document or user, or one number for equal rows: groups are left out as a whole.
        **Without groups, rows count as independent draws** and are dealt at random, whatever their order in the file.
        The standard error is then too small, at any number of rows, if they are sentences from few documents or occur
        several times. For two unpaired clouds, a pair of such arrays.
    paired : bool, default=False
        For a measure of two clouds, such as `modality_gap`: whether row, or summary, i of one belongs to row i of the
        other, so they are left out together. Otherwise the clouds count as independent, and their variances add up.
    n_blocks : int, default=20
        Number of blocks, at least 5; half the number of groups, or of rows, if these are fewer than two per block.
    confidence : float, default=0.95
        Confidence of the interval, from 0.5 to 0.999.
    random_state : int, RandomState instance or None, default=0
        Seed of the assignment of groups to blocks.
    **options
        Passed on to the measure; of the labels of `clip_loss`, those of a block are left out with its rows. Random
        measures use the same draws for all blocks. With ``device=``, as in a measure, all rows are moved there once.

    Returns
    -------
    Estimate
        Named tuple of `value`, `standard_error`, `interval`, `corrected` and `n_blocks`; ``print`` shows the
        significant digits of the value.

    Raises
    ------
    ValueError
        As in the measure; if there are fewer than ten rows, groups or summaries; or for a measure without a meaningful
        interval: one that is determined by one pair of rows, such as `min_angle`, or is a sum over all rows or
        triplets.
    TypeError
        If summaries are mixed with other data, or the measure needs the rows.

    See Also
    --------
    skgeom.comparison.relation_test : Whether two spaces are related, by a null distribution.
    skgeom.comparison.cloud_test : Whether two clouds differ.

    Notes
    -----
    The interval of most measures is for the value that infinitely many rows would have: it is centred on the value less
    its bias, which for IsoScore, the participation ratio and the ranks exceeds the error if rows are few. Measures that
    depend on the number of rows, such as recall among n candidates or the distance to the nearest of n, have no such
    value: their interval is for the mean over other samples of n rows, and centred on the value itself. The latter is
    also true if the value was debiased for independent rows (``debias=True``, without groups).

    On planted distributions, 200 and 1,000 rows, 95 % intervals cover the truth in 92 to 98 % of samples; those of
    recall and of shared neighbours are too wide and cover it in 95 to 100 %. For rows in documents of five, without
    `groups`, those of IsoScore cover it in 26 and 65 %, those of the average cosine in 71 %
    (``benchmarks/results/coverage.md``).

    The error is NaN if a value is not finite or all blocks agree to the last digit: 100 hits out of 100 do not mean
    certainty. Near a bound, as at an IsoScore of 0, errors are not normal, and an interval cut at the bound covers less
    than its nominal confidence.

    After the correction, a bias of about its square over the value remains. If that exceeds the error, and the bias
    twice the error, as for the plain IsoScore of fewer rows than features, there is a warning, and the interval is NaN.

    For measures of moments and of mean directions, the sums of the blocks are merged, and those of each block
    subtracted in turn. That costs one pass, in which the rows are gathered block by block, O(b d²) more for most
    measures and O(b d³) for the ranks, and memory for the sums of each block, 8 b d² bytes. With 20 blocks and 384
    features, the IsoScore of 100,000 rows with its error is 0.86 times as fast as alone, that of 10,000 rows 0.62
    times; the effective rank 0.58 and 0.18 times, since eigenvalues are computed anew without each block: a first-order
    change of those of all rows has no useful bound if variances are small (``benchmarks/results/standard_errors.md``).

    Measures of pairs take the pass or passes over the pairs that they take alone: mean kernels (such as "uniformity",
    "mmd_uniform" and "sigreg"), mean distances, the median angle, silhouettes under distances that need pairs, ranks of
    partners by cosine, contrastive losses without labels, and measures of nearest rows: "mma", "mmcs" and "koleo",
    "hubness", and `skgeom.comparison.neighbour_overlap`. The median seldom needs a pass more, and the last two need
    longer lists of neighbours. Where millions of angles equal the median, ties extend beyond the lists, or blocks have
    fewer than eight rows for a contrastive loss, they are recomputed for each block, like all other measures.

    Nor do other sums over rows start anew for each block: "isoscore_within", Caliński-Harabasz and Davies-Bouldin of
    Euclidean distances merge the sums of each class in each block, sliced measures sort the angles in each plane once,
    "lloyd" finds the nearest row in each block, and "conformity_divergence" the cosines to the mean directions. At
    10,000 x 384 with ten classes that takes 1.3 to 5.1 times as long as the value. The classes are measured for each
    block if one of them is missing without it, if it has fewer than four rows of a class on average (not
    "isoscore_within"), if one block has nearly all the spread of a class ("isoscore_within"), or if the means of two
    nearly coincide (Davies-Bouldin).

    References
    ----------
    .. [1] Quenouille 1956, doi:10.2307/2332914; Tukey 1958; Shao & Tu 1995, The jackknife and bootstrap,
       doi:10.1007/978-1-4612-0795-5.
    .. [2] Busing, Meijer & van der Leeden 1999, Delete-m jackknife for unequal m, doi:10.1023/A:1008800423698. Its
       variance is for independent rows only: one group of 500 beside 100 of five had a third of its error.
    .. [3] MacKinnon, Nielsen & Webb 2023, Fast and reliable jackknife and bootstrap methods for cluster-robust
       inference, arXiv:2301.04527.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import estimate
    >>> X = np.random.default_rng(0).normal(size=(2000, 3)) * [1, 1, 0]
    >>> print(estimate("isoscore", X))
    0.4990 ± 0.0013
    >>> print(estimate("average_cosine", X, groups=np.arange(2000) // 5))
    0.00052 ± 0.00098

    For rows in a hundred places, each with its own summary:

    >>> from skgeom.summary import cloud_summary
    >>> print(estimate("isoscore", [cloud_summary(rows) for rows in np.split(X, 100)]))
    0.4990 ± 0.0014
    """
    row = _row_of(measure)
    others, options = _data_and_options(row, others, options)
    if (device := options.pop("device", None)) is not None:
        check_device(device)
        clouds, labels = ((X,), others) if row.needs == "labels" else ((X, *others), ())
        there = (sent(rows_to_send(values, device), device) for values in clouds)
        settings: dict[str, Any] = {"n_blocks": n_blocks, "confidence": confidence, "random_state": random_state}
        return estimate(measure, *there, *labels, groups=groups, paired=paired, **settings, **options)
    options = {**row.options, **options}
    options |= {"random_state": 0} if replace(row, options=options).is_random else {}
    _check_arguments(row, (X, *others), options)
    _check_has_error(row, options)
    check_count(n_blocks, "n_blocks", _LEAST_BLOCKS)
    check_real(confidence, "confidence", 0.5, 0.999)
    if isinstance(X, CloudSummary):
        raise ValueError(f"A standard error needs at least {MIN_GROUPS} summaries, of parts of the rows: pass a list.")
    if _are_summaries(X):
        n, d, parts = _without_summaries(row, (X, *others), options, groups, paired=paired)
    else:
        names = ["X"] + ["labels" if row.needs == "labels" else "Y"] * len(others)
        given = [_detached(v, name, on_host=row.on_host) for v, name in zip((X, *others), names, strict=True)]
        if given[0].ndim < 2:
            raise ValueError(f"Expected 2D array as X, got {given[0].ndim}D array instead: pass one row per sample.")
        n, d = given[0].shape[:2]
        deal = partial(in_blocks, n_blocks=n_blocks, random_state=random_state)
        if row.needs == "clouds" and not paired:
            of_each = _groups_of_each(groups)
            parts = [_without_blocks_of(side, row, given, deal(given[side], of_each[side]), options) for side in (0, 1)]
        else:
            parts = [_without_blocks(row, given, X if isinstance(X, Blocks) else deal(given[0], groups), options)]
    # a value debiased for independent rows needs no correction, which for n < d would be as large as the error
    corrects = row.estimand == "population" and not (options.get("debias") and groups is None)
    bounds = replace(row, options=options).range(inf if row.estimand == "population" else n, d)
    return _summary(row.name, parts, bounds, corrects=corrects, confidence=confidence)


def in_blocks(x: Array, groups: Any, *, n_blocks: int = 20, random_state: Any = 0) -> Blocks:
    """Return rows that are dealt into blocks, in whole groups.

    Raises
    ------
    ValueError
        If there are fewer than ten groups, or as in `check_groups`.
    """
    n = x.shape[0]
    codes = np.arange(n) if groups is None else check_groups(groups, n)[1]
    n_groups = int(codes.max(initial=-1)) + 1
    if n_groups < MIN_GROUPS:
        raise ValueError(
            f"Found {n_groups} {'rows' if groups is None else 'groups'}, but a standard error needs at least "
            f"{MIN_GROUPS}: blocks of them are left out in turn."
        )
    return Blocks(x, balanced_blocks(codes, min(n_blocks, n_groups // 2), check_random_state(random_state)))


class _LeftOut(NamedTuple):
    """The value for all rows, the values (b,) without each block, and the sizes (b,) of the blocks."""

    value: float
    without: np.ndarray
    sizes: np.ndarray


def _row_of(measure: Any) -> Measure:
    """Return the row of a measure, or a new one for a function of the user."""
    if isinstance(measure, str):
        return MEASURES[check_choice(measure, MEASURES, "measure")]
    if not callable(measure):
        raise TypeError(f"measure must be the name of a measure or a function of rows, got {measure!r}.")
    own = Measure(getattr(measure, "__name__", "measure"), measure, 0, ("-inf", "inf"), "", "", estimand="sample")
    rows = (*MEASURES.values(), *COMPARISONS)
    return next((row for row in rows if row.function is measure and not row.options), own)


def _data_and_options(
    row: Measure, others: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the data that a measure needs besides rows, also if they were passed by name, and its options."""
    if others or row.needs == "cloud":
        return others, options
    name = list(signature(row.function).parameters)[1]
    return tuple(options[key] for key in options if key == name), {k: v for k, v in options.items() if k != name}


def _groups_of_each(groups: Any) -> tuple[Any, Any]:
    """Return the groups of the rows of each of two clouds."""
    if groups is None:
        return None, None
    of_each = tuple(groups) if np.iterable(groups) else ()
    if len(of_each) != 2 or any(one is not None and np.ndim(one) == 0 for one in of_each):
        raise ValueError(
            "groups of two unpaired clouds must be a pair, one array for each: pass (groups of X, groups of Y), None "
            "for independent rows, or paired=True if row i of one belongs to row i of the other."
        )
    return of_each


def _check_arguments(row: Measure, given: Sequence[Any], options: dict[str, Any]) -> None:
    """Check that a measure takes some arguments, since what computes it without blocks has other names for its own."""
    if row.without_blocks is None:
        return
    try:
        signature(row.function).bind(*given, **options)
    except TypeError as error:
        raise TypeError(f"{row.name}: {error}.") from error


def _check_has_error(row: Measure, options: dict[str, Any]) -> None:
    """Check that a standard error of a measure is meaningful, and can be computed by leaving out rows."""
    if row.estimand == "none":
        raise ValueError(
            f"{row.name} has no standard error: it is determined by single pairs of rows, or is a sum that grows with "
            "the number of rows. Use a mean instead, such as mma for min_angle or silhouette for dunn."
        )
    if options.get("relevant") is not None or options.get("metric") == "precomputed":
        raise ValueError(
            f"{row.name} has no standard error with relevant= or metric='precomputed': they refer to rows by position, "
            "and rows are left out. Pass the rows themselves, one per partner."
        )


def _detached(values: Any, name: str, *, on_host: bool) -> Any:
    """Return an array without gradient, as NumPy if wanted, from an array, cloud, list or frame."""
    rows = rows_of(values)
    if is_foreign(rows):
        return to_numpy(rows) if on_host else as_data(rows)
    array = np.asarray(as_given(rows, name))
    if array.ndim == 0:
        raise ValueError(f"{name} must have an entry for each row, got {rows!r}.")
    return array


def _without_blocks(row: Measure, given: list[Any], blocks: Blocks, options: dict[str, Any]) -> _LeftOut:
    """Return the values without blocks of the rows and of their other data."""
    codes, sizes = blocks.codes, np.bincount(blocks.codes)
    for values in given:
        if values.shape[0] != codes.size:
            raise ValueError(f"Found {codes.size} rows in X, but {values.shape[0]} in another argument: pass as many.")
    if row.without_blocks is not None:
        found = row.without_blocks(blocks, *given[1:], codes=codes, **{**row.settings, **options})
        if found is not None:
            return _LeftOut(float(found[-1]), found[:-1], sizes)
    is_known = row.name in MEASURES
    in_blocks = is_known and row.needs == "clouds"
    others = [Blocks(values, codes) if in_blocks else values for values in given[1:]]

    def rest(values: Any, block: int) -> Any:
        return values.rest[block] if isinstance(values, Blocks) else blocks.rest[block].rest_of(values)

    first = blocks if is_known else given[0]
    labels = options.get("labels") if is_known else None

    def without(block: int) -> Any:
        left = {} if labels is None else {"labels": rest(np.asarray(as_given(labels, "labels")), block)}
        return row(*(rest(values, block) for values in (first, *others)), **options | left)

    value = row(first, *others, **options)
    # a function of the user may not be thread-safe
    left_out = in_threads(given[0], without, sizes.size) if is_known else [without(b) for b in range(sizes.size)]
    values = as_numbers([value, *left_out])
    return _LeftOut(float(values[0]), values[1:], sizes)


def _without_blocks_of(side: int, row: Measure, given: list[Any], blocks: Blocks, options: dict[str, Any]) -> _LeftOut:
    """Return the values without blocks of the rows of one of two clouds."""
    pair = [blocks if i == side else Cloud(values) for i, values in enumerate(given)]

    def without(block: int) -> Any:
        return row(*(blocks.rest[block] if cloud is blocks else cloud for cloud in pair), **options)

    found = as_numbers([row(*pair, **options), *in_threads(given[0], without, len(blocks.rest))])
    return _LeftOut(float(found[0]), found[1:], np.bincount(blocks.codes))


def _are_summaries(values: Any) -> bool:
    return isinstance(values, list | tuple) and any(isinstance(one, CloudSummary) for one in values)


def _without_summaries(
    row: Measure, clouds: Sequence[Any], options: dict[str, Any], groups: Any, *, paired: bool
) -> tuple[int, int, list[_LeftOut]]:
    """Return the numbers of rows and features, and the values without each summary of each cloud, or of both."""
    if groups is not None:
        raise ValueError("groups are for rows: each summary counts as a group. Pass None.")
    for parts in clouds:
        if not _are_summaries(parts) or not all(isinstance(one, CloudSummary) for one in parts):
            raise TypeError("Summaries and other data are mixed: pass a list of summaries for each cloud.")
        if len(parts) < MIN_GROUPS:
            raise ValueError(f"Found {len(parts)} summaries, but a standard error needs at least {MIN_GROUPS}.")
    if paired and len({len(parts) for parts in clouds}) > 1:
        raise ValueError("paired=True needs two lists with equal numbers of summaries, which are left out together.")
    wholes = [reduce(CloudSummary.merge, parts) for parts in clouds]
    value = as_one_number(row(*wholes, **options))
    sides = range(len(clouds))

    def without(left_out: Sequence[int]) -> _LeftOut:
        n_blocks = len(clouds[left_out[0]])
        rests = (
            [wholes[side].subtract(clouds[side][block]) if side in left_out else wholes[side] for side in sides]
            for block in range(n_blocks)
        )
        values = np.array([as_one_number(row(*rest, **options)) for rest in rests])
        return _LeftOut(value, values, np.array([one.n_rows for one in clouds[left_out[0]]]))

    return wholes[0].n_rows, wholes[0].n_features, [without(sides)] if paired else [without([side]) for side in sides]


def _summary(
    name: str, parts: list[_LeftOut], bounds: tuple[float, float], *, corrects: bool, confidence: float
) -> Estimate:
    """Return the estimate from the values without blocks of one cloud, or of each of two."""
    value = parts[0].value
    found = [jackknife(*part) for part in parts]
    variances = np.array([one.error**2 for one in found])
    error = float(np.sqrt(variances.sum()))
    n_blocks = sum(part.sizes.size for part in parts)
    if not isfinite(error) or any(np.ptp(part.without) == 0 for part in parts):
        return Estimate(value, nan, (nan, nan), value, n_blocks)
    low, high = bounds
    corrected = value + sum(one.corrected - value for one in found) if corrects else value
    corrected = min(max(corrected, low), high)
    bias = value - corrected
    if abs(bias) > 2 * error and bias**2 > error * abs(value):
        warn(
            f"The bias of {name}, about {bias:.2g} of {value:.3g}, is so large that the rest after its correction "
            f"may exceed the standard error, {error:.2g}: there is no interval. Use more rows, or debias=True if "
            "the measure has it.",
            UserWarning,
        )
        return Estimate(value, error, (nan, nan), corrected, n_blocks)
    freedom = error**4 / np.sum(variances**2 / (np.array([part.sizes.size for part in parts]) - 1))
    margin = error * float(stats.t.ppf((1 + confidence) / 2, freedom))
    return Estimate(value, error, (max(low, corrected - margin), min(high, corrected + margin)), corrected, n_blocks)
