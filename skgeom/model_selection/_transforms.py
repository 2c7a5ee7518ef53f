"""The transforms that the judges try, and the rows mapped by each, fitted to the other folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skgeom._array import to_numpy
from skgeom._core.sums._maps import default_top
from skgeom._validation import check_cloud
from skgeom._warnings import silenced
from skgeom.preprocessing import AllButTheTop, SharedMoments, Whitening

Transforms: TypeAlias = Mapping[str, Any]
"""Transformers by name; "passthrough" leaves the rows as they are."""

AS_IS, CENTRED, PASSTHROUGH = "as is", "centred", "passthrough"
POWERS = (0.25, 0.5, 1.0)
_NARROWEST = 16
_STEP = 4
"""Widths grow by this factor: the score of a transform changes slowly with its width."""

_ROWS_PER_DIRECTION = 3
_EXAMPLE = "pass {'as is': 'passthrough', 'white': Whitening()}"


def default_transforms(X: Any) -> dict[str, Any]:
    """Return the transforms that the judges try: the rows as they are, and transforms that have helped elsewhere.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, whose numerical rank bounds the widths.

    Returns
    -------
    dict from str to transformer
        "as is" ("passthrough"); "centred"; ``Whitening(k, power=p)`` for p = 0.25, 0.5 and 1 and k = 16, 64, 256 and so
        on up to the rank; ``AllButTheTop``, removing one direction and one per hundred features. A whitening with fewer
        than three rows per direction has ``shrinkage="ledoit_wolf"``.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or has no spread.

    References
    ----------
    Su, Cao, Liu & Ou 2021, Whitening sentence representations, arXiv:2103.15316 (width); Mu & Viswanath 2018,
    arXiv:1702.01417 (all-but-the-top).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgeom.model_selection import default_transforms
    >>> list(default_transforms(load_digits().data))[:4]
    ['as is', 'centred', 'Whitening(16, power=0.25)', 'Whitening(16, power=0.5)']
    """
    x = check_cloud(X, scale_free=True)
    n, d = x.shape
    with silenced(category=UserWarning):  # of few rows: judged on rows that no fit has seen, it shows
        rank = fitted(Whitening(), x).rank_
    found: dict[str, Any] = {AS_IS: PASSTHROUGH, CENTRED: StandardScaler(with_std=False)}
    widths = [k for k in (_NARROWEST * _STEP**j for j in range(16)) if k < rank] + [rank]
    for k in widths:
        few = n < _ROWS_PER_DIRECTION * k
        for power in POWERS:
            estimator = Whitening(k, power=power, shrinkage="ledoit_wolf" if few else None)
            found[_name(estimator)] = estimator
    for top in sorted({1, default_top(d)}):
        if top < rank:
            found[f"AllButTheTop({top})"] = AllButTheTop(top)
    return found


def check_transforms(transforms: Any) -> Transforms:
    """Return candidates by name, at least two."""
    if not isinstance(transforms, Mapping):
        got = type(transforms).__name__
        raise TypeError(f"transforms must be a dict from names to transformers, got a {got}: {_EXAMPLE}.")
    if len(transforms) < 2:
        raise ValueError(
            f"transforms has {len(transforms)} transforms, expected at least two, because the others are compared with "
            f"the first: {_EXAMPLE}."
        )
    for name, one in transforms.items():
        if not isinstance(name, str):
            raise TypeError(f"transforms has the name {name!r}, expected a string: {_EXAMPLE}.")
        is_passthrough = isinstance(one, str) and one == PASSTHROUGH
        if not is_passthrough and (isinstance(one, type) or not hasattr(one, "transform")):
            raise TypeError(f'transforms[{name!r}] is {one!r}, expected a transformer or "passthrough": {_EXAMPLE}.')
    return dict(transforms)


class Mapped(NamedTuple):
    """Rows as a transform maps them, and a function that returns their white coordinates and the spread of each.

    White coordinates times their spread are the rows up to rotation and shift.
    """

    rows: np.ndarray
    white: Callable[[], tuple[np.ndarray, np.ndarray]]


def mapped(transforms: Transforms, x: np.ndarray, n_known: int) -> Iterator[Mapped]:
    """Yield all rows as each transform maps them that was fitted to the first ones.

    The whitenings of one shrinkage are columns of one map, scaled: they share one fit and one product. The white
    coordinates of the rows as they are, centred, or without their leading directions, are columns of it, too. All fits
    share the moments of the first rows.
    """
    fit = SharedMoments().cache(fitted)

    @cache
    def whitened(shrinkage: Any = None) -> tuple[np.ndarray, np.ndarray]:
        return _white(fit, x, n_known, shrinkage)

    for name, estimator in transforms.items():
        if _is_scaled_projection(estimator):
            white, deviations = (part[..., : estimator.n_components] for part in whitened(estimator.shrinkage))
            spread = deviations ** (1 - estimator.power)
            yield Mapped(white * spread.astype(white.dtype), partial(tuple, (white, spread)))
            continue
        z = x
        if not isinstance(estimator, str):
            z = to_numpy(check_cloud(fit(estimator, x[:n_known]).transform(x), name=f"the output of {name!r}"))
            if len(z) != len(x):
                raise ValueError(
                    f"The output of {name!r} has {len(z)} rows for {len(x)} rows: pass a transformer of each row."
                )
        top = _n_removed(estimator)
        of_z = partial(_white, fitted, z, n_known) if top is None else partial(_without_leading, whitened, top)
        yield Mapped(z, of_z)


def _white(
    fit: Callable[..., Any], z: np.ndarray, n_known: int, shrinkage: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the white coordinates of all rows by a whitening fitted to the first ones, and the spread of each."""
    full = fit(Whitening(shrinkage=shrinkage), z[:n_known])
    return np.asarray(full.transform(z)), np.sqrt(full.spectrum_)


def _without_leading(whitened: Callable[[Any], tuple[np.ndarray, np.ndarray]], top: int) -> Any:
    return tuple(part[..., top:] for part in whitened(None))


def _n_removed(estimator: Any) -> int | None:
    """Return how many leading directions a transform removes, None if it also changes others."""
    if isinstance(estimator, str) or (type(estimator) is StandardScaler and not estimator.with_std):
        return 0
    is_plain = type(estimator) is AllButTheTop and estimator.projection == "centered"
    return estimator.n_components if is_plain and isinstance(estimator.n_components, int) else None


def fitted(estimator: Any, *rows: Any) -> Any:
    """Return a fitted copy of an estimator."""
    return clone(estimator).fit(*rows)


def _is_scaled_projection(estimator: Any) -> bool:
    """Return whether the rows of a whitening are scaled columns of those of the full one."""
    if type(estimator) is not Whitening:
        return False
    others = {**estimator.get_params(), "n_components": None, "power": 1.0, "shrinkage": None}
    return others == Whitening().get_params()


def _name(estimator: Whitening) -> str:
    shrunk = "" if estimator.shrinkage is None else f", shrinkage={estimator.shrinkage!r}"
    return f"Whitening({estimator.n_components}, power={estimator.power:g}{shrunk})"
