"""The pairs have the geometry that was planted."""

import numpy as np
import pytest

from skgeom.datasets import make_double_ellipsoid, make_embedding_pair
from skgeom.metrics import (
    average_cosine,
    conformity,
    conformity_divergence,
    conformity_estimate,
    isoscore,
    modality_gap,
    modality_separability,
    partition_isotropy,
)
from skgeom.multimodal import loss_along_offset


@pytest.fixture(scope="module")
def double():
    return make_double_ellipsoid(random_state=0, return_truth=True)


# Double ellipsoid


def test_means_and_offsets_are_the_planted_ones(double):
    *clouds, truth = double
    for x, mean, ratio in zip(clouds, truth.means, truth.offset_ratios, strict=True):
        np.testing.assert_allclose(x.mean(0), mean, atol=1e-12)
        assert np.linalg.norm(mean) / np.sqrt(np.cov(x.T).trace()) == pytest.approx(ratio, abs=0.003)
    cosine = truth.means[0] @ truth.means[1] / np.linalg.norm(truth.means, axis=1).prod()
    assert cosine == pytest.approx(0.31, abs=1e-12)


def test_radii_have_the_published_law(double):
    for x in double[:2]:
        radius = np.linalg.norm(x - x.mean(0), axis=1)
        assert radius.mean() ** 2 == pytest.approx(57.57, abs=0.4)
        assert radius.var() == pytest.approx(0.19, abs=0.01)


def test_the_spectrum_has_the_planted_participation_ratio(double):
    truth = double[2]
    assert truth.spectrum.sum() ** 2 / (truth.spectrum**2).sum() == pytest.approx(152, rel=1e-9)
    assert (np.diff(truth.spectrum) < 0).all()
    assert truth.spectrum.sum() == pytest.approx(57.57 + 0.19)
    assert [isoscore(x) for x in double[:2]] == pytest.approx([0.28, 0.272], abs=0.01)


def test_conformity_is_the_cosine_to_the_mean_with_the_published_slope(double):
    for x, published in zip(double[:2], (1.461, 1.411), strict=True):
        cosine, exact = conformity_estimate(x).cosine, conformity(x)
        assert np.corrcoef(cosine, exact)[0, 1] > 0.9998
        assert np.polyfit(exact, cosine, 1)[0] == pytest.approx(published, abs=0.02)


def test_common_pairs_conform_and_are_less_aligned(double):
    x, y, truth = double
    assert np.corrcoef(truth.commonness, conformity(x))[0, 1] == pytest.approx(0.65, abs=0.05)
    assert np.corrcoef(truth.commonness, truth.alignment)[0, 1] < -0.9
    e, f = x - x.mean(0), y - y.mean(0)
    cosine = (e * f).sum(1) / np.linalg.norm(e, axis=1) / np.linalg.norm(f, axis=1)
    assert np.corrcoef(cosine, truth.alignment)[0, 1] > 0.5


def test_gap_and_separability(double):
    x, y, _ = double
    assert modality_gap(x, y) == pytest.approx(0.822, abs=0.003)
    assert modality_separability(x[:500], y[:500]) == 1
    assert conformity_divergence(x, y) == pytest.approx(0.53, abs=0.06)
    assert average_cosine(x) == pytest.approx(0.469, abs=0.005)


def test_partition_functions_are_those_of_real_embeddings(double):
    assert partition_isotropy(double[0][:600], normalize=True, signs="mean") == pytest.approx(0.5, abs=0.02)


def test_without_false_negatives_the_minimum_of_the_loss_is_elsewhere(double, monkeypatch):
    monkeypatch.setattr("skgeom.datasets._pairs._ALIGNMENT", (0.3, 0.0, 0.0))
    alphas = np.linspace(-0.3, 0.9, 13)
    flat = loss_along_offset(*make_double_ellipsoid(2000, random_state=0), alphas, batch_size=500)
    assert alphas[flat.argmin()] > 0.3
    steep = loss_along_offset(*(z[:2000] for z in double[:2]), alphas, batch_size=500)
    assert alphas[steep.argmin()] == pytest.approx(0, abs=1e-9)


def test_pairs_beyond_chance_are_those_that_belong_together(double):
    x, y, _ = (z[:500] if hasattr(z, "shape") else z for z in double)
    s = (x / np.linalg.norm(x, axis=1)[:, None]) @ (y / np.linalg.norm(y, axis=1)[:, None]).T
    assert np.diag(s).mean() == pytest.approx(0.30, abs=0.03)
    assert s[~np.eye(500, dtype=bool)].mean() == pytest.approx(0.155, abs=0.01)


# Embedding pair


@pytest.mark.parametrize(("d", "k"), [(8, 8), (8, 5), (5, 8), (1, 1), (3, 1), (1, 3)])
def test_targets_are_the_planted_map_of_the_rows(d, k):
    x, y, truth = make_embedding_pair(
        50, d, n_targets=k, scale=2.5, offset=1.5, noise=0, random_state=0, return_truth=True
    )
    assert (x.shape, y.shape) == ((50, d), (50, k))
    np.testing.assert_allclose(2.5 * x @ truth.rotation + truth.offset, y, atol=1e-12)
    assert np.linalg.norm(truth.offset) == pytest.approx(1.5 * np.sqrt(d))
    gram = truth.rotation @ truth.rotation.T if k > d else truth.rotation.T @ truth.rotation
    np.testing.assert_allclose(gram, np.eye(min(d, k)), atol=1e-12)


@pytest.mark.parametrize("k", [4, 16, 24])
@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_noise_has_the_planted_size(k, noise):
    x, y, truth = make_embedding_pair(
        20_000, 16, n_targets=k, noise=noise, scale=3, slope=1, random_state=0, return_truth=True
    )
    signal = 3 * x @ truth.rotation
    rest = y - signal
    assert rest.std() == pytest.approx(truth.noise, rel=0.01, abs=1e-12)
    assert np.sqrt((rest**2).sum() / (signal**2).sum()) == pytest.approx(noise, rel=0.03, abs=1e-12)
    assert 1 - rest.var(0).sum() / y.var(0).sum() == pytest.approx(truth.r2, abs=0.02)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.5])
def test_rows_have_the_planted_spectrum(slope):
    x, _, truth = make_embedding_pair(50_000, 6, slope=slope, random_state=0, return_truth=True)
    np.testing.assert_allclose(truth.spectrum, 6 * np.arange(1, 7) ** -slope / (np.arange(1, 7) ** -slope).sum())
    np.testing.assert_allclose(x.var(0), truth.spectrum, rtol=0.03)


def test_nothing_but_noise():
    _, y, truth = make_embedding_pair(5000, 4, scale=0, noise=0.5, random_state=0, return_truth=True)
    assert y.std() == pytest.approx(0.5, rel=0.03)
    assert truth.r2 == 0
    assert make_embedding_pair(5, 4, scale=0, noise=0, return_truth=True)[2].r2 == 0


@pytest.mark.parametrize("make", [make_double_ellipsoid, make_embedding_pair])
def test_seeds_decide(make):
    first, second = make(20, random_state=3), make(20, random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], make(20, random_state=4)[0])
    assert len(first) == 2


@pytest.mark.parametrize("make", [make_double_ellipsoid, make_embedding_pair])
def test_fewer_than_two_pairs_are_refused(make):
    with pytest.raises(ValueError, match="n_samples must be at least 2"):
        make(1)
    with pytest.raises(TypeError, match="n_samples must be an integer"):
        make(2.5)


@pytest.mark.parametrize("name", ["scale", "offset", "noise", "slope"])
def test_parameters_out_of_range_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be a finite number from 0"):
        make_embedding_pair(**{name: -1.0})
    with pytest.raises(TypeError, match=f"{name} must be a number"):
        make_embedding_pair(**{name: "large"})
