"""SIGReg over all slices: quadrature on slices, double loops, the sketch of its source, its mean."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import hyp1f1

from skgeom.metrics import make_embedding_scorer, sigreg


def epps_pulley(projected, sigma=1.0):
    """Return the distance of the characteristic functions on one line, by quadrature."""

    def integrand(t):
        squares = abs(np.mean(np.exp(1j * t * projected)) - math.exp(-t * t / 2)) ** 2
        return squares * math.exp(-t * t / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))

    return 2 * quad(integrand, 0, 12 * sigma, epsabs=1e-12, limit=200)[0]


def double_loop(X, sigma=1.0, debiased=False):
    n, d = X.shape
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j or not debiased]
    first = np.mean([hyp1f1(0.5, d / 2, -(sigma**2) / 2 * np.sum((X[i] - X[j]) ** 2)) for i, j in pairs])
    second = np.mean([hyp1f1(0.5, d / 2, -(sigma**2) / (2 * (1 + sigma**2)) * (x @ x)) for x in X])
    return first - 2 / math.sqrt(1 + sigma**2) * second + 1 / math.sqrt(1 + 2 * sigma**2)


def circle(n_slices=64):
    """Return directions of which the mean over the circle is that of all, to rounding."""
    angles = np.pi * np.arange(n_slices) / n_slices
    return np.stack([np.cos(angles), np.sin(angles)])


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_on_a_line_it_is_the_integral(sigma):
    X = np.random.default_rng(81).normal(size=(30, 1)) * 1.3 + 0.2
    assert sigreg(X, sigma=sigma) == pytest.approx(epps_pulley(X[:, 0], sigma), rel=1e-8)


def test_in_the_plane_it_is_the_mean_over_the_slices_of_the_circle():
    X = np.random.default_rng(82).normal(size=(25, 2)) * [1.5, 0.6]
    assert sigreg(X) == pytest.approx(np.mean([epps_pulley(line) for line in (X @ circle()).T]), rel=1e-8)


@pytest.mark.parametrize(
    ("seed", "shape", "scale", "shift", "expected"),
    [
        (81, (30, 1), 1.3, 0.2, 0.05588305592218825),  # by quadrature
        (82, (25, 2), np.array([1.5, 0.6]), 0.0, 0.03457519280010342),  # by quadrature on 64 slices
        (84, (20, 16), 1.0, 0.0, 0.017711214237227893),  # in 30 digits
        (85, (20, 64), 0.8, 0.0, 0.025311872354961112),  # in 30 digits
    ],
)
def test_values_of_independent_code(seed, shape, scale, shift, expected):
    X = np.random.default_rng(seed).normal(size=shape) * scale + shift
    assert sigreg(X) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("d", [1, 5, 200])
def test_it_is_the_double_loop(d, debiased):
    X = np.random.default_rng(d).normal(size=(15, d)) * 0.7 + 0.3
    expected = double_loop(X, 1.7, debiased)
    assert sigreg(X, sigma=1.7, debiased=debiased) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_rows_far_from_the_origin_keep_their_distances_over_many_tiles():
    X = np.random.default_rng(0).normal(size=(900, 6)) + 1e3
    with_float32 = sigreg(X.astype(np.float32))
    squares = np.sum((X[:, None] - X[None]) ** 2, axis=-1)
    near = np.mean(hyp1f1(0.5, 3, -squares / 2))
    own = np.mean(hyp1f1(0.5, 3, -np.sum(X**2, axis=1) / 4))
    expected = near - math.sqrt(2) * own + 1 / math.sqrt(3)
    assert sigreg(X) == pytest.approx(expected, rel=1e-11)
    assert with_float32 == pytest.approx(expected, abs=3e-5)  # the rounding of the rows themselves


def test_float32_rows_are_good_to_1e_6():
    X = np.random.default_rng(0).normal(size=(600, 64)).astype(np.float32)
    assert sigreg(X) == pytest.approx(sigreg(X.astype(np.float64)), abs=1e-6)


def test_the_sketch_of_the_source_has_this_mean():
    """17 frequencies from -5 to 5, the trapezoidal rule, times the number of rows."""
    X = np.random.default_rng(3).normal(size=(40, 2)) * [1.2, 0.4] + 0.5
    t = np.linspace(-5, 5, 17)
    target = np.exp(-(t**2) / 2)
    empirical = np.exp(1j * (X @ circle())[:, :, None] * t).mean(axis=0)
    sketched = 40 * np.trapezoid(np.abs(empirical - target) ** 2 * target, t, axis=1).mean()
    assert math.sqrt(2 * math.pi) * 40 * sigreg(X) == pytest.approx(sketched, rel=1e-4)


def test_normal_rows_have_the_stated_mean_and_the_unbiased_form_none():
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(20, 3)) for _ in range(800)]
    plain, debiased = (np.array([sigreg(X, debiased=b) for X in clouds]) for b in (False, True))
    assert abs(plain.mean() - (1 - 1 / math.sqrt(3)) / 20) < 4 * plain.std() / math.sqrt(800)
    assert abs(debiased.mean()) < 4 * debiased.std() / math.sqrt(800)


def test_the_unbiased_form_has_no_bias_for_other_distributions_either():
    """Rows of two points: all samples of three are counted with their probability."""
    places = np.array([[0.0, 1.0], [2.0, -1.0]])
    samples = [places[list(map(int, f"{code:03b}"))] for code in range(8)]
    mean = np.mean([sigreg(X, debiased=True) for X in samples])
    assert mean == pytest.approx(sigreg(places), abs=1e-12)  # that of the distribution itself


def test_bounds_are_reached():
    far = np.full((5, 3), 1e150)
    assert sigreg(far, sigma=2.0) == pytest.approx(1 + 1 / 3, rel=1e-12)
    assert sigreg(np.zeros((5, 3))) == pytest.approx(1 - math.sqrt(2) + 1 / math.sqrt(3), rel=1e-12)
    assert sigreg(np.zeros((5, 3)), sigma=1e-5) == pytest.approx(0, abs=1e-12)


def test_the_gradient_is_that_of_the_double_loop():
    torch = pytest.importorskip("torch")
    X = np.random.default_rng(0).normal(size=(8, 5)) * 1.5 + 0.4
    for debiased in (False, True):
        rows = torch.tensor(X, requires_grad=True)
        sigreg(rows, sigma=1.3, debiased=debiased).backward()
        step = 1e-4 * np.eye(40).reshape(40, 8, 5)
        change = [double_loop(X + h, 1.3, debiased) - double_loop(X - h, 1.3, debiased) for h in step]
        assert_allclose(rows.grad.numpy().ravel(), np.array(change) / 2e-4, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-50, 1e-100, 1e-200])
def test_the_gradient_of_minute_rows_is_in_proportion_to_them(scale):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(20, 4))

    def gradient(factor):
        rows = torch.tensor(x * factor, requires_grad=True)
        sigreg(rows).backward()
        return rows.grad.numpy() / factor

    assert_allclose(gradient(scale), gradient(1e-20), rtol=1e-9)


def test_descent_makes_rows_normal():
    torch = pytest.importorskip("torch")
    rows = torch.tensor(np.random.default_rng(0).normal(size=(40, 4)) * [3, 1, 0.2, 1] + 2, requires_grad=True)
    optimizer = torch.optim.Adam([rows], lr=0.1)
    for _ in range(600):
        optimizer.zero_grad()
        sigreg(rows).backward()
        optimizer.step()
    X = rows.detach().numpy()
    assert_allclose(X.mean(axis=0), 0, atol=0.05)
    assert_allclose(np.cov(X.T), np.eye(4), atol=0.2)


def test_it_is_a_scorer_with_its_options():
    from skgeom.preprocessing import Whitening

    X = np.random.default_rng(0).normal(size=(50, 3)) * [3, 1, 1] + 1
    score = make_embedding_scorer("sigreg", debiased=True)
    assert score(Whitening().fit(X), X) == sigreg(Whitening().fit_transform(X), debiased=True)


def test_bad_options_are_refused():
    X = np.random.default_rng(0).normal(size=(9, 3))
    for sigma in (0, -1.0, math.inf):
        with pytest.raises(ValueError, match="sigma must be"):
            sigreg(X, sigma=sigma)
    with pytest.raises(TypeError, match="debiased must be True or False"):
        sigreg(X, debiased=1)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        sigreg(X[:1])
