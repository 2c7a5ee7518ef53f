"""The double ellipsoid: every statistic is its definition, and the six verdicts are those of known clouds."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy.special import logsumexp

from skgeom._core.sums._ellipsoid import off_diagonal_dominance, radii
from skgeom._core.sums._moments import moments
from skgeom.datasets import make_double_ellipsoid
from skgeom.metrics import clip_loss, conformity, conformity_divergence
from skgeom.multimodal import divergence_along_offset, double_ellipsoid, loss_along_offset
from skgeom.multimodal._double_ellipsoid import _loss_along_offset

NAMES = [
    "separating features",
    "thin shell",
    "variance profile",
    "off-diagonal dominance",
    "offset ratio",
    "loss along the offset",
]


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def naive_loss(x, y, temperature):
    s = unit(x) @ unit(y).T / temperature
    positive = np.diag(s)
    return np.mean(logsumexp(s, axis=0) - positive + logsumexp(s, axis=1) - positive) / 2


def off_centre_cloud():
    """Return the cloud for which independent code made reference values."""
    rng = np.random.default_rng(7)
    m = rng.normal(size=16)
    return 0.9 * np.sqrt(16) * m / np.linalg.norm(m) + rng.normal(size=(200, 16)) * np.linspace(0.5, 1.4, 16)


def holds(ellipsoids):
    assert [p.name for p in ellipsoids.properties] == NAMES
    return {p.name: p.holds for p in ellipsoids.properties}


@pytest.fixture(scope="module")
def planted():
    return make_double_ellipsoid(random_state=0)


@pytest.fixture(scope="module")
def clip(data_folder):
    return unit(np.load(data_folder / "modality_gap_pairs.npz")["clip"].astype(float))


# Loss along the offset


@pytest.mark.parametrize("alpha", [-0.7, 0.0, 0.4, 1.0])
def test_the_loss_is_that_of_the_shifted_clouds(alpha):
    x, y = np.random.default_rng(0).normal(size=(2, 40, 6)) + 1
    expected = naive_loss(x - alpha * x.mean(0), y - alpha * y.mean(0), 0.1)
    assert loss_along_offset(x, y, alpha, temperature=0.1) == pytest.approx(expected, rel=1e-12)


def test_without_shift_it_is_the_contrastive_loss():
    x, y = np.random.default_rng(0).normal(size=(2, 40, 6)) + 1
    assert loss_along_offset(x, y, 0.0) == pytest.approx(clip_loss(x, y), rel=1e-12)


def test_the_loss_is_averaged_over_whole_batches():
    x, y = np.random.default_rng(0).normal(size=(2, 50, 6))
    expected = np.mean([naive_loss(x[i : i + 20], y[i : i + 20], 0.01) for i in (0, 20)])
    assert loss_along_offset(x, y, 0, batch_size=20) == pytest.approx(expected, rel=1e-12)
    assert loss_along_offset(x, y, 0, batch_size=80) == pytest.approx(loss_along_offset(x, y, 0), rel=1e-15)


def test_losses_have_the_shape_of_alphas():
    x, y = np.random.default_rng(0).normal(size=(2, 50, 6))
    assert loss_along_offset(x, y, [0, 0.5]).shape == (2,)
    assert loss_along_offset(x, y, 0.5).shape == ()


def test_the_loss_of_the_clip_pairs_has_the_reference_values(clip):
    alphas = [-1, -0.1, -0.06, -0.03, 0, 0.1, 1]
    losses = loss_along_offset(*clip, alphas)
    assert losses[4] == pytest.approx(1.8008859999150946, rel=1e-9)
    np.testing.assert_allclose(losses, [2.697, 1.8069, losses[2], 1.8001, 1.8009, 1.8201, 2.974], atol=5e-4)
    assert losses.argmin() == 3


@pytest.mark.parametrize("batch_size", [128, 500, 2000])
def test_the_loss_of_the_planted_clouds_is_least_at_their_offset(planted, batch_size):
    alphas = np.array([-0.1, 0.0, 0.1])
    assert alphas[loss_along_offset(*planted, alphas, batch_size=batch_size).argmin()] == 0


@pytest.mark.parametrize("factor", [1e-60, 1e-30, 1e30, 1e60])
def test_the_loss_ignores_scale(factor):
    x, y = np.random.default_rng(0).normal(size=(2, 50, 6)) + 1
    expected = loss_along_offset(x, y, [-0.5, 0.5])
    np.testing.assert_allclose(loss_along_offset(x * factor, y / factor, [-0.5, 0.5]), expected, rtol=1e-10)


# Divergence along the offset


@pytest.mark.parametrize("options", [{}, {"method": "histogram", "bins": 9}])
@pytest.mark.parametrize(("move", "shares"), [("X", (1, 0)), ("Y", (0, 1)), ("both", (1, 1))])
def test_the_divergence_is_that_of_the_shifted_clouds(move, shares, options):
    x, y = np.random.default_rng(0).normal(size=(40, 6)) + 1, np.random.default_rng(1).normal(size=(50, 6)) + 1.5
    alphas = [-0.7, 0.0, 0.4, -0.7]
    expected = [
        conformity_divergence(x - a * shares[0] * x.mean(0), y - a * shares[1] * y.mean(0), **options) for a in alphas
    ]
    np.testing.assert_allclose(divergence_along_offset(x, y, alphas, move=move, **options), expected, rtol=1e-10)
    assert divergence_along_offset(x, y, 0.4, move=move, **options).shape == ()


def test_the_divergence_of_the_clip_pairs_has_the_reference_values(clip):
    alphas = [-0.1, -0.05, 0, 0.05, 0.1]
    images = divergence_along_offset(*clip, alphas, move="X")
    np.testing.assert_allclose(images[[0, 2, 3, 4]], [0.639, 0.076, 0.040, 0.209], atol=1e-3)
    texts = divergence_along_offset(*clip, alphas, move="Y")
    assert texts.argmin() == 1
    assert texts[1] == pytest.approx(0.038, abs=1e-3)
    together = divergence_along_offset(*clip, np.linspace(-1, 0.9, 20))
    assert (np.diff(together) < 0).all()


@pytest.mark.parametrize("factor", [1e-60, 1e60])
def test_the_divergence_ignores_scale_and_rotation(factor):
    x, y = np.random.default_rng(0).normal(size=(2, 50, 6)) + np.array([[[1.0]], [[1.5]]])
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    expected = divergence_along_offset(x, y, [-0.5, 0.5], move="Y")
    found = divergence_along_offset(x * factor, y @ rotation / factor, [-0.5, 0.5], move="Y")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_unfit_clouds_and_options_of_the_divergence_are_refused():
    x, y = off_centre_cloud(), off_centre_cloud()[:150] + 1
    with pytest.raises(ValueError, match="move must be one of 'X', 'Y', 'both'"):
        divergence_along_offset(x, y, 0.0, move="x")
    with pytest.raises(ValueError, match="method must be one of"):
        divergence_along_offset(x, y, 0.0, method="kde")
    with pytest.raises(ValueError, match="bins must be at least 2"):
        divergence_along_offset(x, y, 0.0, bins=1)
    with pytest.raises(ValueError, match="alphas must be a finite number"):
        divergence_along_offset(x, y, [np.inf])
    with pytest.raises(ValueError, match="X has 16 features and Y has 15"):
        divergence_along_offset(x, y[:, :-1], 0.0)
    with pytest.raises(ValueError, match="Found array with 1 sample"):
        divergence_along_offset(x, y[:1], 0.0)
    centred = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"Y - 1 · mean has 1 zero row \(the first is row 2\)"):
        divergence_along_offset(x[:, :2], centred, [0.0, 1.0], move="Y")


# Statistics


def test_statistics_have_the_reference_values():
    x = off_centre_cloud()
    r = radii(x, x.mean(0))
    np.testing.assert_allclose([r.mean() ** 2, r.var()], [14.651749182355399, 0.4631357102308592], rtol=1e-9)
    np.testing.assert_allclose(off_diagonal_dominance(moments(x)), 0.9539938803393797, rtol=1e-9)
    assert conformity(x).mean() == pytest.approx(0.45665038197389196, rel=1e-9)
    found = double_ellipsoid(x, x[::-1])
    assert found.shell_mean_squares == pytest.approx((14.651749182355399,) * 2)
    assert found.off_diagonal_dominances == pytest.approx((0.9539938803393797,) * 2)


def test_attributes_are_their_definitions():
    x, y = off_centre_cloud(), off_centre_cloud()[::-1] * 2 + 1
    found = double_ellipsoid(x, y, temperature=0.1, batch_size=64)
    np.testing.assert_allclose(found.means, [x.mean(0), y.mean(0)])
    np.testing.assert_allclose(found.unit_means, [unit(x).mean(0), unit(y).mean(0)])
    np.testing.assert_allclose(found.variances, [x.var(0, ddof=1), y.var(0, ddof=1)])
    distance = abs(x.mean(0) - y.mean(0)) / np.sqrt(x.var(0, ddof=1) + y.var(0, ddof=1))
    np.testing.assert_allclose(found.separation, distance)
    spectra = [np.linalg.eigvalsh(np.cov(z.T)) for z in (x, y)]
    assert found.participation_ratios == pytest.approx(tuple(s.sum() ** 2 / (s**2).sum() for s in spectra))
    norms = [np.linalg.norm(z.mean(0)) for z in (x, y)]
    expected = tuple(norm / np.sqrt(s.sum()) for norm, s in zip(norms, spectra, strict=True))
    assert found.offset_ratios == pytest.approx(expected)
    expected = loss_along_offset(x, y, found.alphas, temperature=0.1, batch_size=64)
    np.testing.assert_array_equal(found.losses, expected)


def test_separating_features_come_best_first():
    x, y = np.random.default_rng(0).normal(size=(2, 300, 6)) + 0.1
    y[:, 4] += 20
    y[:, 1] += 8
    found = double_ellipsoid(x, y)
    assert found.separating_features.tolist() == [4, 1]
    assert found.properties[0].statistics["of feature"] == 4


def test_scores_are_conformities_to_either_cloud():
    x, y = off_centre_cloud(), off_centre_cloud()[::-1] + 1
    found = double_ellipsoid(x, y)
    fresh = np.random.default_rng(1).normal(size=(9, 16))
    np.testing.assert_allclose(found.score_samples(fresh), conformity(fresh, x), rtol=1e-12)
    np.testing.assert_allclose(found.score_samples(fresh, cloud="Y"), conformity(fresh, y), rtol=1e-12)


def test_the_minimum_between_shifts_is_found(clip):
    found = double_ellipsoid(*clip)
    assert found.loss_minimum == pytest.approx(-0.03, abs=0.005)


# Verdicts


def test_the_planted_clouds_have_all_six_properties_with_the_published_statistics(planted):
    found = double_ellipsoid(*planted)
    assert all(holds(found).values())
    assert found.shell_mean_squares == pytest.approx((57.57, 57.57), abs=0.4)
    assert found.shell_variances == pytest.approx((0.19, 0.19), abs=0.01)
    assert found.offset_ratios == pytest.approx((0.94, 1.03), abs=0.005)
    assert found.separating_features[:2].tolist() == [92, 133]
    assert found.separation[[92, 133]] == pytest.approx([8, 8], abs=0.5)
    assert found.off_diagonal_dominances == pytest.approx((28, 28), abs=1)
    assert abs(found.loss_minimum) < 0.05


def test_real_clip_embeddings_have_all_six_properties(clip):
    found = double_ellipsoid(*clip)
    assert all(holds(found).values())
    assert found.off_diagonal_dominances == pytest.approx((51.1, 56.9), abs=0.15)
    population = np.sqrt(500 / 499)
    assert np.multiply(found.offset_ratios, population) == pytest.approx([1.067, 1.033], abs=5e-4)
    assert found.separation.max() == pytest.approx(7.73, abs=0.01)


def test_random_weights_have_neither_thin_shells_nor_a_minimum(data_folder):
    x, y = np.load(data_folder / "modality_gap_pairs.npz")["clip_random"].astype(float)
    verdicts = holds(double_ellipsoid(x, y))
    assert not verdicts["thin shell"]
    assert not verdicts["loss along the offset"]
    assert verdicts["separating features"]


@pytest.mark.parametrize("shape", [(2000, 64), (60, 200), (200, 3), (20, 10)])
@pytest.mark.parametrize("seed", range(3))
def test_an_isotropic_gaussian_pair_has_none_but_the_thin_shell(shape, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, *shape))
    verdicts = holds(double_ellipsoid(x, y))
    assert verdicts.pop("thin shell") == (shape[1] > 25)
    assert not any(verdicts.values())


def test_aligned_isotropic_pairs_have_none_but_the_thin_shell_either():
    x = np.random.default_rng(0).normal(size=(400, 64))
    verdicts = holds(double_ellipsoid(x, x + 0.5 * np.random.default_rng(1).normal(size=x.shape)))
    assert [name for name, verdict in verdicts.items() if verdict] == ["thin shell"]


def test_an_ellipsoid_along_the_axes_is_not_tilted():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1000, 64)) * np.geomspace(1, 0.02, 64)
    turn = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    straight, turned = holds(double_ellipsoid(x, y)), holds(double_ellipsoid(x @ turn, y @ turn))
    assert straight["variance profile"]
    assert turned["variance profile"]
    assert not straight["off-diagonal dominance"]
    assert turned["off-diagonal dominance"]


def test_one_centred_cloud_is_enough_to_fail():
    x, y = off_centre_cloud(), off_centre_cloud()[::-1]
    assert holds(double_ellipsoid(x, y))["offset ratio"]
    assert not holds(double_ellipsoid(x, y - y.mean(0)))["offset ratio"]
    assert not holds(double_ellipsoid(x - x.mean(0), y))["offset ratio"]


# Contracts


def test_properties_print_as_a_table_and_become_a_frame(planted):
    pytest.importorskip("pandas")
    properties = double_ellipsoid(*(z[:300] for z in planted)).properties
    lines = repr(properties).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("yes separating features    largest separation 8.")
    frame = properties.to_frame()
    assert frame.index.tolist() == NAMES
    assert frame.columns.tolist() == ["holds", "statistics", "criterion"]
    assert all(type(p.holds) is bool for p in properties)


def test_the_result_prints_as_the_table_and_cannot_be_changed(planted):
    found = double_ellipsoid(*(z[:300] for z in planted))
    assert repr(found) == repr(found.properties)
    with pytest.raises(FrozenInstanceError):
        found.separation = None


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_verdicts_do_not_depend_on_scale(factor):
    x, y = off_centre_cloud(), off_centre_cloud()[::-1] + 1
    expected = double_ellipsoid(x, y)
    found = double_ellipsoid(x * factor, y * factor)
    assert holds(found) == holds(expected)
    assert found.off_diagonal_dominances == pytest.approx(expected.off_diagonal_dominances, rel=1e-9)
    assert found.shell_mean_squares[0] == pytest.approx(expected.shell_mean_squares[0] * factor**2, rel=1e-9)


def test_single_precision_is_nearly_as_good(planted):
    found = double_ellipsoid(*(z[:400].astype(np.float32) for z in planted))
    expected = double_ellipsoid(*(z[:400] for z in planted))
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-4)
    np.testing.assert_allclose(found.separation, expected.separation, rtol=1e-5, atol=1e-5)
    assert found.shell_variances == pytest.approx(expected.shell_variances, rel=1e-4)


# What is refused


def test_unfit_clouds_are_refused():
    x, y = off_centre_cloud(), off_centre_cloud()[::-1] + 1
    for measure in (double_ellipsoid, lambda a, b: loss_along_offset(a, b, [0.0])):
        with pytest.raises(ValueError, match="X has 200 rows and Y has 199"):
            measure(x, y[:-1])
        with pytest.raises(ValueError, match="X has 16 features and Y has 15"):
            measure(x, y[:, :-1])
        with pytest.raises(ValueError, match="Found array with 1 sample"):
            measure(x[:1], y[:1])
        with pytest.raises(ValueError, match="Input Y contains NaN"):
            measure(x, y * np.nan)
        with pytest.raises(ValueError, match=r"Y.* has 200 zero rows"):
            measure(x, y * 0)
    with pytest.raises(ValueError, match="Y has no spread"):
        double_ellipsoid(x, np.ones_like(y))


@pytest.mark.parametrize(
    ("batch_size", "where"),
    [(None, r"has 1 zero row \(the first is row 2\)"), (2, r"in rows 2 to 2, has 1 zero row \(the first is row 0\)")],
)
def test_rows_that_a_shift_moves_to_the_origin_are_refused_also_after_the_last_batch(batch_size, where):
    x, y = np.random.default_rng(0).normal(size=(3, 2)), np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=rf"Y - 1 · mean {where}"):
        loss_along_offset(x, y, [0.0, 1.0], batch_size=batch_size)


@pytest.mark.parametrize("temperature", [0, -1.0])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    x, y = off_centre_cloud(), off_centre_cloud()[::-1] + 1
    with pytest.raises(ValueError, match="temperature must be a finite number from 1e-30"):
        loss_along_offset(x, y, [0.0], temperature=temperature)
    with pytest.raises(ValueError, match="temperature must be a finite number from 1e-30"):
        double_ellipsoid(x, y, temperature=temperature)


def test_unfit_options_are_refused():
    x, y = off_centre_cloud(), off_centre_cloud()[::-1] + 1
    with pytest.raises(ValueError, match="batch_size must be at least 2"):
        loss_along_offset(x, y, [0.0], batch_size=1)
    with pytest.raises(ValueError, match="batch_size must be at least 2"):
        double_ellipsoid(x, y, batch_size=1)
    with pytest.raises(ValueError, match="alphas must be a finite number"):
        loss_along_offset(x, y, [np.nan])
    with pytest.raises(ValueError, match="cloud must be one of 'X', 'Y'"):
        double_ellipsoid(x, y).score_samples(x, cloud="image")
    with pytest.raises(ValueError, match="X has 15 features and the cloud has 16"):
        double_ellipsoid(x, y).score_samples(x[:, :15])


@pytest.mark.parametrize(("rise", "holds"), [(0.05, False), (0.2, True)])
def test_a_loss_that_rises_by_less_than_a_tenth_of_a_nat_hardly_has_a_minimum(rise, holds):
    alphas = np.linspace(-1, 1, 21)
    found = _loss_along_offset(alphas, 2 + rise * alphas**2)
    assert found.holds == holds
    assert found.statistics["minimum at"] == pytest.approx(0, abs=1e-12)
