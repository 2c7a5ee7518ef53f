"""All-but-the-top, in both readings of the paper."""

import numpy as np
import pytest

from skgeom.preprocessing import AllButTheTop


def rows():
    rng = np.random.default_rng(9)
    return rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6)) + 2


def test_removing_two_directions_leaves_the_published_energy():
    z = AllButTheTop(2).fit_transform(rows())
    assert (z**2).sum() == pytest.approx(406.25751842453764, rel=1e-9)


def test_the_centred_reading_leaves_mean_zero_and_dead_directions():
    t = AllButTheTop(2).fit(rows())
    z = t.transform(rows())
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(z @ t.components_.T, 0, atol=1e-12)


def test_the_raw_reading_is_the_paper_line_by_line():
    x = rows()
    t = AllButTheTop(2, projection="raw").fit(x)
    expected = x - t.mean_ - sum(np.outer(x @ u, u) for u in t.components_)
    np.testing.assert_allclose(t.transform(x), expected, atol=1e-12)


def test_directions_are_the_leading_singular_vectors():
    x = rows()
    t = AllButTheTop(3).fit(x)
    _, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(t.components_), np.abs(v[:3]), atol=1e-10)
    np.testing.assert_allclose(t.spectrum_, s[:3] ** 2 / 79, rtol=1e-10)


@pytest.mark.parametrize(("d", "removed"), [(20, 1), (149, 1), (300, 3), (768, 8)])
def test_auto_is_a_hundredth_of_the_dimension(d, removed):
    x = np.random.default_rng(0).normal(size=(50, d))
    assert AllButTheTop().fit(x).n_components_ == removed


def test_zero_directions_only_centre():
    np.testing.assert_allclose(AllButTheTop(0).fit_transform(rows()), rows() - rows().mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_directions_that_only_rounding_has_are_kept(dtype, offset):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(100, 3)) @ rng.normal(size=(3, 30)) + offset).astype(dtype)
    with pytest.warns(UserWarning, match="in only 3 of the 5 directions to remove"):
        t = AllButTheTop(5).fit(x)
    assert t.components_.shape == (3, 30)
    assert t.spectrum_.shape == (3,)
    assert t.n_components_ == 3
    new = rng.normal(size=(4, 30)) + offset
    kept = new - t.mean_
    kept -= kept @ t.components_.T @ t.components_
    np.testing.assert_allclose(t.transform(new.astype(dtype)), kept, atol=1e-5)


@pytest.mark.filterwarnings("ignore:X varies by more than the rounding")
@pytest.mark.parametrize(("x", "varying"), [(rows()[:2], 1), (np.ones((5, 6)), 0)])
def test_no_more_directions_are_removed_than_vary(x, varying):
    t = AllButTheTop(2).fit(x)
    assert t.components_.shape == (varying, 6)
    parts = AllButTheTop(2).partial_fit(x[:2]).partial_fit(x[2:] if len(x) > 2 else x[:1])
    assert parts.components_.shape == (varying, 6)


def test_partial_fit_equals_fit_on_the_whole():
    x = rows()
    parts = AllButTheTop(2).partial_fit(x[:3]).partial_fit(x[3:50]).partial_fit(x[50:])
    np.testing.assert_allclose(parts.transform(x), AllButTheTop(2).fit_transform(x), atol=1e-9)


def test_weights_count_rows():
    x, counts = rows(), np.random.default_rng(1).integers(0, 3, 80)
    weighted = AllButTheTop(2).fit(x, sample_weight=counts)
    np.testing.assert_allclose(
        weighted.transform(x), AllButTheTop(2).fit(np.repeat(x, counts, axis=0)).transform(x), atol=1e-9
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 7}, "at least 0 and at most 6"),
        ({"n_components": -1}, "at least 0"),
        ({"n_components": "all"}, "'auto'"),
        ({"projection": "both"}, "projection must be one of 'centered', 'raw'"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        AllButTheTop(**parameters).fit(rows())
