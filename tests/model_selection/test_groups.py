"""row_groups: equal rows, and pairs that a chain of common rows links."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skgeom.model_selection import row_groups


@pytest.fixture
def repeated():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 4))[rng.integers(0, 50, 120)]


def test_equal_rows_share_a_group(repeated):
    groups = row_groups(repeated)
    equal = (repeated[:, None] == repeated[None]).all(axis=2)
    assert_array_equal(groups[:, None] == groups[None], equal)
    assert_array_equal(np.unique(groups), np.arange(groups.max() + 1))
    assert (np.diff(np.unique(groups, return_index=True)[1]) > 0).all()
    assert_array_equal(row_groups(torch.tensor(repeated)), groups)


def test_minus_zero_is_zero():
    assert_array_equal(row_groups(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]])), [0, 0, 1])


def test_pairs_are_linked_by_a_chain_of_common_rows(repeated):
    links = np.random.default_rng(1).integers(0, 50, (40, 2))
    rows = np.random.default_rng(2).normal(size=(50, 3))
    group = np.arange(40)
    for _ in range(40):  # the smallest number among pairs with a common row, until nothing changes
        for i, pair in enumerate(links):
            group[i] = min(group[j] for j, other in enumerate(links) if set(pair) & set(other))
    found = row_groups(rows[links])
    assert_array_equal(found[:, None] == found[None], group[:, None] == group[None])
    assert_array_equal(row_groups(torch.tensor(rows[links])), found)


@pytest.mark.parametrize("X", [np.zeros(3), np.zeros((3, 3, 2)), np.full((3, 2), np.nan), np.full((3, 2, 2), np.inf)])
def test_other_things_are_refused(X):
    with pytest.raises(ValueError):
        row_groups(X)
