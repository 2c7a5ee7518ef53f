"""Moments that a search over pipelines needs once per fold, identified by the bytes of the rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache, wraps
from hashlib import sha256
from math import prod
from threading import Lock
from typing import Any, Self, TypeVar
from uuid import uuid4

import numpy as np

from skgeom._array import is_on_host, kind_of, row_blocks, to_numpy
from skgeom._core.sums._moments import FourthMoments, Moments
from skgeom._estimator import Summary, moments_from
from skgeom._typing import Array
from skgeom._validation import check_count

R = TypeVar("R")

_BYTES_PER_NUMBER = 8
"""Moments, and all that follows from them, are in float64."""

_SHARES = 16
"""The share of the room, one of so many, that the rows of a fold may take: others are identified by a hash."""

_SAMPLE_ROWS = 16


class SharedMoments:
    """Let the candidates of a search share the moments of each fold: ``Pipeline(steps, memory=SharedMoments())``.

    `GridSearchCV` fits a Pipeline to the same rows again for every candidate. `Whitening` and `AllButTheTop` depend on
    the rows through their moments, and `n_components`, `power` and most other parameters only change their
    use. With this object as its `memory` a Pipeline sums up the rows of a fold once, and decomposes the sums once.
    Everything else is unchanged: checks, warnings, other steps, and every fitted attribute to the last bit.

    Parameters
    ----------
    max_bytes : int, default=2**30
        Maximum size of the cache in bytes. Beyond it, the least recently used moments are dropped.

    Raises
    ------
    TypeError
        If `max_bytes` is not an integer.
    ValueError
        If `max_bytes` is negative.

    Notes
    -----
    Moments are identified by all bytes of the rows and weights, by their shape, type and layout, and by the kind of
    sum. Rows that differ in one bit, or were changed in place, are other rows. A copy of the rows is kept for that, or,
    if they take more than a sixteenth of `max_bytes`, their SHA-256 hash.

    With d features a fold takes its rows and 24 d² bytes, or 16 n d if its n rows are fewer, and that again for each
    `shrinkage_` and for the forms "-cor": for 5 folds and the refit of 10,000 rows with 384 features 77 MB in float32
    and 21 MB. A search needs room for all its folds; with less, each fit starts again. The peak is `max_bytes` and
    one fold above that of one fit without.

    Comparing rows takes 0.1 s per GB, the hash 0.5 s where the processor has instructions for it. The rest of a fit is
    the product that transforms the rows. Rows on another device (also by ``device="cuda"``) are not shared, since a
    comparison would have to read them back. Nor are those of `partial_fit`, of transformers by group, and of the last
    step of a Pipeline, which is fitted without its memory.

    With ``n_jobs`` the fits of one process share moments, and so do threads. A clone is the same
    object; a pickle holds `max_bytes` and no moments.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from skgeom.datasets import load_reverse_dictionary
    >>> from skgeom.preprocessing import SharedMoments, Whitening
    >>> X, y = load_reverse_dictionary(return_X_y=True)
    >>> model = make_pipeline(Whitening(), LogisticRegression(max_iter=1000), memory=SharedMoments())
    >>> search = GridSearchCV(model, {"whitening__n_components": [16, 64, 256]}, cv=3).fit(X, y)
    >>> search.best_params_
    {'whitening__n_components': 64}
    """

    location = None
    """No file is used: scikit-learn then fits the steps of a Pipeline themselves, as it does without a memory."""

    def __init__(self, max_bytes: int = 2**30) -> None:
        self.max_bytes = check_count(max_bytes, "max_bytes", 0)
        self._name = uuid4().hex
        self._kept: OrderedDict[Hashable, tuple[Hashable, Moments | FourthMoments]] = OrderedDict()
        self._lock = Lock()

    def cache(self, func: Callable[..., R], **options: Any) -> Callable[..., R]:
        """Return a function that calls another one, in which all fits share their moments. For scikit-learn.

        Parameters
        ----------
        func : callable
            The function that fits a step of a Pipeline.
        **options
            Arguments that `joblib.Memory` would take beside it; ignored.

        Returns
        -------
        callable
            The same function of the same arguments.
        """

        @wraps(func)
        def sharing(*args: Any, **kwargs: Any) -> R:
            try:
                with moments_from(self._moments):
                    return func(*args, **kwargs)
            finally:
                self._forget_beyond_bound()

        return sharing

    def clear(self) -> None:
        """Forget all moments."""
        with self._lock:
            self._kept.clear()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_bytes={self.max_bytes})"

    def __sklearn_clone__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_this_process, (self.max_bytes, self._name)

    def _moments(self, summary: Summary, x: Array, w: Array | None) -> Moments | FourthMoments:
        """Return the moments of rows: those kept, or new ones, which are kept from now on."""
        if not is_on_host(x):
            return summary(x, w)
        largest = self.max_bytes // _SHARES
        key = summary, kind_of(x), _content(x, largest), None if w is None else _content(w, largest)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = _copied(key), summary(x, w)
        with self._lock:
            own, m = self._kept.setdefault(found[0], found)  # known by identity: equal keys cost a comparison
            self._kept.move_to_end(own)
        self._forget_beyond_bound()
        return m

    def _forget_beyond_bound(self) -> None:
        """Drop the least recently used moments, with their derived values."""
        with self._lock:
            excess = sum(map(_n_bytes, self._kept.values())) - self.max_bytes
            while excess > 0:
                _, oldest = self._kept.popitem(last=False)
                excess -= _n_bytes(oldest)


@lru_cache(maxsize=1)
def _of_this_process(max_bytes: int, name: str) -> SharedMoments:
    """Return one object for all pickles of the same object, since each task of a search brings one to its process."""
    return SharedMoments(max_bytes)


class _Rows:
    """Rows on the host, or weights, as a key: equal to others of the same layout if all bytes are."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self._hash = hash(values[:: -(-len(values) // _SAMPLE_ROWS)].tobytes())

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Rows) or self._hash != other._hash:
            return False
        bits = f"u{self.values.itemsize}"
        ours, theirs = self.values.view(bits), other.values.view(bits)
        return all(np.array_equal(ours[block], theirs[block]) for block in _blocks_of(ours))


def _content(x: Array, largest: int) -> Hashable:
    """Return a key that identifies an array on the host, and its layout.

    The layout decides in which order numbers are summed, hence the last bit. To compare rows takes a sixth of the time
    of a hash; those of more bytes than the largest that are kept have one. SHA-256 is twice as fast as BLAKE2 on
    processors with instructions for it.
    """
    values = to_numpy(x)
    layout = values.dtype.str, values.shape, values.strides
    if values.nbytes <= largest:
        return *layout, _Rows(values)
    found = sha256()
    for block in _blocks_of(values):
        found.update(np.ascontiguousarray(values[block]).data)
    return *layout, found.digest()


def _blocks_of(values: np.ndarray) -> Iterable[slice]:
    return row_blocks(values) if values.ndim == 2 else [slice(None)]


def _copied(key: Any) -> Any:
    """Return a key that does not change with the arrays of the caller."""
    if isinstance(key, _Rows):
        return _Rows(key.values.copy())
    return tuple(map(_copied, key)) if isinstance(key, tuple) else key


def _n_bytes(value: Any) -> int:
    """Return the bytes of all arrays in moments, in their derived values, and in keys."""
    if isinstance(value, _Rows):
        return value.values.nbytes
    if isinstance(value, Moments | FourthMoments):
        value = tuple(vars(value).values())
    elif isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return sum(map(_n_bytes, value))
    return _BYTES_PER_NUMBER * prod(getattr(value, "shape", (0,)))
