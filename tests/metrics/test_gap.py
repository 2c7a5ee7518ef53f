"""The gap between two modalities: definitions, published values, invariances, and what is refused."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skgeom._core import _two_clouds
from skgeom.datasets import make_double_ellipsoid
from skgeom.metrics import (
    average_cosine,
    conformity,
    conformity_divergence,
    effective_rank,
    isoscore,
    modality_gap,
    modality_separability,
    pair_distance_ratio,
    relative_modality_gap,
)

MEASURES = [modality_gap, relative_modality_gap, pair_distance_ratio, conformity_divergence, modality_separability]
PAIRED = [relative_modality_gap, pair_distance_ratio]
ANGULAR = [modality_gap, relative_modality_gap, conformity_divergence]


def pair(n=60, d=6):
    """Return the pair of clouds for which independent code made reference values."""
    rng = np.random.default_rng(6)
    a = rng.normal(size=(n, d)) + 0.8
    b = 0.7 * a @ np.linalg.qr(rng.normal(size=(d, d)))[0] + 0.3 * rng.normal(size=(n, d))
    return unit(a), unit(b)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def rotation(d=6):
    return np.linalg.qr(np.random.default_rng(1).normal(size=(d, d)))[0]


# Definitions


def test_modality_gap_is_the_distance_of_mean_unit_rows():
    x, y = pair()
    assert modality_gap(x * 3, y) == pytest.approx(np.linalg.norm(x.mean(0) - y.mean(0)), rel=1e-14)
    assert modality_gap(x, y[:7]) == pytest.approx(np.linalg.norm(x.mean(0) - y[:7].mean(0)), rel=1e-14)
    assert modality_gap(x, x) == 0
    assert modality_gap(x[:1], -x[:1]) == pytest.approx(2)


def test_relative_modality_gap_has_the_reference_value():
    assert relative_modality_gap(*pair()) == pytest.approx(0.6176256493604261, rel=1e-9)


def test_relative_modality_gap_is_the_published_code():
    x, y = pair(20)
    paired = np.mean([1 - (x[i] @ y[i] + 1) / 2 for i in range(20)])
    within = [1 - (np.mean([z[i] @ z[j] for i in range(20) for j in range(20) if i != j]) + 1) / 2 for z in (x, y)]
    assert relative_modality_gap(x, y) == pytest.approx(paired / (paired + sum(within) / 2), rel=1e-12)


def test_relative_modality_gap_at_its_limits():
    x, _ = pair()
    assert relative_modality_gap(x, x) == 0
    assert relative_modality_gap(np.ones((4, 3)), np.ones((4, 3)) * 2) == 0
    assert relative_modality_gap(np.ones((4, 3)), np.tile([1.0, 0, 0], (4, 1))) == pytest.approx(1)


@pytest.mark.parametrize("reference", ["cross", "pooled"])
def test_pair_distance_ratio_is_the_ratio_of_mean_distances(reference):
    x, y = pair()
    across = cdist(x, y)
    both = np.vstack([x, y])
    distances = across[~np.eye(60, dtype=bool)] if reference == "cross" else cdist(both, both)[np.triu_indices(120, 1)]
    expected = np.diag(across).mean() / distances.mean()
    assert pair_distance_ratio(x, y, reference=reference) == pytest.approx(expected, rel=1e-12)


def test_pair_distance_ratio_is_one_where_the_pairing_says_nothing():
    x, y = np.random.default_rng(0).normal(size=(2, 400, 20))
    assert pair_distance_ratio(x, y + 10) == pytest.approx(1, abs=0.01)
    assert pair_distance_ratio(x, y + 10, reference="pooled") > 1.5
    assert pair_distance_ratio(np.ones((5, 2)), np.ones((5, 2))) == 0


def test_conformity_divergence_has_the_reference_value_of_a_normal_law():
    rng = np.random.default_rng(8)
    p, q = rng.normal(0.5, 0.05, 500), rng.normal(0.55, 0.07, 400)
    assert _two_clouds.gaussian_divergence(p, q) == pytest.approx(0.29578194031292226, rel=1e-9)


def test_conformity_divergence_compares_the_conformities_in_the_stated_direction():
    x, y = np.random.default_rng(0).normal(size=(2, 300, 8)) + np.array([[[1.0]], [[1.5]]])
    p, q = conformity(x), conformity(y)
    expected = np.log(q.std() / p.std()) + (p.var() + (p.mean() - q.mean()) ** 2) / (2 * q.var()) - 0.5
    assert conformity_divergence(x, y) == pytest.approx(expected, rel=1e-10)
    assert conformity_divergence(y, x) != pytest.approx(expected, rel=0.1)
    counts = [np.histogram(v, 20, (min(p.min(), q.min()), max(p.max(), q.max())))[0] + 0.5 for v in (p, q)]
    shares = [c / c.sum() for c in counts]
    expected = (shares[0] * np.log(shares[0] / shares[1])).sum()
    assert conformity_divergence(x, y, method="histogram", bins=20) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("method", ["gaussian", "histogram"])
def test_conformity_divergence_with_a_reference_compares_mean_cosines_to_its_rows(method):
    x, y, others = np.random.default_rng(0).normal(size=(3, 300, 8)) + np.array([[[1.0]], [[1.5]], [[0.5]]])
    p, q = ((unit(z) @ unit(others[:70]).T).mean(axis=1) for z in (x, y))
    expected = {
        "gaussian": np.log(q.std() / p.std()) + (p.var() + (p.mean() - q.mean()) ** 2) / (2 * q.var()) - 0.5,
        "histogram": _two_clouds.histogram_divergence(p, q, 50),
    }
    assert conformity_divergence(x, y, reference=others[:70], method=method) == pytest.approx(expected[method], 1e-10)
    turned = (z @ rotation(8) * np.arange(1, len(z) + 1)[:, None] for z in (x, y, others[:70]))
    found = conformity_divergence(next(turned), next(turned), reference=next(turned), method=method)
    assert found == pytest.approx(expected[method], rel=1e-9)


def test_conformity_judges_the_spread_of_generated_rows_but_not_their_diversity():
    rng = np.random.default_rng(0)
    real = make_double_ellipsoid(500, random_state=0)[0]
    mean = real.mean(axis=0)
    passing = {"few": real[rng.integers(0, 40, 500)], "normal": rng.multivariate_normal(mean, np.cov(real.T), 500)}
    failing = {"tame": (real + mean) / 2, "wild": mean + 1.5 * (real - mean)}
    for reference in (None, real):
        assert all(conformity_divergence(g, real, reference=reference) < 0.05 for g in passing.values())
        assert all(conformity_divergence(g, real, reference=reference) > 2 for g in failing.values())
    assert effective_rank(passing["few"]) < 40 < effective_rank(real)


def test_separability_is_chance_for_one_law_and_one_for_two_half_spaces():
    x, y = np.random.default_rng(0).normal(size=(2, 500, 5))
    assert modality_separability(x, y) == pytest.approx(0.5, abs=0.06)
    assert modality_separability(x, y + 20) == 1
    assert modality_separability(x, y[:50] + 20, cv=3) == 1
    assert modality_separability(1e-9 * x, 1e-9 * (y + 20)) == 1


# Real embeddings


def test_values_of_the_clip_pairs(data_folder):
    x, y = unit(np.load(data_folder / "modality_gap_pairs.npz")["clip"].astype(float))
    assert modality_gap(x, y) == pytest.approx(0.8514, abs=5e-5)
    assert [isoscore(x), isoscore(y)] == pytest.approx([0.0816057306281762, 0.07965994411686105], rel=1e-6)
    assert [average_cosine(x), average_cosine(y)] == pytest.approx([0.5315, 0.5152], abs=5e-5)
    assert modality_separability(x, y) == 1
    assert conformity_divergence(x, y) == pytest.approx(0.076, abs=5e-4)
    assert relative_modality_gap(x, y) == pytest.approx(0.5915, abs=5e-5)
    assert pair_distance_ratio(x, y) == pytest.approx(0.9074, abs=5e-5)


def test_random_weights_have_a_larger_gap_and_pairs_that_say_nothing(data_folder):
    x, y = np.load(data_folder / "modality_gap_pairs.npz")["clip_random"].astype(float)
    assert modality_gap(x, y) == pytest.approx(1.136, abs=5e-4)
    assert pair_distance_ratio(x, y) == pytest.approx(1, abs=1e-3)


# Invariances


@pytest.mark.parametrize("measure", [*ANGULAR, pair_distance_ratio])
def test_measures_are_invariant_to_rotation(measure):
    x, y = pair()
    assert measure(x @ rotation(), y @ rotation()) == pytest.approx(measure(x, y), rel=1e-9)


@pytest.mark.parametrize("measure", ANGULAR)
def test_angular_measures_ignore_lengths(measure):
    x, y = pair()
    lengths = np.geomspace(1e-30, 1e30, 60)[:, None]
    assert measure(x * lengths, y / lengths) == pytest.approx(measure(x, y), rel=1e-9)


@pytest.mark.parametrize("factor", [1e-200, 1e-30, 1e30, 1e200])
def test_pair_distance_ratio_is_invariant_to_scale_and_offset(factor):
    x, y = pair()
    expected = pair_distance_ratio(x, y)
    assert pair_distance_ratio(x * factor, y * factor) == pytest.approx(expected, rel=1e-12)
    assert pair_distance_ratio(x + 1e6, y + 1e6) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("measure", MEASURES[:4])
def test_single_precision_is_nearly_as_good(measure):
    x, y = pair()
    expected = measure(x, y)
    assert measure(x.astype(np.float32), y.astype(np.float32)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("measure", [modality_gap, relative_modality_gap])
def test_symmetric_measures(measure):
    x, y = pair()
    assert measure(y, x) == pytest.approx(measure(x, y), rel=1e-12)


# What is refused


@pytest.mark.parametrize("measure", MEASURES)
def test_unfit_clouds_are_refused(measure):
    x, y = pair()
    for bad in (np.where(x > 0.5, np.nan, x), np.where(x > 0.5, np.inf, x)):
        with pytest.raises(ValueError, match="Input X contains"):
            measure(bad, y)
        with pytest.raises(ValueError, match="Input Y contains"):
            measure(x, bad)
    with pytest.raises(ValueError, match="X has 6 features and Y has 5"):
        measure(x, y[:, :5])
    with pytest.raises(ValueError, match="Expected 2D array"):
        measure(x, y[0])


@pytest.mark.parametrize("measure", PAIRED)
def test_unpaired_lengths_are_refused(measure):
    x, y = pair()
    with pytest.raises(ValueError, match=r"X has 60 rows and Y has 59, but row i .* Drop the rows without a partner"):
        measure(x, y[:-1])


@pytest.mark.parametrize("measure", MEASURES[1:])
def test_one_pair_is_refused(measure):
    x, y = pair()
    with pytest.raises(ValueError, match=r"minimum of [25] is required"):
        measure(x[:1], y[:1])


@pytest.mark.parametrize("measure", ANGULAR)
def test_zero_rows_are_refused_by_angles(measure):
    x, y = pair()
    y[3] = 0
    with pytest.raises(ValueError, match=r"Y has 1 zero row \(the first is row 3\)"):
        measure(x, y)


def test_unknown_options_are_refused():
    x, y = pair()
    with pytest.raises(ValueError, match="reference must be one of 'cross', 'pooled'"):
        pair_distance_ratio(x, y, reference="global")
    with pytest.raises(ValueError, match="method must be one of 'gaussian', 'histogram'"):
        conformity_divergence(x, y, method="kde")
    with pytest.raises(ValueError, match="X has 6 features and reference has 5"):
        conformity_divergence(x, y, reference=x[:, :5])
    with pytest.raises(ValueError, match="reference has 1 zero row"):
        conformity_divergence(x, y, reference=np.zeros((1, 6)))
    with pytest.raises(ValueError, match="bins must be at least 2"):
        conformity_divergence(x, y, method="histogram", bins=1)
    with pytest.raises(ValueError, match="cv must be at least 2"):
        modality_separability(x, y, cv=1)
    with pytest.raises(TypeError, match="cv must be an integer"):
        modality_separability(x, y, cv=2.5)
