"""Kummer's function as a series, against other evaluations of it, and sums over pairs of places with their gradient."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import erf, hyp1f1, i0e

from skgeom._core.pairs._sigreg import kummer

Z = np.concatenate([[0.0], np.logspace(-4, 5, 200)])


def of(z, d):
    """Return the two functions at z."""
    return kummer((1 + 2 * z / d) ** -0.5, d)


@pytest.mark.parametrize("d", [2, 3, 4, 5, 7, 8, 12, 15, 16, 24, 64, 384, 1536])
def test_the_series_has_the_digits_of_scipy(d):
    value, slope = of(Z * d, d)
    assert_allclose(value, hyp1f1(0.5, d / 2, -Z * d), atol=5e-13)
    assert_allclose(slope, hyp1f1(1.5, d / 2 + 1, -Z * d), atol=1e-9)


def test_few_dimensions_have_closed_forms():
    root = np.sqrt(Z[1:])
    assert_allclose(of(Z, 1)[0], np.exp(-Z), atol=5e-13)
    assert_allclose(of(Z, 1)[1], np.exp(-Z), atol=2e-9)
    assert_allclose(of(Z, 2)[0], i0e(Z / 2), atol=5e-13)
    assert_allclose(of(Z[1:], 3)[0], np.sqrt(np.pi) * erf(root) / (2 * root), atol=5e-13)


def test_values_of_mpmath():
    """M(1/2; d/2; -z) in 30 digits."""
    expected = [
        0.7910171621397194,
        0.5043435602314388,
        0.39451761147982645,
        0.5262036913302088,
        0.7112549648821497,
    ]
    cases = zip([2, 3, 16, 384, 4096], [0.5, 3.0, 40.0, 500.0, 2000.0], strict=True)
    assert_allclose([of(np.array([z]), d)[0][0] for d, z in cases], expected, rtol=1e-13)


@pytest.mark.parametrize("d", [1, 16, 768])
def test_single_precision_keeps_its_digits(d):
    w = np.linspace(0, 1, 1000, dtype=np.float32)
    single, exact = (kummer(x, d)[0] for x in (w, np.float64(w)))
    assert single.dtype == np.float32
    assert_allclose(single, exact, atol=5e-7)
