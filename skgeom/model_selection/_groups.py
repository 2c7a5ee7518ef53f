"""Groups for splitters, so that no row is in the training and in the test part of a fold."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skgeom._array import is_foreign, to_numpy
from skgeom._core._equal_rows import first_equal
from skgeom._validation import check_cloud, check_pairs_of_rows


def row_groups(X: Any) -> np.ndarray:
    """Return groups of equal rows, or of pairs with a common row, for `GroupKFold` and similar splitters.

    A model looks better than it is if training and test part contain copies of the same row. Here equal rows share a
    group. Pairs share one if they have a row in common, or if a chain of such pairs links them.

    Parameters
    ----------
    X : array of shape (n_samples, n_features) or (n_pairs, 2, n_features)
        The embeddings, one per row, or of both sides of each pair.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_pairs,), int64
        The number of the group of each row or pair, from 0 in the order of the first members.

    Raises
    ------
    ValueError
        If X is neither a finite matrix nor a finite array of pairs of rows.

    See Also
    --------
    sklearn.model_selection.StratifiedGroupKFold : Folds that respect groups, and keep the shares of classes.

    Notes
    -----
    Rows are equal if all their numbers are equal; -0 equals 0. O(n d) time, and memory for a block of rows and n
    hashes; rows with equal hashes are compared.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.model_selection import row_groups
    >>> row_groups(np.array([[1.0, 2.0], [0.0, 3.0], [1.0, 2.0]]))
    array([0, 1, 0])
    >>> a, b, c, d, e = np.eye(5)
    >>> row_groups(np.array([[a, b], [c, d], [b, e]]))  # the first and the last share b
    array([0, 1, 0])
    """
    x = X if is_foreign(X) else np.asarray(X)
    if x.ndim != 3:
        return _numbered(first_equal(check_cloud(X, min_samples=1)))
    first, second = (to_numpy(check_cloud(side, min_samples=1)) for side in check_pairs_of_rows(x))
    row = first_equal(np.concatenate([first, second]))
    return linked(row[: len(first)], row[len(first) :])


def linked(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the group of each link (n,) between two nodes: that of all links that a chain of common nodes joins."""
    n_nodes = int(max(left.max(), right.max())) + 1
    links = coo_array((np.ones(left.size), (left, right)), shape=(n_nodes, n_nodes))
    return _numbered(connected_components(links, directed=False)[1][left])


def _numbered(codes: np.ndarray) -> np.ndarray:
    """Return codes as numbers from 0 in the order of their first occurrence."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    place = np.empty(first.size, dtype=np.int64)
    place[np.argsort(first)] = np.arange(first.size)
    return place[inverse]
