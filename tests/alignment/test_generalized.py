"""Several spaces turned onto each other: planted rotations, loops over rows, streams, unequal widths, languages."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import orthogonal_procrustes
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skgeom._array import same_kind, to_numpy
from skgeom.alignment import GeneralizedProcrustes, ProcrustesAligner


def rotation(d, rng):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def noisy(widths=(5, 5, 5), n=60, noise=0.5, seed=0, mean=0.0):
    """Return spaces that are rotations of one cloud, of which narrow ones see the first features, with noise."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, max(widths))) * np.linspace(2, 1, max(widths)) + mean
    return [Z[:, :d] @ rotation(d, rng) + noise * rng.normal(size=(n, d)) for d in widths]


def loss(spaces):
    """Return the sum over pairs of spaces of their squared differences."""
    return sum(np.sum((spaces[k] - spaces[j]) ** 2) for k in range(len(spaces)) for j in range(k))


def mapped(aligner, spaces):
    return [aligner.transform(X, space=k) for k, X in enumerate(spaces)]


def loops(spaces, sweeps=300):
    """Return the loss of sweeps over rows padded with zeros, each space turned to the sum of the others by scipy."""
    p = max(X.shape[1] for X in spaces)
    turned = [np.pad(X, ((0, 0), (0, p - X.shape[1]))) for X in spaces]
    for _ in range(sweeps):
        for k, X in enumerate(turned):
            turned[k] = X @ orthogonal_procrustes(X, sum(turned) - X)[0]
    return loss(turned)


def test_planted_rotations_are_undone():
    rng = np.random.default_rng(91)
    Z = rng.normal(size=(80, 4)) * [3, 2, 1, 0.5]
    spaces = [Z @ np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(3)]
    aligner = GeneralizedProcrustes().fit(spaces)
    assert aligner.loss_ == pytest.approx(0, abs=1e-8)
    for turned in mapped(aligner, spaces):
        assert_allclose(turned, spaces[0], atol=1e-6)


@pytest.mark.parametrize("center", [False, True])
def test_two_spaces_are_a_procrustes_problem(center):
    X, Y = noisy((4, 4), mean=1.0)
    aligner = GeneralizedProcrustes(pivot=1, center=center).fit([X, Y])
    expected = ProcrustesAligner(center=center).fit(X, Y)
    assert_allclose(aligner.rotations_[0], expected.rotation_, atol=1e-8)
    assert_allclose(aligner.transform(X, space=0), expected.transform(X), atol=1e-8)
    assert_allclose(aligner.transform(Y, space=1), Y, atol=1e-12)
    assert aligner.loss_ == pytest.approx(expected.residual_, rel=1e-9)


@pytest.mark.parametrize("widths", [(5, 5, 5), (3, 6, 4), (6, 2, 6, 6)])
def test_the_loss_is_that_of_loops_over_rows_padded_with_zeros(widths):
    spaces = noisy(widths)
    aligner = GeneralizedProcrustes(tol=1e-13, max_iter=1000, random_state=0).fit(spaces)
    assert aligner.loss_ == pytest.approx(loops(spaces), rel=1e-8)
    assert aligner.loss_ == pytest.approx(loss(mapped(aligner, spaces)), rel=1e-10)
    for q, d in zip(aligner.rotations_, widths, strict=True):
        assert_allclose(q @ q.T, np.eye(d), atol=1e-12)
    assert_allclose(aligner.rotations_[0], np.eye(widths[0], max(widths)), atol=1e-12)


def test_no_sweep_makes_the_spaces_fit_worse():
    spaces = noisy(noise=4.0, n=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = [GeneralizedProcrustes(n_init=1, max_iter=i, tol=0).fit(spaces).loss_ for i in range(1, 30)]
    assert (np.diff(found) <= 1e-9 * found[0]).all()
    assert found[-1] < found[0]


def test_the_best_of_several_starts_is_kept():
    spaces = noisy((6, 6, 6, 6), noise=8.0, n=30, seed=4)
    found = [GeneralizedProcrustes(n_init=n, max_iter=2000, random_state=0).fit(spaces).loss_ for n in (1, 2, 3, 8)]
    assert (np.diff(found) <= 0).all()
    assert found[-1] < found[0]


def test_the_pivot_decides_the_axes_and_nothing_else():
    spaces = noisy((4, 6, 5), mean=0.5)
    first, last = (GeneralizedProcrustes(pivot=k, tol=1e-13, max_iter=1000).fit(spaces) for k in (0, 2))
    assert first.loss_ == pytest.approx(last.loss_, rel=1e-9)
    assert_allclose(last.rotations_[2], np.eye(5, 6), atol=1e-12)
    products = [[a @ b.T for a in g.rotations_ for b in g.rotations_] for g in (first, last)]
    for one, other in zip(*products, strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_a_turned_space_is_turned_back():
    spaces, rng = noisy(), np.random.default_rng(7)
    q = rotation(5, rng)
    plain, turned = (
        GeneralizedProcrustes(tol=1e-14, max_iter=2000).fit([spaces[0], X, spaces[2]])
        for X in (spaces[1], spaces[1] @ q)
    )
    assert_allclose(q @ turned.rotations_[1], plain.rotations_[1], atol=1e-5)


def test_parts_and_weights_count_as_rows():
    spaces = noisy(mean=3.0)
    settings = {"center": True, "tol": 1e-15, "max_iter": 2000}
    whole, parts = (GeneralizedProcrustes(**settings) for _ in range(2))
    whole.fit(spaces)
    for rows in (slice(0, 25), slice(25, 26), slice(26, None)):
        parts.partial_fit([X[rows] for X in spaces])
    weights = np.random.default_rng(0).integers(0, 3, 60)
    weighted = GeneralizedProcrustes(**settings).fit(spaces, sample_weight=weights)
    repeated = GeneralizedProcrustes(**settings).fit([np.repeat(X, weights, axis=0) for X in spaces])
    for one, other in ((parts, whole), (weighted, repeated)):
        assert one.n_samples_seen_ == other.n_samples_seen_
        assert one.loss_ == pytest.approx(other.loss_, rel=1e-9)
        for a, b in zip(one.rotations_ + one.means_, other.rotations_ + other.means_, strict=True):
            assert_allclose(a, b, atol=1e-6)


def test_centred_spaces_meet_at_the_mean_of_the_pivot():
    spaces = noisy((4, 6, 6), mean=2.0)
    aligner = GeneralizedProcrustes(center=True).fit(spaces)
    for turned in mapped(aligner, spaces):
        assert_allclose(turned.mean(axis=0), np.append(spaces[0].mean(axis=0), [0, 0]), atol=1e-10)
    assert_allclose(aligner.transform(spaces[0], space=0)[:, :4], spaces[0], atol=1e-10)
    assert aligner.loss_ == pytest.approx(loss(mapped(aligner, spaces)), rel=1e-10)


def test_there_and_back():
    spaces = noisy((4, 6, 5), mean=2.0)
    aligner = GeneralizedProcrustes(center=True)
    for k, turned in enumerate(aligner.fit_transform(spaces)):
        assert turned.shape == (60, 6)
        assert_allclose(aligner.inverse_transform(turned, space=k), spaces[k], atol=1e-10)


def test_every_library_has_the_same_rotations(backend):
    spaces = noisy((4, 6, 5))
    expected = GeneralizedProcrustes(random_state=0).fit(spaces)
    given = [backend.asarray(X) for X in spaces]
    found = GeneralizedProcrustes(random_state=0).fit(given)
    assert found.loss_ == pytest.approx(expected.loss_, rel=1e-9)
    for k, x in enumerate(given):
        assert same_kind(found.rotations_[k], x)
        assert_allclose(to_numpy(found.transform(x, space=k)), expected.transform(spaces[k], space=k), atol=1e-6)
    single = backend.asarray(spaces[0], dtype="float32")
    assert found.transform(single, space=0).dtype == single.dtype
    stacked = backend.asarray(np.stack(noisy((4, 4))))
    assert GeneralizedProcrustes(random_state=0).fit(stacked).loss_ >= 0


def test_host_data_go_to_a_device_and_come_back(fake_accelerator):
    spaces = noisy()
    there, here = (GeneralizedProcrustes(device=d, random_state=0).fit(spaces) for d in ("cuda", None))
    assert type(there.transform(spaces[1], space=1)) is np.ndarray
    assert_allclose(there.rotations_[1], here.rotations_[1], atol=1e-8)
    assert_allclose(there.partial_fit(spaces).loss_, 2 * here.loss_, rtol=1e-8)


def test_a_gradient_does_not_stay_in_the_attributes():
    torch = pytest.importorskip("torch")
    spaces = [torch.tensor(X, requires_grad=True) for X in noisy()]
    assert not any(q.requires_grad for q in GeneralizedProcrustes().fit(spaces).rotations_)


# Warnings and refusals


def test_directions_without_a_partner_are_a_warning_and_turned_by_a_rule():
    spaces = noisy()
    spaces[1][:, 2] = 0
    with pytest.warns(UserWarning, match="Up to 1 directions of space 1 have no partner"):
        aligner = GeneralizedProcrustes(tol=1e-14).fit(spaces)
    with pytest.warns(UserWarning, match="have no partner"):
        again = GeneralizedProcrustes(tol=1e-14, n_init=1).fit([X[::-1] for X in spaces])
    assert_allclose(aligner.rotations_[1] @ aligner.rotations_[1].T, np.eye(5), atol=1e-12)
    assert_allclose(aligner.rotations_[1], again.rotations_[1], atol=1e-6)


def test_sweeps_that_did_not_suffice_are_a_warning():
    with pytest.warns(ConvergenceWarning, match="raise max_iter or tol"):
        GeneralizedProcrustes(max_iter=1, n_init=1, tol=0).fit(noisy(noise=4.0))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_spaces_of_zeros_have_no_loss():
    assert GeneralizedProcrustes().fit([np.zeros((5, 2)), np.zeros((5, 3))]).loss_ == 0


def test_what_makes_no_sense_is_refused_and_changes_nothing():
    spaces = noisy()
    aligner = GeneralizedProcrustes().fit(spaces)
    before = dict(vars(aligner))
    X = spaces[0]
    for call, words in [
        (lambda: aligner.fit(spaces[:1]), "at least two matrices"),
        (lambda: aligner.fit(X), "at least two matrices"),
        (lambda: aligner.fit(None), "at least two matrices"),
        (lambda: aligner.fit(iter(spaces)), "at least two matrices"),
        (lambda: aligner.fit([X, X[:9]]), r"X\[0\] has 60 rows and X\[1\] has 9"),
        (lambda: aligner.fit([X, X * np.nan]), r"X\[1\] contains NaN"),
        (lambda: aligner.fit([X, X * 1e200]), r"X\[1\] has magnitudes"),
        (lambda: aligner.fit([X[:1], X[:1]]), "minimum of 2 is required"),
        (lambda: clone(aligner).set_params(pivot=3).fit(spaces), "pivot must be at least 0 and at most 2"),
        (lambda: clone(aligner).set_params(tol=-1.0).fit(spaces), "tol must be"),
        (lambda: clone(aligner).set_params(n_init=0).fit(spaces), "n_init must be at least 1"),
        (lambda: aligner.partial_fit(spaces[:2]), "2 spaces, but there were 3 at fit"),
        (lambda: aligner.partial_fit([X, X, X[:, :3]]), "3 features, but space 2 had 5"),
        (lambda: aligner.transform(X, space=3), "space must be at least 0 and at most 2"),
        (lambda: aligner.transform(X[:, :2], space=1), "2 features, but space 1 had 5"),
        (lambda: aligner.inverse_transform(X[:, :2], space=1), "2 features, but the common space had 5"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(TypeError, match="center must be True or False"):
        clone(aligner).set_params(center="yes").fit(spaces)
    with pytest.raises(NotFittedError):
        GeneralizedProcrustes().transform(X, space=0)
    assert all(vars(aligner)[name] is value for name, value in before.items())


# Five languages


def test_pairs_without_a_pivot_gain_and_maps_into_the_pivot_lose(data_folder):
    with np.load(data_folder / "stsb_parallel_minilm.npz") as stored:
        spaces = [stored[f"X_{name}"].astype(np.float32) for name in ("en", "de", "it")]
    spaces = [X / np.linalg.norm(X, axis=1, keepdims=True) for X in spaces]
    order = np.random.default_rng(0).permutation(len(spaces[0]))
    train, test = ([X[rows] for X in spaces] for rows in (order[:-2693], order[-2693:]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        common = mapped(GeneralizedProcrustes(n_init=1, max_iter=10).fit(train), test)
    english = [ProcrustesAligner().fit(X, train[0]).transform(T) for X, T in zip(train, test, strict=True)]

    def precision(a, b):
        return np.mean(np.argmax((a @ b.T) / np.linalg.norm(b, axis=1), axis=1) == np.arange(len(a)))

    assert precision(common[1], common[2]) > precision(english[1], english[2]) + 0.05
    assert precision(common[1], common[0]) < precision(english[1], test[0])
