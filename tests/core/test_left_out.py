"""Neighbours without blocks of rows: those of a search among the rows that are left, whatever is tied."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._core._jackknife import balanced_blocks
from skgeom._core.pairs import _left_out
from skgeom.comparison import neighbour_overlap
from skgeom.comparison._overlap import shares_without
from skgeom.metrics import hubness, koleo, mma, mmcs, mmd_uniform
from skgeom.metrics._measure import COMPARISONS, MEASURES

N = 120
ROWS = default_rng(0).normal(size=(N, 4))
CLOUDS = {
    "distinct": ROWS,
    "duplicates": ROWS[default_rng(1).integers(0, 60, N)],
    "grid": default_rng(2).integers(1, 4, (N, 4)).astype(float),
    "one place and others": np.where(np.arange(N)[:, None] < 30, ROWS[0], ROWS),
    "documents": np.repeat(ROWS[:8], 15, axis=0) + 0.1 * default_rng(3).normal(size=(N, 4)),
}
BLOCKS = {
    "rows": balanced_blocks(np.arange(N), 10, np.random.RandomState(0)),
    "groups": balanced_blocks(np.arange(N) // 15, 8, np.random.RandomState(0)),
    "one large": np.where(np.arange(N) < 60, 0, np.arange(N) % 7),
}
MEASURED = {
    **{f.__name__: (f, {}) for f in (mma, mmcs, mmd_uniform)},
    "koleo": (koleo, {}),
    **{f"hubness {metric} {k}": (hubness, {"k": k, "metric": metric}) for metric in ("cosine", "euclidean") for k in (1, 10)},
    **{f"overlap {metric} {k}": (neighbour_overlap, {"k": k, "metric": metric}) for metric in ("cosine", "euclidean") for k in (1, 5)},
}


def fast(function, given, codes, **options):
    row = COMPARISONS.get(function) or MEASURES[function.__name__]
    return row.without_blocks(*given, codes=codes, **{**row.settings, **options})


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_one_search_gives_what_one_for_each_block_gives(name, cloud, blocks, monkeypatch):
    (function, options), x, codes = MEASURED[name], CLOUDS[cloud], BLOCKS[blocks]
    given = (x, x + 0.3 * np.round(ROWS[::-1])) if function is neighbour_overlap else (x,)
    monkeypatch.setattr(_left_out, "_MOST", 1000)
    monkeypatch.setattr(_left_out, "_ENTRIES", 700)
    found = fast(function, given, codes, **options)
    left = [codes != block for block in range(codes.max() + 1)]
    expected = [function(*(side[rows] for side in given), **options) for rows in (*left, codes >= 0)]
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
