"""Measures as losses: gradients, loops, generators of random numbers, and what the reference code gets wrong."""

import math

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

import skgeom.metrics as metrics
from skgeom._core._labels import labels_of
from skgeom._core._rows import norms
from skgeom.metrics._measure import MEASURES

torch = pytest.importorskip("torch")
LOSSES = {name: row for name, row in MEASURES.items() if row.differentiable and row.direction}
OF_CLASSES = [name for name, row in LOSSES.items() if row.needs == "labels"]
OF_BATCHES = ["silhouette_objective", "classifier_objective", "triplet_objective", "triplet_bound"]
RANDOM = [name for name, row in LOSSES.items() if row.is_random]

every_loss = pytest.mark.parametrize("name", LOSSES)


def rows(seed=0, shape=(30, 4), dtype=torch.float64):
    return torch.tensor(default_rng(seed).normal(size=shape), dtype=dtype)


def rows_beside(x, seed):
    """Return rows of the shape, precision and device of others."""
    return rows(seed, x.shape, x.dtype).to(x.device)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def loss(name):
    """Return a row of the table as a function of X alone; random ones draw the same at each call."""
    row = LOSSES[name]

    def value(x):
        y = rows_beside(x, 1)
        given = row.besides(labels=np.arange(x.shape[0]) % 3, partners=y, start=y)
        return row(x, *given, **({"random_state": seeded()} if row.is_random else {}))

    return value


def gradient_of(f, x):
    x = x.clone().requires_grad_()
    f(x).backward()
    return x.grad


# Gradients


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_are_scalars_in_float64_with_finite_gradients(name, dtype):
    x = rows(dtype=dtype).requires_grad_()
    value = loss(name)(x)
    assert value.shape == ()
    assert value.dtype == torch.float64
    value.backward()
    assert x.grad.dtype == dtype
    assert torch.isfinite(x.grad).all()
    assert (x.grad != 0).any()


@every_loss
def test_a_small_step_in_the_direction_of_the_table_is_better(name):
    x, direction = rows(), LOSSES[name].direction
    gradient = gradient_of(loss(name), x)
    moved = x + direction * 1e-4 * gradient / gradient.norm()
    assert direction * (loss(name)(moved) - loss(name)(x)) > 0


@every_loss
def test_float32_and_halves_agree_with_float64(name):
    x = rows().to(torch.float16)
    expected = loss(name)(x.double()).item()
    assert_allclose(loss(name)(x.float()).item(), expected, rtol=1e-4)
    if LOSSES[name].needs in ("cloud", "labels"):
        assert_allclose(loss(name)(x).item(), expected, rtol=1e-4)


@every_loss
def test_losses_work_in_a_loop_of_ones_own(name):
    x, direction = rows(shape=(20, 3)).requires_grad_(), LOSSES[name].direction
    optimizer = torch.optim.SGD([x], lr=1e-4)
    start = loss(name)(x).item()
    for _ in range(5):
        optimizer.zero_grad()
        (-direction * loss(name)(x)).backward()
        optimizer.step()
    assert direction * (loss(name)(x).item() - start) > 0


@every_loss
@pytest.mark.parametrize("kind", ["twins", "antipodes", "whole antipodes", "all equal", "two rows"])
def test_gradients_are_finite_on_degenerate_clouds(name, kind):
    x = rows(shape=(6, 4))
    x = {
        "twins": torch.cat([x, x]),
        "antipodes": torch.cat([x, -x]),
        "whole antipodes": torch.cat([(3 * x).round(), -(3 * x).round()]),  # their mean is 0 without rounding
        "all equal": 0 * x + x[0],
        "two rows": x[:2],
    }[kind]
    if kind == "two rows" and name in set(OF_CLASSES) - set(OF_BATCHES):
        with pytest.raises(ValueError, match="Number of labels is 2"):
            loss(name)(x)
        return
    for dtype in (torch.float32, torch.float64):
        assert torch.isfinite(gradient_of(loss(name), x.to(dtype))).all()


@pytest.mark.parametrize("name", [name for name, row in LOSSES.items() if row.needs in ("partners", "clouds", "start")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_where_two_clouds_are_equal(name, dtype):
    x, y = rows(dtype=dtype).requires_grad_(), rows(dtype=dtype).requires_grad_()
    LOSSES[name](x, y).backward()
    assert torch.isfinite(x.grad).all()
    if name in ("alignment_loss", "modality_gap", "relative_modality_gap", "pair_distance_ratio", "retention"):
        assert_allclose(x.grad, 0, atol=1e-6)  # the smallest value there is
    assert y.grad is None or torch.isfinite(y.grad).all()


def test_lengths_have_the_gradient_0_at_0_and_hide_no_nan():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [math.nan, 1.0], [math.inf, 1.0]], requires_grad=True)
    found = norms(x)
    assert_allclose(found.detach(), [0, 5, math.nan, math.inf])
    assert_allclose(found.detach(), norms(x.detach()))
    found[:2].sum().backward()
    assert_allclose(x.grad[:2], [[0, 0], [0.6, 0.8]])


def test_an_infinite_slope_of_a_spectrum_can_be_a_loss():
    x = torch.outer(torch.arange(1.0, 9.0), torch.ones(4)).requires_grad_()
    value = metrics.spectrum_slope(x)
    value.backward()
    assert value.item() == math.inf
    assert (x.grad == 0).all()


WITHOUT_SCALE = [name for name, row in LOSSES.items() if row.needs == "cloud" and "scaling" in row.invariances]
ANGULAR = [name for name, row in LOSSES.items() if "row scaling" in row.invariances]


@pytest.mark.parametrize("name", sorted({*WITHOUT_SCALE, *ANGULAR}))
@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_without_scale_have_none(name, scale, dtype):
    x = rows(dtype=dtype)
    assert_allclose(loss(name)(x * scale).item(), loss(name)(x).item(), rtol=1e-5)
    assert_allclose(
        gradient_of(loss(name), x.double() * scale) * scale, gradient_of(loss(name), x.double()), rtol=1e-5, atol=1e-9
    )


# What they are


def test_isotropy_is_the_root_of_the_share_of_effective_dimensions():
    x = rows()
    assert_allclose(metrics.isotropy_objective(x).item(), (metrics.participation_ratio(x) / 4) ** 0.5, rtol=1e-12)


def test_the_reference_of_the_contrastive_loss():
    rng = default_rng(6)
    unit = lambda m: m / np.linalg.norm(m, axis=1, keepdims=True)
    a = rng.normal(size=(60, 6)) + 0.8
    b = 0.7 * a @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 0.3 * rng.normal(size=(60, 6))
    found = metrics.clip_loss(torch.tensor(unit(a)), torch.tensor(unit(b)), temperature=0.07)
    assert_allclose(found.item(), 12.473799571540555, rtol=1e-12)


def test_clouds_of_two_precisions_meet():
    x, y = rows(dtype=torch.float32), rows(1)
    for name in ("clip_loss", "alignment_loss", "paired_cosine", "retention"):
        assert_allclose(LOSSES[name].function(x, y).item(), LOSSES[name].function(x.double(), y).item(), rtol=1e-5)


# Labels


def test_labels_may_be_anything_one_can_sort():
    x, y = rows(), np.arange(30) % 3
    expected = metrics.silhouette_objective(x, y).item()
    for labels in (y.tolist(), torch.tensor(y), np.array(["a", "b", "c"])[y], labels_of(y)):
        assert metrics.silhouette_objective(x, labels).item() == expected


@pytest.mark.parametrize("name", OF_BATCHES)
@pytest.mark.parametrize("labels", [np.zeros(30), np.arange(30)])
def test_a_batch_may_hold_one_class_or_one_row_of_each(name, labels):
    assert torch.isfinite(LOSSES[name].function(rows(), labels))


def test_the_directions_of_classes_follow_their_sorted_order():
    x, c = rows(), rows(3, (3, 4)).requires_grad_()
    labels = np.array(["c", "a", "b"])[np.arange(30) % 3]
    found = metrics.classifier_objective(x, labels, C=c)
    own = sum(x[i] @ c["abc".index(label)] for i, label in enumerate(labels))
    assert_allclose(found.item(), (2 * own - x.sum(0) @ c.sum(0)).item(), rtol=1e-12)
    found.backward()
    assert torch.isfinite(c.grad).all()


# Randomness


@pytest.mark.parametrize("name", RANDOM)
def test_random_losses_draw_from_their_generator_only(name):
    x, state = rows(), torch.get_rng_state()
    f, generator = LOSSES[name].function, seeded(3)
    values = [f(x, random_state=generator).item() for _ in range(5)]  # some of them in the plane of the same two axes
    assert np.ptp(values) > 1e-3 * values[0]
    assert f(x, random_state=seeded(3)).item() == values[0]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", RANDOM)
def test_precision_changes_no_draw(name):
    x, f = rows(dtype=torch.float32), LOSSES[name].function
    assert_allclose(f(x, random_state=seeded()).item(), f(x.double(), random_state=seeded()).item(), rtol=1e-5)


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_draws_the_same_for_every_library_and_a_generator_goes_on(name):
    x, f = rows(), LOSSES[name]
    assert f(x.numpy(), random_state=5) == pytest.approx(f(x, random_state=5).item(), rel=1e-12)
    for new in (lambda: np.random.default_rng(2), lambda: np.random.RandomState(2), lambda: seeded(2)):
        generator = new()
        values = [f(x.numpy(), random_state=generator) for _ in range(5)]
        assert np.ptp(values) > 0
        assert f(x.numpy(), random_state=new()) == values[0]


def test_samples_average_to_the_same_number():
    x = rows(shape=(50, 3))
    one = np.mean([metrics.sliced_dispersion(x, random_state=seeded(k)).item() for k in range(100)])
    assert_allclose(metrics.sliced_dispersion(x, random_state=seeded(1000), n_circles=100).item(), one, rtol=0.2)
    few = np.mean([metrics.lloyd(x, random_state=seeded(k), n_points=10).item() for k in range(100)])
    assert_allclose(metrics.lloyd(x, random_state=seeded(1000), n_points=1000).item(), few, rtol=0.2)


def in_the_square(m, generator):
    assert isinstance(generator, np.random.Generator)
    return generator.random((m, 2))


def test_a_sampler_draws_the_same_points_for_every_library():
    x = rows(shape=(9, 2))
    expected = metrics.lloyd(x.numpy(), sampler=in_the_square, random_state=5)
    assert metrics.lloyd(x, sampler=in_the_square, random_state=5).item() == pytest.approx(expected, rel=1e-12)
    tensors = lambda m, generator: torch.from_numpy(generator.random((m, 2)))
    assert metrics.lloyd(x.numpy(), sampler=tensors, random_state=5) == expected
    for new in (lambda: np.random.default_rng(2), lambda: np.random.RandomState(2), lambda: seeded(2)):
        generator = new()
        values = [metrics.lloyd(x, sampler=in_the_square, random_state=generator).item() for _ in range(3)]
        assert np.ptp(values) > 0
        assert metrics.lloyd(x, sampler=in_the_square, random_state=new()).item() == values[0]


def test_the_error_of_a_grid_in_the_square_is_known():
    """A cell of side 1/8 has a mean squared distance of 1/384 to its centre."""
    ticks = (np.arange(8) + 0.5) / 8
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(64, 2)
    found = metrics.lloyd(grid, sampler=in_the_square, n_points=200_000, random_state=0)
    assert found == pytest.approx(1 / 384, rel=0.01)
    assert metrics.lloyd(0.9 * grid, sampler=in_the_square, n_points=200_000, random_state=0) > found


def test_points_spread_over_the_square_as_well_as_hexagons_would_without_a_border():
    x = torch.tensor(np.random.default_rng(0).random((64, 2)), requires_grad=True)
    optimizer, generator = torch.optim.Adam([x], lr=1e-2), np.random.default_rng(0)
    error = lambda: metrics.lloyd(x.detach().numpy(), sampler=in_the_square, n_points=100_000, random_state=1)
    assert 64 * error() > 0.35
    for _ in range(300):
        optimizer.zero_grad()
        metrics.lloyd(x, sampler=in_the_square, n_points=2048, random_state=generator).backward()
        optimizer.step()
    assert 5 / (18 * math.sqrt(3)) < 64 * error() < 0.175


def test_a_sampler_is_a_function():
    with pytest.raises(TypeError, match="sampler must be a function"):
        metrics.lloyd(np.eye(3), sampler=5)


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (lambda m, generator: np.zeros((m - 1, 2)), r"shape \(511, 2\), expected \(512, 2\)"),
        (lambda m, generator: np.zeros((m, 3)), r"shape \(512, 3\), expected \(512, 2\)"),
        (lambda m, generator: np.full((m, 2), np.nan), "The result of sampler contains NaN"),
        (lambda m, generator: np.zeros(m), "Expected 2D array"),
    ],
)
def test_samplers_that_give_no_points_are_refused(sampler, words):
    with pytest.raises(ValueError, match=words):
        metrics.lloyd(rows(shape=(9, 2)), sampler=sampler)
    with pytest.raises(ValueError, match="whose squares leave the range of float64"):
        metrics.lloyd(1e200 * rows(shape=(9, 2)), sampler=in_the_square)


@pytest.mark.parametrize("name", [*OF_BATCHES, "retention"])
@pytest.mark.parametrize("scale", [1e-170, 1e155, 1e300])
def test_sums_of_squares_beyond_float64_are_refused(name, scale):
    x = (rows().numpy() + 1) * scale
    with pytest.raises(ValueError, match="whose squares leave the range of float64"):
        LOSSES[name](x, *LOSSES[name].besides(labels=np.arange(30) % 3, start=2 * x))


def test_circles_are_uniform_and_axes_come_in_all_pairs():
    """Opposite rows on an axis are opposite in every plane but that of the other two axes, at whose centre they are."""
    axis = torch.eye(3, dtype=torch.float64)[:1] * torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    assert_allclose(metrics.sliced_dispersion(axis, random_state=seeded(), n_circles=100).item(), 0, atol=1e-20)
    seen = {round(metrics.axis_sliced_dispersion(axis, random_state=seeded(k)).item(), 6) for k in range(40)}
    assert seen == {0.0, round(math.pi**2 / 4, 6)}


def test_the_two_sliced_losses_are_one_number():
    x, n = rows(), 30
    sliced = metrics.sliced_dispersion(x, random_state=seeded(), n_circles=50).item()
    wasserstein = metrics.spherical_sliced_wasserstein(x, random_state=seeded(), n_circles=50).item()
    assert_allclose(sliced, n / 2 * (2 * math.pi) ** 2 * (wasserstein - 1 / (12 * n**2)), rtol=1e-11)


@pytest.mark.gpu
@pytest.mark.parametrize("name", LOSSES)
def test_losses_stay_on_the_gpu(name):
    if not torch.cuda.is_available():
        pytest.skip("Torch sees no CUDA device")
    x, on_gpu = rows(), rows().cuda()
    value, expected = loss(name)(on_gpu), loss(name)(x)
    assert value.device == on_gpu.device
    assert_allclose(value.item(), expected.item(), rtol=1e-9)
    gradient = gradient_of(loss(name), x)
    assert_allclose(gradient_of(loss(name), on_gpu).cpu(), gradient, rtol=1e-7, atol=1e-9 * gradient.abs().max())


# What the reference code of the dispersion paper gets wrong


def pair(angle):
    return torch.tensor([[1.0, 0.0], [math.cos(angle), math.sin(angle)]], dtype=torch.float64)


@pytest.mark.parametrize(("name", "size"), [("riesz_energy", 1.414e6), ("laplace_energy", 1.413)])
def test_repulsion_does_not_fade_near_contact(name, size):
    """Chords of 2 - cos in place of 2 - 2 cos leave gradients of 7e-4 and 2.6e-4 here."""
    assert_allclose(gradient_of(loss(name), pair(1e-3)).norm(), size, rtol=1e-3)


def test_the_geodesic_gaussian_kernel_has_a_gradient_at_contact():
    assert_allclose(gradient_of(loss("geodesic_gaussian_energy"), pair(0.0)), 0, atol=1e-12)


def test_the_gaussian_kernel_has_the_sharpness_it_is_given():
    assert_allclose(metrics.kernel_energy(pair(math.pi), gamma=0.7).item(), math.exp(-0.7 * 4), rtol=1e-12)


@pytest.mark.parametrize("name", ["kernel_energy", "laplace_energy", "riesz_energy", "mhe"])
def test_energies_are_means_over_pairs_neither_twice_nor_sums(name):
    triangle = torch.cat([pair(2 * math.pi / 3), pair(4 * math.pi / 3)[1:]])
    assert_allclose(loss(name)(triangle).item(), loss(name)(triangle[:2]).item(), rtol=1e-12)


def test_the_largest_cosine_has_no_offset():
    assert_allclose(metrics.mmcs(pair(math.pi / 3)).item(), 0.5, rtol=1e-12)


def test_duplicates_are_infinitely_bad_for_koleo_with_a_finite_gradient():
    assert metrics.koleo(pair(0.0)).item() == math.inf
    assert torch.isfinite(gradient_of(metrics.koleo, pair(0.0))).all()


def test_angles_are_found_across_blocks_and_below_the_clamp_of_acos():
    x = rows(shape=(900, 8))
    x[850] = x[3] + 1e-7 * rows(1, (1, 8))[0]
    u = x / x.norm(dim=1, keepdim=True)
    nearest = [np.delete((u - row).norm(dim=1).numpy(), i).min() for i, row in enumerate(u)]
    assert_allclose(metrics.mma(x).item(), -np.mean(2 * np.arcsin(np.array(nearest) / 2)), rtol=1e-9)
    assert_allclose(metrics.mma(pair(1e-6)).item(), -1e-6, rtol=1e-9)


# Bad input


@every_loss
def test_what_is_not_finite_is_refused(name):
    x = rows()
    x[3, 1] = math.nan
    with pytest.raises(ValueError, match="contains NaN"):
        loss(name)(x)


@pytest.mark.parametrize("name", ANGULAR)
def test_rows_without_direction_are_refused(name):
    x = rows()
    x[3] = 0
    with pytest.raises(ValueError, match="zero row"):
        loss(name)(x)


@pytest.mark.parametrize("name", OF_CLASSES)
def test_labels_are_one_for_each_row(name):
    f = LOSSES[name].function
    for labels in (np.zeros(29), labels_of(np.arange(29) % 3)):
        with pytest.raises(ValueError, match="30 rows"):
            f(rows(), labels)
    with pytest.raises(ValueError, match="contains NaN"):
        f(rows(), [math.nan] * 30)


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("random_state", ["seed", 1.5, object()])
def test_what_draws_no_numbers_is_refused(name, random_state):
    with pytest.raises(ValueError, match="a generator of NumPy or Torch"):
        LOSSES[name](rows(), random_state=random_state)


def test_bad_options_are_refused():
    x, g = rows(), seeded()
    for call, words in [
        (
            lambda: metrics.classifier_objective(x, np.arange(30) % 3, C=rows(1, (2, 4))),
            "2 rows, but the labels have 3",
        ),
        (lambda: metrics.classifier_objective(x, np.arange(30) % 3, C=rows(1, (3, 5))), "must be in the same space"),
        (lambda: metrics.isoscore_star(x, zeta=1.5), "zeta must be"),
        (lambda: metrics.isoscore_star(x, covariance=rows(1, (4, 4))), "not symmetric"),
        (lambda: metrics.isoscore_star(x, covariance=torch.eye(3)), "expected a square"),
        (lambda: metrics.uniformity(x, t=-1.0), "t must be"),
        (lambda: metrics.clip_loss(x, x, temperature=0.0), "temperature must be"),
        (lambda: metrics.clip_loss(x, x[:9]), "row i of one belongs to row i"),
        (lambda: metrics.retention(x, x[:9]), "row i of one belongs to row i"),
        (lambda: metrics.retention(x, x[:, :2]), "must be in the same space"),
        (lambda: metrics.kernel_energy(x, kernel="cauchy"), "kernel must be one of"),
        (lambda: metrics.riesz_energy(x, distance="arc"), "distance must be one of"),
        (lambda: metrics.lloyd(x, random_state=g, n_points=0), "n_points must be at least 1"),
        (lambda: metrics.sliced_dispersion(x, random_state=g, n_circles=0), "n_circles must be at least 1"),
        (
            lambda: metrics.sliced_dispersion(x[:, :1], random_state=g),
            "number of features of X must be at least 2, got n_features = 1",
        ),
        (
            lambda: metrics.axis_sliced_dispersion(x[:, :1], random_state=g),
            "number of features of X must be at least 2, got n_features = 1",
        ),
    ]:
        with pytest.raises(ValueError, match=words):
            call()


# Extreme parameters


def log_mean_exp(values):
    top = values.max()
    return top + np.log(np.mean(np.exp(values - top)))


def extended_cosines(x, y):
    u, v = (np.longdouble(z) / np.sqrt((np.longdouble(z) ** 2).sum(1))[:, None] for z in (x, y))
    return u @ v.T


@pytest.mark.parametrize("t", [1e-300, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_uniformity_and_energies_have_their_limits_at_any_sharpness(library, t):
    x = np.random.default_rng(0).normal(size=(12, 3))
    squares = 2 - 2 * extended_cosines(x, x)[np.triu_indices(12, 1)]
    expected = [log_mean_exp(-t * squares), np.mean(np.exp(-t * squares)), np.mean(np.exp(-t * np.sqrt(squares)))]
    given = x if library == "numpy" else pytest.importorskip("torch").tensor(x, requires_grad=True)
    found = [
        metrics.uniformity(given, t=t),
        *(metrics.kernel_energy(given, kernel=k, gamma=t) for k in ("gaussian", "laplace")),
    ]
    values = [v if library == "numpy" else v.item() for v in found]
    assert_allclose(values, np.float64(expected), rtol=1e-7, atol=1e-300)
    if library == "torch":
        sum(found).backward()
        assert bool(given.grad.isfinite().all())


@pytest.mark.parametrize("temperature", [1e-30, 1e-6, 1.0, 1e30])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_the_contrastive_loss_has_its_limits_at_any_temperature(library, temperature):
    x, y = np.random.default_rng(0).normal(size=(2, 12, 3))
    logits = extended_cosines(x, y) / np.longdouble(temperature)
    sums = [log_mean_exp(row) + np.log(12) for half in (logits, logits.T) for row in half]
    expected = np.mean(sums) - np.mean(np.diag(logits))
    given = [x, y]
    if library == "torch":
        given = [pytest.importorskip("torch").tensor(z, requires_grad=True) for z in (x, y)]
    found = metrics.clip_loss(*given, temperature=temperature)
    assert (found if library == "numpy" else found.item()) == pytest.approx(float(expected), rel=1e-9)
    if library == "torch":
        found.backward()
        assert all(bool(z.grad.isfinite().all()) for z in given)
