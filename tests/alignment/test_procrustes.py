"""Procrustes: planted rotations, SciPy as oracle, and one answer where many are equally good."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from numpy.random import default_rng
from numpy.testing import assert_allclose
from scipy.stats import ortho_group, special_ortho_group
from sklearn.base import clone

from skgeom._core.sums._align import procrustes
from skgeom._core.sums._cross import cross_moments
from skgeom.alignment import ProcrustesAligner


def reference_pair():
    rng = np.random.default_rng(6)
    a = rng.normal(size=(60, 6)) + 0.8
    b = 0.7 * a @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 0.3 * rng.normal(size=(60, 6))
    return tuple(m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a, b))


def noisy(n=200, dx=6, dy=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, dx)) * np.linspace(2, 0.5, dx) + 1
    return x, x @ rng.normal(size=(dx, dy)) + rng.normal(size=(n, dy))


def deviation(aligner, x, y):
    return ((aligner.predict(x) - y) ** 2).sum()


def test_it_is_the_solution_of_scipy():
    x, y = noisy()
    rotation, nuclear = scipy.linalg.orthogonal_procrustes(x, y)
    fitted = ProcrustesAligner().fit(x, y)
    assert_allclose(fitted.rotation_, rotation, atol=1e-13)
    assert fitted.residual_ == pytest.approx((x**2).sum() + (y**2).sum() - 2 * nuclear, rel=1e-12)
    assert not fitted.intercept_.any()


def test_nuclear_norm_of_the_reference_pair():
    a, b = reference_pair()
    fitted = ProcrustesAligner().fit(a, b)
    assert (120 - fitted.residual_) / 2 == pytest.approx(56.99878495199927, rel=1e-13)
    assert ProcrustesAligner(scale=True).fit(a, b).scale_ == pytest.approx(56.99878495199927 / 60, rel=1e-13)


SINGLE = {
    "normal": (lambda rng, size: rng.normal(size=size), 1e-5),
    "halves": (lambda rng, size: (rng.normal(size=size) + 1).astype(np.float16), 2e-3),
    "tenths": (lambda rng, size: rng.integers(0, 2, size=size) * 0.1, 2e-3),  # rounding errors that add up
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("width", [20, 24])
@pytest.mark.parametrize("kind", SINGLE)
def test_float32_pairs_turn_the_map_no_further_than_promised(kind, width, center, weighted):
    draw, tolerance = SINGLE[kind]
    rng = default_rng(0)
    x, noise = (draw(rng, (20_000, d)).astype(np.float32) for d in (20, width))
    y = x @ ortho_group.rvs(width, random_state=0)[:20].astype(np.float32) + noise / 4
    w = rng.uniform(0.5, 2, size=20_000) if weighted else None
    aligner = ProcrustesAligner(center=center, scale=True)
    found, exact = (clone(aligner).fit(x.astype(t), y.astype(t), sample_weight=w) for t in ("float32", "float64"))
    assert 0 < np.linalg.norm(found.rotation_ - exact.rotation_) < tolerance
    assert_allclose(found.rotation_ @ found.rotation_.T, np.eye(20), atol=1e-13)
    assert found.scale_ == pytest.approx(exact.scale_, rel=1e-6)
    assert found.residual_ == pytest.approx(exact.residual_, abs=1e-6 * float(np.linalg.norm(x) * np.linalg.norm(y)))


@pytest.mark.parametrize(
    ("scale", "width", "aligner"),
    [
        (1e-6, 20, ProcrustesAligner()),  # a singular value of which products in float32 know little
        (1.0, 20, ProcrustesAligner(allow_reflection=False)),
        (1.0, 19, ProcrustesAligner()),
    ],
)
def test_float32_pairs_that_do_not_settle_the_map_are_summed_in_float64(scale, width, aligner):
    x, y = (a.astype(np.float32) for a in noisy(5000, 20, width))
    x[:, 3] *= scale
    found, exact = (clone(aligner).fit(x.astype(t), y.astype(t)) for t in ("float32", "float64"))
    assert_allclose(found.rotation_, exact.rotation_, atol=1e-13)


def test_pairs_that_only_a_sample_settles_are_summed_in_float64():
    x, y = (a.astype(np.float32) for a in noisy(40_000, 20, 20))
    x[:, 3] = np.arange(40_000) % 500 == 0  # nothing but in the rows of the sample
    found, exact = (ProcrustesAligner().fit(x.astype(t), y.astype(t)) for t in ("float32", "float64"))
    assert_allclose(found.rotation_, exact.rotation_, atol=1e-13)


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_planted_motion_is_found(offset, scale):
    x = noisy(100, 5)[0] * scale
    q = ortho_group.rvs(5, random_state=1)
    y = 3 * x @ q + offset * scale
    fitted = ProcrustesAligner(center=True, scale=True).fit(x, y)
    assert_allclose(fitted.rotation_, q, atol=1e-8 if offset else 1e-13)
    assert fitted.scale_ == pytest.approx(3, rel=1e-8)
    assert_allclose(fitted.transform(x), y, atol=1e-8 * scale)
    assert_allclose(fitted.inverse_transform(y), x, atol=1e-8 * scale)


@pytest.mark.parametrize(("dx", "dy"), [(6, 6), (4, 7), (7, 4), (1, 3), (3, 1)])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("scale", [False, True])
def test_residual_is_the_sum_of_squared_residuals(dx, dy, center, scale):
    x, y = noisy(100, dx, dy)
    fitted = ProcrustesAligner(center=center, scale=scale).fit(x, y)
    assert fitted.residual_ == pytest.approx(deviation(fitted, x, y), rel=1e-11)
    assert_allclose(fitted.coef_, fitted.scale_ * fitted.rotation_.T)
    assert_allclose(fitted.predict(x), x @ fitted.coef_.T + fitted.intercept_, atol=1e-12)


@given(dx=st.integers(1, 6), dy=st.integers(1, 6), n=st.integers(2, 12), seed=st.integers(0, 999))
def test_no_other_semi_orthogonal_map_agrees_better(dx, dy, n, seed):
    x, y = noisy(n, dx, dy, seed)
    rotation = ProcrustesAligner().fit(x, y).rotation_
    narrow = rotation @ rotation.T if dx <= dy else rotation.T @ rotation
    assert_allclose(narrow, np.eye(min(dx, dy)), atol=1e-12)
    wide = max(dx, dy, 2)
    others = [ortho_group.rvs(wide, random_state=k)[:dx, :dy] for k in range(5)]
    agreement = [(r * (x.T @ y)).sum() for r in (rotation, *others)]
    assert agreement[0] == pytest.approx(np.linalg.norm(x.T @ y, "nuc"), rel=1e-12)
    assert agreement[0] >= max(agreement[1:]) - 1e-9


def test_the_scale_is_the_best_one_of_its_rotation():
    for dx, dy in ((5, 5), (4, 6), (6, 4)):
        x, y = noisy(100, dx, dy)
        fitted = ProcrustesAligner(scale=True).fit(x, y)
        z = x @ fitted.rotation_
        assert fitted.scale_ == pytest.approx((z * y).sum() / (z**2).sum(), rel=1e-12)


def test_an_embedding_comes_back_exactly_and_a_projection_on_its_span():
    x, y = noisy(50, 3, 6)
    narrow = ProcrustesAligner(center=True, scale=True).fit(x, y)
    assert_allclose(narrow.inverse_transform(narrow.transform(x)), x, atol=1e-12)
    wide = ProcrustesAligner(center=True, scale=True).fit(y, x)
    assert_allclose(wide.transform(wide.inverse_transform(x)), x, atol=1e-12)


# Rotations


@pytest.mark.parametrize("d", [1, 2, 3, 6])
@pytest.mark.parametrize("seed", range(5))
def test_a_refused_reflection_leaves_the_best_rotation(d, seed):
    x, y = noisy(30, d, d, seed)
    fitted = ProcrustesAligner(allow_reflection=False).fit(x, y)
    assert np.linalg.det(fitted.rotation_) == pytest.approx(1)
    best = deviation(fitted, x, y)
    assert fitted.residual_ == pytest.approx(best, rel=1e-10)
    others = [special_ortho_group.rvs(d, random_state=k) if d > 1 else np.eye(1) for k in range(20)]
    assert best <= min(((x @ q - y) ** 2).sum() for q in others) * (1 + 1e-12)


def test_kabsch_of_scipy_agrees_in_three_dimensions():
    x, y = noisy(40, 3, 3, seed=3)
    x[:, 0] *= -1
    turned = scipy.spatial.transform.Rotation.align_vectors(y, x)[0].as_matrix()
    assert_allclose(ProcrustesAligner(allow_reflection=False).fit(x, y).rotation_, turned.T, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_fewer_pairs_than_dimensions_still_give_a_rotation(n):
    x, y = noisy(n, 6, 6)
    rotation = ProcrustesAligner(allow_reflection=False).fit(x, y).rotation_
    assert_allclose(rotation @ rotation.T, np.eye(6), atol=1e-13)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert (rotation * (x.T @ y)).sum() == pytest.approx(np.linalg.norm(x.T @ y, "nuc"))


def test_a_negative_scale_is_no_way_around_a_refused_reflection():
    x = np.array([[1.0], [2.0]])
    fitted = ProcrustesAligner(scale=True, allow_reflection=False).fit(x, -x)
    assert (fitted.rotation_.item(), fitted.scale_, fitted.residual_) == pytest.approx((1, 0, 5))
    assert_allclose(fitted.inverse_transform(-x), 0 * x)


# Undetermined directions


def orthogonal_maps(m, n_draws=200):
    """Draw maximisers of <q, m> for a rank-deficient square m: the determined part and a random rest."""
    u, s, vt = np.linalg.svd(m)
    r = int((s > 1e-10 * s[0]).sum()) if s[0] else 0
    for k in range(n_draws):
        free = ortho_group.rvs(len(m) - r, random_state=k) if len(m) - r > 1 else np.array([[(-1.0) ** k]])
        yield u[:, :r] @ vt[:r] + u[:, r:] @ free @ vt[r:]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_of_all_minimisers_it_is_the_one_nearest_to_the_identity(n):
    x, y = noisy(n, 5, 5)
    rotation = ProcrustesAligner().fit(x, y).rotation_
    distances = [np.linalg.norm(q - np.eye(5)) for q in orthogonal_maps(x.T @ y)]
    assert np.linalg.norm(rotation - np.eye(5)) <= min(distances) + 1e-12
    assert np.linalg.norm(x @ rotation - y) == pytest.approx(
        min(np.linalg.norm(x @ q - y) for q in orthogonal_maps(x.T @ y))
    )


def test_dead_features_are_left_alone():
    x, y = noisy(100, 6, 6)
    x[:, [1, 4]] = y[:, [1, 4]] = 0
    rotation = ProcrustesAligner().fit(x, y).rotation_
    assert_allclose(rotation[[1, 4]], np.eye(6)[[1, 4]], atol=1e-13)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_unrelated_or_zero_pairs_give_the_leading_identity(shape):
    fitted = ProcrustesAligner(scale=True).fit(np.zeros((4, shape[0])), np.ones((4, shape[1])))
    assert_allclose(fitted.rotation_, np.eye(*shape), atol=1e-13)
    assert fitted.scale_ == 0
    assert fitted.residual_ == 4 * shape[1]


@pytest.mark.parametrize("reflection", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_the_bases_that_lapack_returns_do_not_matter(monkeypatch, reflection, seed):
    """Null spaces orthogonal to each other, where even the identity leaves a choice, with turned singular vectors."""
    x = np.zeros((4, 6))
    y = np.zeros((4, 6))
    x[[0, 1], [0, 1]] = 2, 1
    y[[0, 1], [4, 5]] = 2, 1
    c = cross_moments(np.vstack([x, -x]), np.vstack([y, -y]))
    expected = procrustes(c, reflection=reflection).rotation
    rng, called = np.random.default_rng(seed), []
    svd = np.linalg.svd

    def turned(m, full_matrices=True):
        called.append(m)
        u, s, vt = svd(m, full_matrices=full_matrices)
        sign = np.where(rng.random(len(s)) < 0.5, -1, 1)
        u[:, : len(s)] *= sign
        vt[: len(s)] *= sign[:, None]
        null = s <= 1e-8
        if null.sum() > 1:
            u[:, : len(s)][:, null] = u[:, : len(s)][:, null] @ ortho_group.rvs(null.sum(), random_state=rng)
            vt[: len(s)][null] = ortho_group.rvs(null.sum(), random_state=rng) @ vt[: len(s)][null]
        return u, s, vt

    monkeypatch.setattr("array_api_compat.numpy.linalg.svd", turned)
    assert_allclose(procrustes(c, reflection=reflection).rotation, expected, atol=1e-12)
    assert len(called) >= 2
    assert_allclose(expected[[0, 1]][:, [4, 5]], np.eye(2), atol=1e-13)


def test_equal_singular_values_do_not_make_a_refused_reflection_arbitrary():
    x = np.vstack([np.eye(4), -np.eye(4)])
    y = x * [1, 1, 1, -1]
    q = ortho_group.rvs(4, random_state=0)
    first = ProcrustesAligner(allow_reflection=False).fit(x, y).rotation_
    again = (
        ProcrustesAligner(allow_reflection=False).fit(np.vstack([q, -q]), np.vstack([q, -q]) * [1, 1, 1, -1]).rotation_
    )
    assert np.linalg.det(first) == pytest.approx(1)
    assert_allclose(first, again, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_of_equally_good_rotations_the_choice_does_not_depend_on_the_order_of_rows(seed):
    """All singular values are equal, and a rotation must turn one axis round: any would do."""
    x = np.vstack([np.eye(4), -np.eye(4)])
    flip = np.diag([1.0, 1, 1, -1])
    order = default_rng(seed).permutation(8)
    first = ProcrustesAligner(allow_reflection=False).fit(x, x @ flip)
    again = ProcrustesAligner(allow_reflection=False).fit(x[order], (x @ flip)[order])
    assert_allclose(again.rotation_, first.rotation_, atol=1e-12)
    assert_allclose(np.linalg.det(first.rotation_), 1, rtol=1e-12)
