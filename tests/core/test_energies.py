"""Energies and losses over all pairs: double loops, published values, gradients, the edges of the sphere."""

import itertools
import math
import threading
from functools import partial

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from scipy.special import hyp0f1, logsumexp

from skgeom._core import _threads, _two_clouds
from skgeom._core._rows import DirectedRows, norms, unit
from skgeom._core.pairs import _energies as e
from skgeom._core.pairs import _sphere, _tiles
from skgeom._core.pairs._quantiles import angle_quantiles
from skgeom._core.pairs._sphere import Sphere, angle, chords_of, mean_gaussian
from skgeom._core.sums import _angular

torch = pytest.importorskip("torch")

KERNELS = {
    "gaussian": (partial(e.gaussian, 1.3, 0.0), lambda d, a: math.exp(-1.3 * d**2)),
    "geodesic gaussian": (partial(e.geodesic_gaussian, 1.3), lambda d, a: math.exp(-1.3 * a**2)),
    "laplace": (partial(e.laplace, 1.3), lambda d, a: math.exp(-1.3 * d)),
    "geodesic laplace": (partial(e.geodesic_laplace, 1.3), lambda d, a: math.exp(-1.3 * a)),
    "riesz 2.5": (partial(e.riesz, 2.5), lambda d, a: d**-2.5),
    "riesz 0": (partial(e.riesz, 0.0), lambda d, a: -math.log(d)),
    "riesz -1": (partial(e.riesz, -1.0), lambda d, a: -d),
    "geodesic riesz 1": (partial(e.geodesic_riesz, 1.0), lambda d, a: 1 / a),
    "geodesic riesz 0": (partial(e.geodesic_riesz, 0.0), lambda d, a: -math.log(a)),
    "geodesic riesz -2": (partial(e.geodesic_riesz, -2.0), lambda d, a: -(a**2)),
}
every_kernel = pytest.mark.parametrize("name", KERNELS)


def _spherical_variance(rows):
    return _angular.spherical_variance(_angular.unit_mean(rows))


def rows_of(x):
    return DirectedRows(x, norms(x))


def losses(y):
    """Return every differentiable reduction of rows, as a function of x; y is a second cloud."""
    of_x = {name: partial(e.mean_energy, kernel=kernel) for name, (kernel, _) in KERNELS.items()}
    of_x |= {"uniformity 2": partial(e.uniformity, t=2.0), "uniformity 100": partial(e.uniformity, t=100.0)}
    of_x |= {
        "mmd": partial(e.mmd_uniform, gamma=1.5),
        "spherical variance": lambda rows: _angular.spherical_variance(_angular.unit_mean(rows)),
    }
    of_nearest = {"min angle": e.min_angle, "mma": e.mma, "mmcs": e.mmcs, "koleo": e.koleo}

    def like(x):
        return torch.tensor(y, dtype=x.dtype) if isinstance(x, torch.Tensor) else y

    return {
        **{name: lambda x, f=f: f(rows_of(x)) for name, f in of_x.items()},
        **{name: lambda x, f=f: f(e.nearest_in_angle(rows_of(x))) for name, f in of_nearest.items()},
        "alignment 2": lambda x: _two_clouds.alignment(rows_of(x), rows_of(like(x)), 2.0),
        "alignment 1": lambda x: _two_clouds.alignment(rows_of(x), rows_of(like(x)), 1.0),
        "nt-xent, first": lambda x: e.nt_xent(3 * x, like(x)),
        "nt-xent, second": lambda x: e.nt_xent(30 * like(x), x),
    }


NAMES = list(losses(np.ones((2, 2))))


def naive(x, k):
    """Return the mean of k(chord, angle) over pairs, by definition."""
    u = unit(x.astype(np.float64))
    values = []
    for i, j in itertools.combinations(range(len(u)), 2):
        chord, other = np.linalg.norm(u[i] - u[j]), np.linalg.norm(u[i] + u[j])
        values.append(k(chord, 2 * math.atan2(chord, other)))
    return np.mean(values)


def naive_nt_xent(logits):
    own = np.diag(logits)
    return np.mean(logsumexp(logits, axis=1) + logsumexp(logits, axis=0) - 2 * own) / 2


def icosahedron():
    golden = (1 + 5**0.5) / 2
    corners = np.array([(0, a, b * golden) for a in (1, -1) for b in (1, -1)])
    return np.vstack([corners, corners[:, [1, 2, 0]], corners[:, [2, 0, 1]]])


@pytest.fixture(params=[1, 7, 64])
def tile_rows(request, monkeypatch):
    """Tiles of so few rows that a small cloud has many."""
    monkeypatch.setattr(_tiles, "_TILE_ROWS", dict.fromkeys((True, False), request.param))


# Values


@every_kernel
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-6), ("float64", 1e-13)])
def test_energies_are_means_over_pairs(name, dtype, rtol):
    kernel, k = KERNELS[name]
    x = default_rng(0).normal(size=(60, 5)).astype(dtype)
    assert_allclose(e.mean_energy(rows_of(x), kernel), naive(x, k), rtol=rtol)


@every_kernel
def test_energies_do_not_depend_on_the_tiles(name, tile_rows):
    kernel, k = KERNELS[name]
    x = default_rng(0).normal(size=(60, 5))
    assert_allclose(e.mean_energy(rows_of(x), kernel), naive(x, k), rtol=1e-13)


def test_the_icosahedron_has_its_published_energies():
    rows = rows_of(icosahedron())
    nearest = e.nearest_in_angle(rows)
    thomson = 66 * e.mean_energy(rows, partial(e.riesz, 1.0))
    assert_allclose(thomson, 49.16525305762881, rtol=1e-12)
    assert_allclose(e.mma(nearest), -1.1071487177940904, rtol=1e-12)
    assert_allclose(e.min_angle(nearest), math.atan(2), rtol=1e-12)
    assert_allclose(e.mmcs(nearest), 5**-0.5, rtol=1e-12)
    assert_allclose(e.koleo(nearest), -0.050181789921618467, rtol=1e-12)
    assert_allclose(e.mean_energy(rows, partial(e.laplace, 1.0)), 0.25406335774062916, rtol=1e-12)
    assert_allclose(e.mean_energy(rows, partial(e.geodesic_riesz, 1.0)), 0.6629171844958448, rtol=1e-12)
    assert_allclose(_spherical_variance(rows), 1.0, atol=1e-15)


def wang_isola_pair():
    rng = default_rng(6)
    a = rng.normal(size=(60, 6)) + 0.8
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    return unit(a), unit(0.7 * a @ rotation + 0.3 * rng.normal(size=(60, 6)))


def test_uniformity_and_the_contrastive_loss_are_their_references():
    a, b = wang_isola_pair()
    assert_allclose(e.uniformity(rows_of(a), 2.0), -1.8085220747889392, rtol=1e-12)
    assert_allclose(e.nt_xent(a / 0.07, b), 12.473799571540555, rtol=1e-12)


def test_the_contrastive_loss_of_real_pairs_is_its_reference(data_folder):
    image, text = unit(np.load(data_folder / "modality_gap_pairs.npz")["clip"].reshape(1000, -1).astype(float)).reshape(
        2, 500, -1
    )
    assert_allclose(e.nt_xent(image / 0.01, text), 1.8008859999150946, rtol=1e-9)


@pytest.mark.parametrize(("gamma", "d"), [(0.0, 3), (0.3, 1), (1.0, 16), (1.5, 2), (20.0, 3), (60.0, 128)])
def test_the_mean_kernel_of_the_uniform_law_is_a_hypergeometric_function(gamma, d):
    assert_allclose(mean_gaussian(gamma, d), math.exp(-2 * gamma) * hyp0f1(d / 2, gamma**2), rtol=1e-12)


def test_the_mean_kernel_of_the_uniform_law_is_its_reference():
    assert_allclose(mean_gaussian(1.0, 16) * math.exp(2.0), 1.1321812756867662, rtol=1e-13)
    assert 0 < mean_gaussian(1e4, 128) < mean_gaussian(1e3, 128) < 1e-50


def test_the_discrepancy_of_uniform_rows_has_its_expectation():
    rng = default_rng(0)
    found = [e.mmd_uniform(rows_of(rng.normal(size=(50, 4))), 1.0) for _ in range(200)]
    assert_allclose(np.mean(found), (1 - mean_gaussian(1.0, 4)) / 50, rtol=0.1)


def test_uniformity_of_sharp_potentials_is_taken_in_logarithms():
    x = default_rng(0).normal(size=(30, 8))
    u = unit(x)
    squares = np.array([np.sum((u[i] - u[j]) ** 2) for i, j in itertools.combinations(range(30), 2)])
    for t in (2.0, 100.0, 1e5, 1e30):
        expected = logsumexp(-t * squares) - math.log(squares.size)
        assert_allclose(e.uniformity(rows_of(x), t), expected, rtol=1e-12)
        assert_allclose(e.uniformity(rows_of(x.astype("float32")), t), expected, rtol=2e-6)


def test_no_pair_overflows_that_rounding_puts_below_the_nearest():
    for seed in range(20):
        x = default_rng(seed).normal(size=(30, 8)).astype("float32")
        cosines = unit(x.astype(float)) @ unit(x.astype(float)).T - 2 * np.eye(30)
        with np.errstate(over="raise"):
            assert_allclose(e.uniformity(rows_of(x), 1e30), -2e30 * (1 - np.max(cosines)), rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 50.0, 3000.0])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_the_contrastive_loss_never_overflows(scale, dtype, rtol):
    rng = default_rng(0)
    a, b = (
        (scale * rng.normal(size=(40, 3)) * np.geomspace(1e-3, 1, 40)[:, None]).astype(dtype),
        rng.normal(size=(40, 3)),
    )
    b = b.astype(dtype)
    assert_allclose(e.nt_xent(a, b), naive_nt_xent(a.astype(float) @ b.astype(float).T), rtol=rtol)


def test_the_contrastive_loss_does_not_depend_on_the_tiles(tile_rows):
    rng = default_rng(0)
    a, b = 3 * rng.normal(size=(2, 50, 4))
    assert_allclose(e.nt_xent(a, b), naive_nt_xent(a @ b.T), rtol=1e-13)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing_but_rounding(threads, monkeypatch):
    y, x = default_rng(0).normal(size=(2, 80, 5))
    expected = {name: float(f(x)) for name, f in losses(y).items()}
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 16})
    monkeypatch.setattr(_threads, "_blas_threads", lambda: threads)
    for name, f in losses(y).items():
        assert_allclose(f(x), expected[name], rtol=1e-12, err_msg=name)


# Where chords vanish


def twins(dtype, gap):
    """Return pairs of rows at a given angle to each other, the pairs far apart."""
    angles = np.arange(6)[:, None] + np.array([0, gap])
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(12, 2).astype(dtype)


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-6])
def test_small_angles_keep_their_digits_in_float64(gap):
    nearest = e.nearest_in_angle(rows_of(twins("float64", gap)))
    assert_allclose(angle(nearest.chords), gap, rtol=1e-9)
    energy = e.mean_energy(rows_of(twins("float64", gap)), partial(e.riesz, 1.0))
    assert_allclose(energy, naive(twins("float64", gap), lambda d, a: 1 / d), rtol=1e-8)


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-5])
def test_small_angles_of_float32_rows_are_those_of_the_rows_as_given(gap):
    x = twins("float32", gap)
    assert_allclose(e.mean_energy(rows_of(x), partial(e.riesz, 1.0)), naive(x, lambda d, a: 1 / d), rtol=1e-6)
    assert_allclose(
        e.koleo(e.nearest_in_angle(rows_of(x))), e.koleo(e.nearest_in_angle(rows_of(x.astype(float)))), rtol=1e-9
    )


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 0.0])
def test_angles_near_half_a_turn_keep_their_digits(gap):
    u = np.array([[1.0, 0.0]])
    v = np.array([[-math.cos(gap), math.sin(gap)]])
    assert_allclose(math.pi - angle(chords_of(u, v)), gap, rtol=1e-9, atol=1e-15)
    ((_, tile),) = Sphere(rows_of(np.vstack([u, v]))).row(0, range(1))
    assert_allclose(2 * math.atan2(tile.minus[0, 1] ** 0.5, tile.plus[0, 1] ** 0.5), math.pi - gap, rtol=1e-15)


def test_equal_directions_of_different_lengths_touch():
    x = default_rng(0).normal(size=(1, 7)) * np.array([[1.0], [3.0], [0.7], [1e-3]])
    nearest = e.nearest_in_angle(rows_of(x))
    assert np.all(nearest.chords.minus == 0)
    assert e.mma(nearest) == 0
    assert e.koleo(nearest) == math.inf
    assert e.mean_energy(rows_of(x), partial(e.riesz, 1.0)) == math.inf
    assert e.mean_energy(rows_of(x), partial(e.laplace, 1.0)) == 1


# Gradients


def central_differences(f, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            gradient[index] += sign * float(f(moved)) / (2 * step)
    return gradient


def gradient_of(f, x, dtype=torch.float64):
    tensor = torch.tensor(x, dtype=dtype, requires_grad=True)
    f(tensor).backward()
    return tensor.grad.numpy()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_differences(name, tile_rows):
    y, x = default_rng(0).normal(size=(2, 9, 3))
    f = losses(y)[name]
    assert_allclose(gradient_of(f, x), central_differences(f, x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_float32_gradients_are_those_of_float64(name):
    y, x = default_rng(0).normal(size=(2, 40, 6))
    f = losses(y)[name]
    expected = gradient_of(f, x)
    assert_allclose(gradient_of(f, x, torch.float32), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["twins", "antipodes", "all equal"])
def test_gradients_are_finite_where_rows_touch_or_are_opposite(name, kind):
    y, x = default_rng(0).normal(size=(2, 10, 4))
    x = {"twins": np.vstack([x[:5]] * 2), "antipodes": np.vstack([x[:5], -x[:5]]), "all equal": x[:1] + 0 * x}[kind]
    for dtype in (torch.float32, torch.float64):
        assert np.isfinite(gradient_of(losses(y)[name], x, dtype)).all()


@pytest.mark.parametrize(
    "name", ["laplace", "geodesic laplace", "riesz 0", "geodesic riesz 0", "riesz -1", "mma", "koleo"]
)
@pytest.mark.parametrize("gap", [1e-2, 1e-4])
def test_repulsion_does_not_fade_where_rows_nearly_touch(name, gap):
    """The reference code of the dispersion paper has a chord that never vanishes, and a gradient that does."""
    x = np.array([[1.0, 0.0, 0.0], [math.cos(gap), math.sin(gap), 0.0]])
    gradient = gradient_of(losses(x)[name], x)
    assert gradient[0, 1] > 0.5 > -0.5 > gradient[1, 1]


def test_a_coincident_pair_has_no_direction_and_no_gradient():
    x = np.array([[1.0, 0.0], [1.0, 0.0]])
    for name in ("laplace", "riesz 0", "geodesic riesz 1", "mma", "koleo"):
        assert_allclose(gradient_of(losses(x)[name], x), 0, atol=1e-12)


def test_the_temperature_learns_too():
    y, x = default_rng(0).normal(size=(2, 20, 4))
    log_scale = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    e.nt_xent(torch.tensor(x) * log_scale.exp(), torch.tensor(y)).backward()
    numeric = (naive_nt_xent(x @ y.T * math.exp(1 + 1e-6)) - naive_nt_xent(x @ y.T * math.exp(1 - 1e-6))) / 2e-6
    assert_allclose(log_scale.grad.item(), numeric, rtol=1e-6)


def test_second_derivatives_are_refused():
    x = torch.tensor(default_rng(0).normal(size=(6, 3)), requires_grad=True)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(losses(x.detach().numpy())["gaussian"](x), x, create_graph=True)


def test_no_gradient_is_computed_where_none_is_recorded(monkeypatch):
    x = torch.tensor(default_rng(0).normal(size=(6, 3)), requires_grad=True)
    with torch.no_grad():
        assert not losses(x.numpy())["gaussian"](x).requires_grad
    assert not losses(x.detach().numpy())["nt-xent, first"](x.detach()).requires_grad


# Quantiles


QUANTILES = np.array([0.0, 0.1, 0.25, 0.5, 0.77, 0.999, 1.0])


def quantile_clouds():
    rng = default_rng(0)
    axes = np.eye(5)[np.arange(24) % 5] * np.where(np.arange(24) % 2, 1, -1)[:, None]
    tight = rng.normal(size=(1, 5)) + 1e-5 * rng.normal(size=(24, 5))
    tight[::2] *= -1
    return {
        "two rows": rng.normal(size=(2, 5)),
        "gaussian": rng.normal(size=(40, 5)),
        "ties": axes,
        "opposite bundles": tight,
        "one direction": np.ones((30, 4)),
    }


@pytest.mark.parametrize("kind", quantile_clouds())
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("most", [1 << 23, 3])
def test_quantiles_of_angles_are_those_of_all_pairs(kind, dtype, atol, most, monkeypatch, tile_rows):
    monkeypatch.setattr("skgeom._core.pairs._quantiles._MOST_COLLECTED", most)
    x = quantile_clouds()[kind].astype(dtype)
    angles = []
    naive(x, lambda chord, theta: angles.append(theta) or 0)
    assert_allclose(angle_quantiles(rows_of(x), QUANTILES), np.quantile(angles, QUANTILES), atol=atol)


# The engine


def test_an_interrupt_stops_an_energy_and_leaves_no_threads(monkeypatch):
    before = threading.active_count()
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 20})
    monkeypatch.setattr(_threads, "_blas_threads", lambda: 3)

    def interrupted(chords):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        e.mean_energy(rows_of(default_rng(0).normal(size=(400, 3))), interrupted)
    assert threading.active_count() == before


@pytest.mark.parametrize("gamma", [900, 1001, 1e4, 4e8, 6e8, 1e12, 1e300])
def test_the_uniform_mean_of_a_narrow_kernel_is_the_closed_form_on_a_circle_of_two_points_and_on_the_sphere(gamma):
    """Two points are equal or opposite, and the cosine of two points on the sphere is uniform."""
    assert mean_gaussian(gamma, 1) == pytest.approx(0.5, rel=1e-12)
    assert mean_gaussian(gamma, 3) == pytest.approx(1 / (4 * gamma), rel=1e-12)


@pytest.mark.parametrize(("gamma", "d"), [(1e3 + 1, 10**6), (1e8, 10**9), (6e8, 10**5), (1e12, 10**8)])
def test_the_uniform_mean_of_a_narrow_kernel_vanishes_in_wide_spaces_at_once(gamma, d):
    assert mean_gaussian(gamma, d) == 0


@pytest.mark.parametrize("d", [2, 8, 64, 384, 4096])
def test_both_forms_of_the_uniform_mean_agree(d, monkeypatch):
    closed = mean_gaussian(1500, d)
    monkeypatch.setattr(_sphere, "_MOST_GAMMA", math.inf)
    assert closed == pytest.approx(mean_gaussian(1500, d), rel=1e-11)
