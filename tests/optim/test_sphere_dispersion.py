"""Spread points: known optima, what the estimator promises, and what it refuses."""

import csv
import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgeom._array import to_numpy
from skgeom.metrics import kernel_energy, min_angle, mma
from skgeom.optim import SphereDispersion, spherical_code, tammes_bound
from skgeom.optim._polish import polish


def cloud(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def degrees(x):
    return math.degrees(min_angle(x))


# the codes


@pytest.mark.parametrize("n", [*range(4, 15), 24])
def test_tammes_optima_in_three_dimensions_are_reached(n):
    code = spherical_code(n, 3, n_init=20, random_state=0)
    assert_allclose(code.optimality, 1, atol=1e-9)
    assert_allclose(degrees(code.points), math.degrees(code.bound), atol=1e-7)
    assert_allclose(np.linalg.norm(code.points, axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize(("n", "d"), [(2, 2), (9, 2), (3, 4), (5, 4), (8, 4), (10, 4), (16, 5), (27, 6), (31, 30)])
def test_simplices_cross_polytopes_polygons_and_sharp_codes_are_reached(n, d):
    assert_allclose(spherical_code(n, d, random_state=0).optimality, 1, atol=1e-7)


@pytest.mark.parametrize(("d", "n"), [(3, 16), (3, 21), (4, 12), (5, 11)])
def test_the_best_codes_known_are_reached(data_folder, d, n):
    with (data_folder / "spherical_codes.csv").open() as file:
        known = {(int(r["dimension"]), int(r["n_points"])): r for r in csv.DictReader(file)}[d, n]
    angle = math.degrees(spherical_code(n, d, n_init=1, random_state=0).min_angle)
    assert angle > float(known["sloane_angle_deg"] or known["min_angle_deg"]) - 1e-3


def test_many_points_come_near_the_best_code_known():
    code = spherical_code(100, 3, n_init=1, random_state=1)
    assert math.degrees(code.min_angle) > 21.0312 - 0.1  # Sloane's table
    assert_allclose(code.min_angle, min_angle(code.points), rtol=1e-12)


def test_starts_end_with_a_proof_and_are_reported():
    assert spherical_code(12, 3, random_state=0).angles.shape == (1,)
    code = spherical_code(9, 4, n_init=3, random_state=0)
    assert code.angles.shape == (3,)
    assert code.min_angle == code.angles.max()
    assert_array_equal(code.points, spherical_code(9, 4, n_init=3, random_state=0).points)


@pytest.mark.parametrize(("n", "d"), [(12, 4), (50, 4), (90, 4)])
def test_the_polish_never_brings_points_closer(n, d):
    x = cloud(n, d)
    assert degrees(polish(x)) > 2 * degrees(x)
    best = spherical_code(6, 3, random_state=0).points
    assert degrees(polish(best)) >= degrees(best)


@pytest.mark.parametrize(
    ("arguments", "error"), [((1, 3), ValueError), ((5, 1), ValueError), ((5.0, 3), TypeError), ((5, True), TypeError)]
)
def test_codes_of_no_size_are_refused(arguments, error):
    with pytest.raises(error, match=r"n_points|n_dimensions"):
        spherical_code(*arguments)


def test_the_bound_is_public_and_checked():
    assert math.degrees(tammes_bound(24, 3)) < 43.6908
    with pytest.raises(ValueError, match="n_points must be at least 2"):
        tammes_bound(1, 3)


# the estimator


@pytest.mark.parametrize("loss", ["mma", "koleo"])
@pytest.mark.parametrize("n", [6, 24])
def test_losses_of_the_nearest_reach_the_optimum_without_polish(loss, n):
    found = SphereDispersion(loss, learning_rate=0.05, max_iter=500, polish=False)
    found.fit(cloud(n, 3))
    assert_allclose(math.degrees(found.min_angle_), math.degrees(found.bound_), atol=5e-3)


@pytest.mark.parametrize(("n", "optimum"), [(13, 57.13670), (14, 55.67057)])
def test_the_polish_takes_the_best_of_some_starts_to_optima_that_losses_miss(n, optimum):
    found = SphereDispersion(max_iter=100, n_init=5, random_state=0).fit(cloud(n, 3))
    assert_allclose(math.degrees(found.min_angle_), optimum, atol=1e-5)
    assert_allclose(found.optimality_, 1, atol=1e-9)


def test_the_mean_of_the_nearest_angles_is_largest_elsewhere_than_the_least_for_five_points():
    plain, polished = (
        SphereDispersion(learning_rate=0.05, max_iter=200, n_init=4, polish=polish, random_state=0).fit(cloud(5, 3))
        for polish in (False, True)
    )
    assert math.degrees(-plain.loss_) > 90.7
    assert math.degrees(plain.min_angle_) < 89.2
    assert_allclose(math.degrees(polished.min_angle_), 90, atol=1e-6)


@pytest.mark.parametrize("loss", ["riesz_energy", "lloyd", "sliced_dispersion", partial(kernel_energy, gamma=4.0)])
def test_every_loss_spreads(loss):
    x = cloud(20, 3) + 2
    found = SphereDispersion(loss, max_iter=150, learning_rate=0.05, polish=False, random_state=0).fit(x)
    assert degrees(found.embedding_) > 10 * degrees(x)


def test_attributes_say_what_was_reached():
    x = cloud(12, 3)
    found = SphereDispersion(max_iter=60, learning_rate=0.1, random_state=0).fit(x)
    assert_allclose(np.linalg.norm(found.embedding_, axis=1), 1, rtol=1e-14)
    assert_allclose(found.min_angle_, min_angle(found.embedding_), rtol=1e-12)
    assert found.bound_ == tammes_bound(12, 3)
    assert_allclose(found.optimality_, 1, atol=1e-9)
    assert found.n_iter_ == 60
    assert_array_equal(found.history_.iteration, np.arange(61))
    assert found.history_.loss[-1] == found.loss_
    assert not hasattr(found, "transform")
    assert_array_equal(pickle.loads(pickle.dumps(found)).embedding_, found.embedding_)


def test_without_polish_the_loss_is_that_of_the_points():
    found = SphereDispersion(max_iter=50, polish=False, random_state=0).fit(cloud(30, 5))
    assert_allclose(found.loss_, mma(torch.tensor(found.embedding_)).item(), rtol=1e-12)
    assert found.loss_ < found.history_.loss[0]


def test_the_size_decides_whether_auto_polishes(monkeypatch):
    monkeypatch.setattr("skgeom.optim._sphere_dispersion._POLISHED", 20)
    auto, plain = (
        SphereDispersion(max_iter=5, polish=polish, random_state=0).fit(cloud(21, 4)) for polish in ("auto", False)
    )
    assert_array_equal(auto.embedding_, plain.embedding_)
    few = SphereDispersion(max_iter=5, random_state=0).fit(cloud(20, 4))
    assert few.min_angle_ > plain.min_angle_


@pytest.mark.parametrize("flag", [True, False])
def test_flags_may_come_from_numpy(flag, capsys):
    given, plain = (
        SphereDispersion(max_iter=3, polish=one, verbose=one, random_state=0).fit(cloud(9, 3))
        for one in (np.bool_(flag), flag)
    )
    assert_array_equal(given.embedding_, plain.embedding_)
    assert bool(capsys.readouterr().out) == flag


def test_more_starts_are_never_worse():
    x = cloud(13, 3)
    one, six = (SphereDispersion(max_iter=40, n_init=k, polish=False, random_state=0).fit(x) for k in (1, 6))
    assert six.loss_ <= one.loss_
    assert_array_equal(SphereDispersion(max_iter=40, polish=False).fit(x).embedding_, one.embedding_)


@pytest.mark.parametrize("parameters", [{}, {"batch_size": 7}, {"loss": "lloyd"}, {"n_init": 3}])
def test_one_seed_gives_one_result_and_leaves_the_global_generators_alone(parameters):
    estimator = SphereDispersion(max_iter=20, polish=False, random_state=3).set_params(**parameters)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (clone(estimator).fit(cloud(20, 3)).embedding_ for _ in range(2))
    assert_array_equal(first, second)
    assert_array_equal(torch.get_rng_state(), torch_state)
    assert_array_equal(np.random.get_state()[1], numpy_state)


def test_the_length_of_rows_does_not_matter_and_x_is_not_written_to():
    x = cloud(15, 4)
    scaled = x * np.logspace(-150, 150, 15)[:, None]
    x.setflags(write=False)
    ends = [SphereDispersion(max_iter=20, polish=False).fit_transform(rows) for rows in (x, scaled)]
    assert_allclose(ends[0], ends[1], atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("polish", [True, False])
def test_the_embedding_comes_as_the_rows_came(backend, dtype, polish):
    x = backend.asarray(cloud(9, 3), dtype)
    found = SphereDispersion(max_iter=10, polish=polish, random_state=0).fit(x)
    assert type(found.embedding_) is type(x)
    assert found.embedding_.dtype == x.dtype
    assert_allclose(found.min_angle_, min_angle(to_numpy(found.embedding_)), rtol=1e-5)


def test_rows_of_one_direction_are_parted():
    x = np.repeat(cloud(4, 3), 3, axis=0) * np.arange(1, 13)[:, None]
    for loss in ("mma", "koleo"):
        found = SphereDispersion(loss, max_iter=300, learning_rate=0.05, polish=False, random_state=0).fit(x)
        assert math.degrees(found.min_angle_) > 50


def test_batches_spread_many_points():
    x = cloud(600, 16) + 1
    found = SphereDispersion(batch_size=100, max_iter=240, random_state=0).fit(x)
    assert found.min_angle_ > 1.3 * min_angle(x)
    assert found.n_iter_ == 240


def test_frames_give_names_to_the_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(cloud(9, 3), columns=["a", "b", "c"])
    found = SphereDispersion(max_iter=2, polish=False).set_output(transform="pandas")
    assert list(found.fit_transform(frame).columns) == ["spheredispersion0", "spheredispersion1", "spheredispersion2"]
    assert list(found.feature_names_in_) == ["a", "b", "c"]


# when something goes wrong


class Failing:
    """MMA until some call, then something else."""

    def __init__(self, calls, then):
        self.calls, self.then = calls, then

    def __call__(self, x):
        self.calls -= 1
        return mma(x) if self.calls >= 0 else self.then(x)


def interrupt(x):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("then", "message"), [(interrupt, "it was interrupted"), (lambda x: mma(x) * math.nan, "the loss became nan")]
)
def test_an_interrupt_and_a_loss_that_is_not_finite_keep_the_best_state(then, message):
    x = cloud(20, 3)
    with pytest.warns(ConvergenceWarning, match=message):
        found = SphereDispersion(Failing(30, then), n_init=2, max_iter=100, polish=False, random_state=0).fit(x)
    assert found.n_iter_ in (29, 30)
    assert degrees(found.embedding_) > degrees(x)
    assert_allclose(found.loss_, mma(torch.tensor(found.embedding_)).item(), rtol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"loss": "isoscore"}, ValueError, "loss must be one of"),
        ({"loss": "silhouette_objective"}, ValueError, "loss must be one of"),
        ({"loss": lambda x: 1.0}, TypeError, "0-d tensor"),
        ({"loss": lambda x: mma(x).detach()}, ValueError, "no gradient"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"batch_size": 1}, ValueError, "batch_size"),
        ({"n_init": 0}, ValueError, "n_init"),
        ({"polish": "always"}, ValueError, "polish must be one of"),
        ({"polish": 2}, ValueError, "polish must be one of"),
        ({"device": "gpu"}, ValueError, "device must be"),
        ({"verbose": -1}, ValueError, "verbose"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, error, message):
    with pytest.raises(error, match=message):
        SphereDispersion(**parameters).fit(cloud(9, 3))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((5, 1)), "number of features of X must be at least 2"),
        (np.ones((1, 3)), "1 sample"),
        (np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 1.0]]), "zero"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "NaN"),
    ],
)
def test_rows_without_a_sphere_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        SphereDispersion().fit(x)


def test_progress_is_printed_if_asked_for(capsys):
    SphereDispersion(max_iter=20, polish=False, verbose=True).fit(cloud(5, 3))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith("[SphereDispersion] iteration 20 of 20: loss -")
