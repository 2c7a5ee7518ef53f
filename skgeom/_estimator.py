"""The part of scikit-learn's contract that all transformers share: input, device and output of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from inspect import isfunction, signature
from os import PathLike
from typing import Any, Self, TypeAlias, TypeVar, cast

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skgeom._array import (
    accelerator,
    asarray_like,
    copied,
    detached,
    in_full_precision,
    in_parts,
    is_dask,
    is_foreign,
    memory_errors,
    namespace,
    no_room,
    place,
    to_numpy,
)
from skgeom._cloud import comes_in_parts, is_stream, side_by_side, sum_of
from skgeom._core._threads import one_of_many, one_thread
from skgeom._core.sums._moments import FourthMoments, Moments, merge_all, nearby
from skgeom._core.sums._rank import (
    RankedBlocks,
    part_of_ranked,
    part_of_ranked_fourth,
    ranked_fourth_moments,
    ranked_moments,
    ranked_moments_of_each,
)
from skgeom._dask import mapped_by_chunk, sample_row
from skgeom._typing import Array
from skgeom._validation import (
    check_cloud,
    check_device,
    check_fitted_kind,
    check_floats,
    check_for_writing,
    check_host,
    check_out,
    check_squares,
    check_weights,
    summed_once,
)
from skgeom._whole_file import write_rows
from skgeom.summary import CloudSummary

_BLOCK_BYTES = 1 << 24
"""Number of rows to transform and write to a file at a time."""

_FEATURES = ("n_features_in_", "feature_names_in_")

E = TypeVar("E", bound=BaseEstimator)
F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")

Summary: TypeAlias = Callable[[Array, Array | None], Moments | FourthMoments]
"""A pure function of rows and their weights, whose result can be cached by their bytes."""

Source: TypeAlias = Callable[[Summary, Array, Array | None], Moments | FourthMoments]
"""The source of the moments of a fit: a summary of rows and weights, new or cached."""

Check: TypeAlias = Callable[..., Array]
"""A check of rows, with their name and minimum number."""

_source: ContextVar[Source] = ContextVar("_source", default=lambda summary, x, w: summary(x, w))


def all_at_once(fit: F) -> F:
    """Return a `fit` or `partial_fit` that sets all fitted attributes in one step, or, if it fails, none.

    It runs on a second estimator with the same attributes, which become those of the first in one assignment, so
    neither an exception nor an interrupt can leave a mixture. Tensors are detached first, so attributes hold no graph,
    and computations from them do not depend on `torch.autocast`.
    """
    exact = in_full_precision(fit)

    @wraps(fit)
    def fit_at_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        fitted = twin_of(self)
        once = {id(value): _detached(value) for value in (*args, *kwargs.values())}  # one iterator remains one
        exact(fitted, *(once[id(value)] for value in args), **{name: once[id(kwargs[name])] for name in kwargs})
        self.__dict__ = fitted.__dict__
        return self

    return cast("F", fit_at_once)


def _detached(value: Any) -> Any:
    """Return an argument, or the blocks of a stream, without gradient."""
    return map(detached, value) if is_stream(value) else detached(value)


def twin_of(estimator: E) -> E:
    """Return a second estimator whose attributes are the same objects."""
    twin = object.__new__(type(estimator))
    twin.__dict__.update(estimator.__dict__)
    return twin


def features_of(checked: BaseEstimator) -> dict[str, Any]:
    """Return scikit-learn's attributes for the columns of X, from an estimator that checked it."""
    return {name: getattr(checked, name) for name in _FEATURES if hasattr(checked, name)}


def record_width(estimator: Any, width: int, *, reset: bool) -> None:
    """Record the number of features, without names, or compare it with that at fit."""
    if reset:
        estimator.n_features_in_ = width
        estimator.__dict__.pop("feature_names_in_", None)
    elif width != estimator.n_features_in_:
        raise ValueError(
            f"X has {width} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} features "
            "as input."
        )


def keep(estimator: BaseEstimator, fitted: Callable[[], Mapping[str, Any]], forget: Iterable[str]) -> None:
    """Set the fitted attributes of a long fit, and delete those of an earlier one by name, in one assignment.

    It is retried once after a failure: there may be enough memory by then.
    """
    try:
        _replace_fit(estimator, fitted(), forget)
    except Exception:
        _replace_fit(estimator, fitted(), forget)


def _replace_fit(estimator: BaseEstimator, fitted: Mapping[str, Any], forget: Iterable[str]) -> None:
    gone = {*forget, *_FEATURES}
    kept = {name: value for name, value in estimator.__dict__.items() if name not in gone}
    estimator.__dict__ = {**kept, **fitted}


@contextmanager
def moments_from(source: Source) -> Iterator[None]:
    """Let all fits of moments inside the block, in its thread, take them from a source."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


class OnDevice(BaseEstimator):
    """Base of estimators that compute on the device of their input, or on `device`, with results in NumPy."""

    device: str | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let every public method of a subclass compute in the precision and on the device of its rows."""
        for name, method in vars(cls).copy().items():
            if isfunction(method) and not name.startswith("_"):
                setattr(cls, name, in_full_precision(method))
        super().__init_subclass__(**kwargs)

    def _cloud(self, X: Any, *, name: str = "X", min_samples: int = 1, check: Check = check_cloud) -> Array:
        """Check rows, which must be on the host if there is a `device`."""
        check_device(self.device)
        x = check(X, name=name, min_samples=min_samples)
        if self.device is not None:
            check_host(X, self.device)
        return x

    def _placed(self, x: Array) -> Array:
        """Return a whole array on the device of the computation."""
        try:
            return place(x, self.device)
        except memory_errors() as error:
            raise no_room(self.device, "all rows are needed there at once") from error

    def _parts(self, work: Callable[..., R], *arrays: Array | None) -> list[R]:
        """Yield results on the device of the computation: for all rows, or for parts if it has no room for all."""
        return [work(*arrays)] if self.device is None else list(in_parts(work, self.device, *arrays))

    def _by_rows(self, work: Callable[..., Array], *arrays: Array, out: np.ndarray | None = None) -> Array:
        """Return a result per row as output; written into a NumPy array if there is one."""
        if accelerator(self.device) is None:
            return work(*arrays) if out is None else work(*arrays, out=out)
        return _joined((to_numpy(part) for part in in_parts(work, self.device, *arrays)), arrays[0].shape[0], out)

    def _bring(self, fitted: Array, x: Array, method: str = "transform") -> Array:
        """Move a fitted array to the device of the rows x if there is a `device`; else check that x is of its kind."""
        if self.device is not None:
            return asarray_like(fitted, x, dtype=namespace(x).float64)
        check_fitted_kind(self, x, fitted, method)
        return fitted

    def _leave(self, values: Array) -> Array:
        """Return results or attributes as output: in the library of the input, or, with a `device`, in NumPy."""
        return to_numpy(values) if self.device is not None else values

    def _own(self, values: Array) -> Array:
        """Return a copy, as output, of an array that other estimators may share."""
        return self._leave(copied(values))


def chunk_by_chunk(method: F) -> F:
    """Return a method of rows that maps a Dask array lazily, chunk by chunk.

    Its result for an artificial row determines dtype and width, and raises an error for unsuitable rows. Values per
    row, such as `groups`, are Dask arrays too; the artificial row has one that is known from the fit.
    """

    @wraps(method)
    def lazily(self: Any, X: Any, **per_row: Any) -> Any:
        if not is_dask(X):
            return method(self, X, **per_row)
        check_is_fitted(self)
        given = {name: values for name, values in per_row.items() if values is not None}
        like = method(self, sample_row(X), **{name: getattr(self, f"{name}_")[:1] for name in given})
        _check_leaves_as_it_came(self)
        for name, values in given.items():
            if not is_dask(values):
                raise TypeError(f"{name} must be a Dask array cut like X: dask.array.from_array({name}, X.chunks[0]).")
        of_chunk = partial(_of_chunk, method.__name__, like[:0], tuple(given))
        return mapped_by_chunk(of_chunk, X, _mapping_part(self), like, *given.values())

    return cast("F", lazily)


def _of_chunk(method: str, empty: Array, names: Iterable[str], rows: Any, estimator: Any, *per_row: Any) -> Array:
    """Return the result of a method of an estimator for a chunk, which may be empty."""
    if not len(rows):
        return empty
    given = {name: values[:, 0] for name, values in zip(names, per_row, strict=True)}
    with one_of_many():
        return getattr(estimator, method)(rows, **given)


def _mapping_part(estimator: E) -> E:
    """Return an estimator with the same map, but without feature names and without moments for `partial_fit`."""
    twin = twin_of(estimator)
    for name in ("feature_names_in_", "_moments"):
        twin.__dict__.pop(name, None)
    return twin


def _check_leaves_as_it_came(estimator: Any) -> None:
    """Check that the output is not a frame, for which scikit-learn would compute it."""
    wanted = getattr(estimator, "_sklearn_output_config", {}).get("transform", get_config()["transform_output"])
    if wanted != "default":
        raise ValueError(
            f"A Dask array is transformed lazily, but set_output(transform={wanted!r}) would compute it: pass "
            'transform="default".'
        )


class GeometryTransformer(TransformerMixin, OnDevice):
    """Base of the transformers."""

    _n_features_out: int

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = self.device is None
        return tags

    def _checked(self, X: Any, *, reset: bool, min_samples: int = 1, check: Check = check_cloud) -> Array:
        """Check X, and record or compare its features."""
        if not reset:
            check_is_fitted(self)
        x = self._cloud(X, min_samples=min_samples, check=check)
        validate_data(self, X, reset=reset, skip_check_array=True)
        return x

    def _receive(self, X: Any, *, reset: bool, min_samples: int = 1) -> Array:
        """Check X and move it to the device of the computation."""
        return self._placed(self._checked(X, reset=reset, min_samples=min_samples))

    def _checked_output(self, X: Any) -> Array:
        """Check rows of the output space."""
        check_is_fitted(self)
        z = self._cloud(X)
        _check_width(z, self._n_features_out, type(self).__name__)
        return z

    def _here(self, name: str, x: Array, method: str = "transform") -> Array:
        """Return a fitted attribute on the device of the rows x."""
        return self._bring(getattr(self, name), x, method)


class RowwiseTransformer(GeometryTransformer):
    """Base of the transformers that map each row separately, so that the result can be written into a file or array."""

    n_features_in_: int

    def transform_into(self, X: Any, out: np.ndarray | str | PathLike[str], **per_row: Any) -> np.ndarray:
        """Write the result of `transform` into a file or a given array, a block of rows at a time.

        Besides X and `out`, at most one block per thread is in memory.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), or, for a file, iterator of blocks of rows
            Embeddings of the same space, on the host: a NumPy array, a list or a frame; blocks as from
            `skgeom.datasets.iter_embeddings`.
        out : path-like, or numpy.ndarray of shape (n_samples, n_features_out)
            A file whose name ends in ".npy": it is written under a temporary name in the same folder, and replaces an
            existing file at the end. Or a writeable array, such as a memory map, with the dtype that `transform`
            returns: that of X, float32 for halves. It may be X itself or its first columns, but not overlap with X in
            any other way.
        **per_row
            Other arguments of `transform`, such as `groups`; for blocks an iterator with the same number of blocks.

        Returns
        -------
        numpy.ndarray
            `out`, or a memory map of the file.

        Raises
        ------
        OSError
            If the file cannot be written, as on a full disk. No error leaves a partial file.
        MemoryError
            If a `device` has no room for a single row.
        TypeError
            If `out` is neither a path nor a NumPy array, or X is an array of another library.
        ValueError
            If `out` has another shape or dtype, is read-only or overlaps with X, or as in `transform`, all before
            anything is written; or if blocks differ in dtype.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from skgeom.preprocessing import Whitening
        >>> X = np.random.default_rng(0).normal(size=(1000, 8))
        >>> whitening = Whitening(3).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     whitening.transform_into(iter(np.split(X, 10)), Path(folder, "white.npy")).shape
        (1000, 3)
        """
        if others := [name for name in per_row if name not in signature(cast(Any, self).transform).parameters]:
            raise TypeError(f"{type(self).__name__}.transform does not take {', '.join(others)}: leave it out.")
        if isinstance(out, str | PathLike):
            return write_rows(out, self._transformed_blocks(X, per_row))
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out must be a path, a NumPy array or a memory map, got {type(out).__name__}.")
        self._rows_of(X, out, **per_row)
        return out

    def _transformed_blocks(self, X: Any, per_row: dict[str, Any]) -> Iterator[np.ndarray]:
        """Yield the result of `transform` a block at a time, as NumPy arrays."""
        given = {name: values for name, values in per_row.items() if values is not None}
        check: Callable[[Any], Array] = partial(self._checked, reset=False)
        if is_stream(X):
            blocks = side_by_side(X=X, **given)
        else:
            if not isinstance(X, np.ndarray) or X.ndim != 2:
                X, check = check(X), self._cloud  # a frame has feature names, its blocks do not
            blocks = _cut(
                X=X, **{name: np.atleast_1d(to_numpy(v) if is_foreign(v) else v) for name, v in given.items()}
            )
        for rows, *values in blocks:
            x = check(rows)
            check_for_writing(x)
            beside = self._beside(x.shape[0], **dict(zip(given, values, strict=True)))
            yield to_numpy(self._by_rows(self._transformed, x, *beside))

    def _rows_of(self, X: Any, out: np.ndarray | None = None, **per_row: Any) -> Array:
        """Check X, and return the transformed rows as output, or write them into a NumPy array."""
        x = self._checked(X, reset=False)
        if out is not None:
            check_out(out, x, getattr(self, "_n_features_out", self.n_features_in_))
        return self._by_rows(self._transformed, x, *self._beside(x.shape[0], **per_row), out=out)

    def _beside(self, n: int) -> tuple[np.ndarray, ...]:
        """Check other values of n rows, and return them as `_transformed` needs them."""
        return ()

    def _transformed(self, *args: Any, **kwargs: Any) -> Array:
        """Return transformed rows x, in their dtype and on their device, or write them into a NumPy array, `out`.

        The further arguments are the results of `_beside`.
        """
        raise NotImplementedError


def _cut(**sides: Any) -> Iterator[tuple[Any, ...]]:
    """Yield blocks of arrays of the same length, the first of which is a matrix."""
    x, *_ = sides.values()
    for name, side in sides.items():
        if len(side) != len(x):
            raise ValueError(f"Found {len(side)} {name} for {len(x)} rows: pass one per row.")
    step = max(1, _BLOCK_BYTES // max(1, x[:1, :].nbytes))
    for start in range(0, len(x), step):
        yield tuple(side[start : start + step] for side in sides.values())


class KeepsMoments:
    """A mixin of estimators that keep the moments of the rows seen, for `partial_fit`."""

    _moments: Any

    def forget_moments(self) -> Self:
        """Drop the moments that only `partial_fit` needs: O(d²) numbers, most of the file of a small map.

        Returns
        -------
        self
            The same map. `partial_fit` raises a ValueError from now on, until another `fit`.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(cast("BaseEstimator", self))
        self._moments = None
        return self

    def _goes_on(self) -> bool:
        """Return whether rows were seen before."""
        if getattr(self, "_moments", ()) is None:
            raise ValueError(
                "forget_moments dropped the moments of the rows seen, which partial_fit needs: fit again on all rows, "
                "or keep an estimator with moments."
            )
        return hasattr(self, "_moments")


class MomentsTransformer(KeepsMoments, RowwiseTransformer):
    """Base of the transformers that the moments of the rows determine: fitting in parts equals fitting the whole."""

    n_samples_seen_: float
    _moments: Moments | FourthMoments

    @all_at_once
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows of X.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
            The embeddings, one per row; or their summary by `skgeom.summary.cloud_summary`. A Dask array or frame is
            summed up by its workers.
        y : ignored
            For the API.
        sample_weight : array of shape (n_samples,), default=None
            Weight of each row, the number of times it counts; None unless X is an array of rows.

        Returns
        -------
        self
            The fitted transformer.
        """
        self._check_parameters()
        if isinstance(X, CloudSummary) or comes_in_parts(X):
            return self._learn(self._summed(X, sample_weight))
        return self._learn(self._of_rows(X, sample_weight, partial(_source.get(), self._summary()), first=True))

    @all_at_once
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Add rows to those seen, and learn from all of them, as `fit` on all rows would.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
            More embeddings, one per row; at least two in the first batch.
        y : ignored
            For the API.
        sample_weight : array of shape (n_samples,), default=None
            Weight of each row, the number of times it counts; None unless X is an array of rows.

        Returns
        -------
        self
            The fitted transformer.
        """
        self._check_parameters()
        first = not self._goes_on()
        if isinstance(X, CloudSummary) or comes_in_parts(X):
            more: Any = self._summed(X, sample_weight, None if first else self._moments)
            return self._learn(more if first else self._seen_beside(more.second.mean).merge(more))
        more = self._of_rows(X, sample_weight, self._summary(None if first else self._moments), first=first)
        return self._learn(more if first else self._seen_beside(more.second.mean).merge(more))

    def _of_rows(self, X: Any, sample_weight: Any, summary: Callable[..., Any], *, first: bool) -> Any:
        """Check rows and their weights, and return their moments; without weights, the rows are read once."""
        least = 2 if first else 1
        x = self._checked(X, reset=first, min_samples=least, check=check_floats)

        def checked(x: Array) -> Array:
            x = check_cloud(x, min_samples=least)
            self._check_magnitude(x)
            return x

        if sample_weight is None:
            return summed_once(x, lambda x: self._sum_up(summary, x, None), checked)
        return self._sum_up(summary, *check_weights(sample_weight, checked(x), minimum=least - 1))

    def _sum_up(self, summary: Summary, x: Array, w: Array | None) -> Any:
        """Return the moments of rows and their weights, on the device of the computation."""
        parts: list[Any] = self._parts(summary, x, w)
        return merge_all(parts)

    def _summed(
        self, X: Any, sample_weight: Any, seen: Moments | FourthMoments | None = None
    ) -> Moments | FourthMoments:
        """Return the moments of a summary, blocks or Dask data, to the order of those seen; check features."""
        if sample_weight is not None:
            raise ValueError(
                "sample_weight is for arrays of rows; rows in summaries, blocks and Dask count once each: pass None."
            )
        check_device(self.device)
        least = 2 if seen is None else 1
        if isinstance(X, CloudSummary):
            record_width(self, X.n_features, reset=seen is None)
            m: Any = X.checked_moments(least)
        else:
            if is_dask(X):
                validate_data(self, sample_row(X), reset=seen is None, skip_check_array=True)
            fourth = self._needs_fourth(seen)
            of_chunk = part_of_ranked_fourth if fourth else part_of_ranked
            kernel: Any = of_chunk if is_dask(X) else RankedBlocks(fourth=fourth)
            m = sum_of(X, kernel, partial(check_cloud, min_samples=least))
            if not is_dask(X):
                record_width(self, m.second.mean.shape[0], reset=seen is None)
        m = m.map_arrays(self._placed)
        return m if self._needs_fourth(seen) else m.second

    def _seen_beside(self, x: Array) -> Any:
        """Return the moments of all rows seen, on the device of others."""
        return self._moments.map_arrays(lambda a: self._bring(a, x))

    def _moments_of_each(self, clouds: Sequence[Array]) -> list[Any]:
        """Return the moments of several clouds; an accelerator computes them without waits between."""
        return ranked_moments_of_each(clouds, fourth=self._needs_fourth(None))

    def _check_magnitude(self, x: Array) -> None:
        """Check that the sums over the rows stay within float64."""
        check_squares(x, "X")

    def _summary(self, seen: Moments | FourthMoments | None = None) -> Summary:
        """Return a summary of rows whose spectrum determines the rank; after earlier rows, to their order."""
        return ranked_fourth_moments if self._needs_fourth(seen) else ranked_moments

    def _needs_fourth(self, seen: Moments | FourthMoments | None) -> bool:
        """Return whether rows are summed up to their fourth powers, consistent with those seen before."""
        return False

    def _learn(self, m: Moments | FourthMoments) -> Self:
        """Set the fitted attributes, and keep the moments for later batches."""
        if self.device is not None:
            m = nearby(m)  # the results are for the host anyway
        with one_thread(m.second.mean):
            self._solve(m)
        self._moments = m.map_arrays(self._leave)
        self.n_samples_seen_ = m.second.n
        return self

    def _check_parameters(self) -> None:
        """Check that the parameters are in range."""
        raise NotImplementedError

    def _solve(self, m: Moments | FourthMoments) -> None:
        """Set the fitted attributes from the moments of all rows seen."""
        raise NotImplementedError


class RowsAtFit:
    """A fingerprint of the rows of an estimator without `transform`, to recognise them later.

    One number per row, its product with fixed weights, which differs for other rows or another order. The tolerance
    allows for rounding of the input, such as between ``transform`` and ``fit_transform``: half of the digits by which
    rows differ, since those that they share, or those of one long row, say nothing about the others.
    """

    def __init__(self, x: Array) -> None:
        self.products = _products(x)

    def are(self, x: Array) -> bool:
        """Return whether the rows of x are those of the fit."""
        now = _products(x)
        if now.shape != self.products.shape:
            return False
        spacing = max(np.finfo(part.dtype).eps for part in (now, self.products))
        apart = np.abs(self.products - np.median(self.products))
        room = np.sqrt(spacing) * (apart + np.median(apart)) + 16 * spacing * np.max(np.abs(self.products))
        return bool((np.abs(now - self.products) <= room).all())


def _products(x: Array) -> np.ndarray:
    """Return the product of each row with fixed random weights; it never exceeds the largest entry."""
    weights = np.random.default_rng(0).normal(size=x.shape[1])
    return to_numpy(x @ asarray_like(weights / np.sum(np.abs(weights)), x))


def _joined(parts: Iterator[np.ndarray], n: int, out: np.ndarray | None) -> np.ndarray:
    """Return n rows that come in parts as one array: a given one, that of a single part, or a new one."""
    start = 0
    for part in parts:
        if out is None and len(part) == n:
            return part
        out = np.empty((n, *part.shape[1:]), dtype=part.dtype) if out is None else out
        out[start : start + len(part)] = part
        start += len(part)
    assert out is not None
    return out


def _check_width(z: Array, width: int, name: str) -> None:
    """Check that rows have as many features as the output of an estimator."""
    if z.shape[1] != width:
        raise ValueError(
            f"X has {z.shape[1]} features, but {name}.inverse_transform is expecting {width} features as input."
        )
