"""Bounds on the minimum angle of n points: known optima, known sharp codes, and no code beyond them."""

import csv
import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skgeom._core.pairs import _bounds
from skgeom._core.pairs._bounds import tammes_bound
from skgeom._core.pairs._minimax import soft_largest_cosine

SHARP = [(5, 16, 1 / 5), (6, 27, 1 / 4), (7, 56, 1 / 3), (8, 240, 1 / 2), (21, 112, 1 / 9), (21, 162, 1 / 7)]
SHARP += [(22, 100, 1 / 11), (22, 275, 1 / 6), (22, 891, 1 / 4), (23, 552, 1 / 5), (23, 4600, 1 / 3)]
SHARP += [(24, 196_560, 1 / 2), (3, 12, 5**-0.5), (4, 120, (1 + 5**0.5) / 4), (4, 24, 0.5), (4, 10, 1 / 6)]


@pytest.mark.parametrize(("d", "n", "cosine"), SHARP)
def test_sharp_codes_reach_the_bound(d, n, cosine):
    assert_allclose(tammes_bound(n, d), math.acos(cosine), rtol=1e-14)


def test_simplices_cross_polytopes_and_polygons_reach_the_bound():
    assert [tammes_bound(n, 2) for n in (2, 3, 17)] == [math.pi, 2 * math.pi / 3, 2 * math.pi / 17]
    assert [tammes_bound(n, 7) for n in (2, 3, 8)] == [math.acos(-1 / (n - 1)) for n in (2, 3, 8)]
    assert {tammes_bound(n, 7) for n in range(9, 15)} == {math.pi / 2}
    assert [tammes_bound(n, 1) for n in (2, 3)] == [math.pi, 0.0]


@pytest.mark.parametrize(("n", "polynomial"), [(7, (3, -9, -3, 1)), (8, (7, 2, -1)), (10, (7, -4, -2, 1))])
def test_proven_cosines_are_roots_of_their_polynomials(n, polynomial):
    assert abs(np.polyval(polynomial, math.cos(tammes_bound(n, 3)))) < 1e-12


def test_24_points_are_bounded_by_the_snub_cube():
    t = max(np.roots([1, -1, -1, -1]).real)
    points = np.array(
        [
            np.array(signs) * np.array([1, 1 / t, t])[list(order)]
            for order in itertools.permutations(range(3))
            for signs in itertools.product([1, -1], repeat=3)
            if signs.count(1) % 2 == sum(order[i] > order[j] for i, j in ((0, 1), (0, 2), (1, 2))) % 2
        ]
    )
    u = points / np.linalg.norm(points, axis=1)[:, None]
    assert u.shape == (24, 3)
    assert_allclose(math.cos(tammes_bound(24, 3)), np.sort(u @ u.T)[:, -2].max(), rtol=1e-12)


def test_fejes_toth_gives_the_faces_of_regular_solids():
    assert_allclose([math.cos(_bounds.fejes_toth(n)) for n in (3, 4, 6, 12)], [-0.5, -1 / 3, 0, 5**-0.5], atol=1e-15)
    assert_allclose(math.degrees(_bounds.fejes_toth(24)), 44.7150, atol=5e-5)


@pytest.mark.parametrize("d", [3, 4, 5, 8, 17])
def test_more_points_are_never_further_apart(d):
    bounds = [tammes_bound(n, d) for n in range(2, 400)]
    assert all(a >= b for a, b in itertools.pairwise(bounds))


@pytest.mark.parametrize("n", [5, 30, 300, 10**6])
def test_more_dimensions_are_never_closer(n):
    bounds = [tammes_bound(n, d) for d in range(2, 12)]
    assert all(a <= b for a, b in itertools.pairwise(bounds))


def test_no_known_code_exceeds_the_bound(data_folder):
    with (data_folder / "spherical_codes.csv").open() as file:
        for row in csv.DictReader(file):
            angle = float(row["sloane_angle_deg"] or row["min_angle_deg"])
            bound = math.degrees(tammes_bound(int(row["n_points"]), int(row["dimension"])))
            assert bound >= angle - 1e-7
            if row["status"] == "optimal":
                assert_allclose(bound, angle, atol=1e-7)


@pytest.mark.parametrize(("n", "d"), [(10**5, 3), (10**6, 4), (10**9, 12), (20_000, 64)])
def test_caps_of_half_the_bound_cover_the_sphere_nearly(n, d):
    # n caps of half the minimum angle do not overlap; a bound below what random codes reach would be wrong
    angles = np.linspace(0, np.pi, 100_001)
    density = np.sin(angles) ** (d - 2)
    share = np.cumsum(density) / density.sum()
    guaranteed = angles[np.searchsorted(share, 1 / n) - 1]  # a maximal code has at least 1 / share points
    assert guaranteed <= tammes_bound(n, d) <= 2 * angles[np.searchsorted(share, 1 / n) + 1]


def test_the_soft_cosine_is_its_definition(backend):
    x = np.random.default_rng(0).normal(size=(7, 4))
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = [u[i] @ u[j] for i in range(7) for j in range(7) if i != j]
    found = soft_largest_cosine(backend.asarray(x), 3.0)
    assert_allclose(found.largest, max(cosines), rtol=1e-14)
    assert_allclose(found.value, math.log(sum(math.exp(3 * c) for c in cosines)), rtol=1e-14)
    for i, k in ((0, 0), (6, 3)):
        step = np.zeros_like(x)
        step[i, k] = 1e-6
        ends = [soft_largest_cosine(backend.asarray(x + sign * step), 3.0).value for sign in (1, -1)]
        assert_allclose(float(found.gradient[i, k]), (ends[0] - ends[1]) / 2e-6, atol=1e-8)


def test_the_soft_cosine_does_not_depend_on_the_blocks(monkeypatch):
    x = np.random.default_rng(0).normal(size=(50, 3))
    whole = soft_largest_cosine(x, 1e4)
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 7 * 50 * 8)
    cut = soft_largest_cosine(x, 1e4)
    assert_allclose(cut.value, whole.value, rtol=1e-14)
    assert_allclose(cut.gradient, whole.gradient, rtol=1e-10, atol=1e-10)
