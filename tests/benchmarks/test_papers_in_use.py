"""The scripts on classes, pictures, dispersion in tasks and conformity in use find what was planted."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from skgeom.datasets import make_embedding_pair

D = 12


@pytest.fixture(scope="module")
def scripts():
    """Return the modules, which lie beside the package and are not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        names = ("_inputs", "multimodal_classes", "multimodal_maps", "dispersion_in_tasks", "conformity_in_use")
        names = (*names, "multimodal_isotropy", "double_ellipsoid")
        return SimpleNamespace(**{name: import_module(f"benchmarks.papers.{name}") for name in names})


@pytest.fixture(scope="module")
def labelled(scripts):
    """Return six classes of rows around the axes, 30 of each for training and 10 held out."""
    rng = np.random.default_rng(0)
    c = np.repeat(np.arange(6), 40)
    x = np.eye(D)[c] + 0.1 * rng.normal(size=(len(c), D))
    return scripts._inputs.large_classes("axes", x, c, np.arange(len(c)) % 4 > 0)


def test_small_classes_are_left_out(scripts, labelled):
    c = np.concatenate([labelled.c, [6] * 16])
    x = np.vstack([labelled.x, np.zeros((16, D))])
    kept = scripts._inputs.large_classes("axes", x, c, np.full(len(c), True))
    assert kept.name == "axes (6 classes)"
    assert len(kept.x) == len(labelled.x)


def test_few_labels_suffice_for_separate_classes(scripts, labelled):
    rows = scripts.multimodal_classes.drawn(labelled.c, 4, 0)
    assert np.bincount(labelled.c[rows]).tolist() == [4] * 6
    assert len(set(rows.tolist())) == 24
    (centroid, _), (logistic, _) = scripts.multimodal_classes.few_labels(labelled, np.asarray, 4)
    assert min(centroid, logistic) > 0.95
    found = scripts.multimodal_classes.probe(labelled, None)
    assert min(found.values()) > 0.95


def test_a_rotation_serves_new_classes_too(scripts):
    y, x = make_embedding_pair(400, D, noise=0.0, slope=0.0, random_state=0)
    c = np.random.default_rng(0).integers(8, size=400)
    classes = scripts.multimodal_classes
    assert classes.recall_known_and_new(classes.ProcrustesAligner, x, y, c) == (1, 1)
    assert max(classes.recall_known_and_new(None, x, y, c)) < 0.5


def test_maps_find_translations_of_a_rotation(scripts):
    y, x = make_embedding_pair(200, D, noise=0.0, slope=0.0, random_state=0)
    isotropy = scripts.multimodal_isotropy
    fits = {"none": isotropy.nothing, **isotropy.transforms("retrieval")}
    found = isotropy.held_out_recalls(scripts._inputs.Pairs("turned", x, y), fits)
    assert found["none"] < 0.5
    assert found["Procrustes"] == found["least squares"] == 1


def test_neighbours_of_modalities_that_lie_apart(scripts):
    x = np.random.default_rng(0).normal(size=(40, D)) * (np.arange(D) > 0)
    far = np.eye(D)[0] * 100
    own, partner, across = scripts.multimodal_maps.neighbourhood(np.vstack([x, x + far]))
    assert (own, partner) == (1, 0)
    assert across > 0.9
    assert scripts.multimodal_maps.neighbourhood(np.vstack([x, x + 1e-6]))[0] == 0


def test_a_simplex_of_codes_is_as_good_as_one_hot(scripts, labelled):
    tasks = scripts.dispersion_in_tasks
    found = tasks.prototypes(labelled, 6, 5, 0)
    assert found["spread angle"] == pytest.approx(np.degrees(np.arccos(-1 / 5)), abs=1e-3)
    assert found["spread"] == tasks.by_codes(labelled, np.eye(6)) == 1
    assert found["random angle"] < found["spread angle"]


def test_generators_have_the_faults_they_are_named_for(scripts):
    x = np.random.default_rng(0).normal(size=(400, D)) + 1
    found = scripts.conformity_in_use.generators(x)
    assert len(np.unique(found["40 rows"], axis=0)) == 40
    np.testing.assert_allclose(found["pushed out by half"].var(axis=0), 2.25 * x.var(axis=0))
    np.testing.assert_allclose(found["halfway to the mean"].mean(axis=0), x.mean(axis=0))
    assert np.trace(np.cov(found["means of three"].T)) == pytest.approx(np.trace(np.cov(x.T)) / 3, rel=0.2)
    *_, share, copies = scripts.conformity_in_use.judged(found["40 rows"], x[:200], x[200:])
    assert copies == "1.00"
    assert float(share) < 1


def test_contrasts_of_planted_partners(scripts):
    found = scripts.conformity_in_use.contrasts(np.eye(D), np.roll(np.eye(D), 1, axis=0) + 2 * np.eye(D))
    assert (found["above"] == 0).all()
    worst = scripts.conformity_in_use.contrasts(np.eye(D), np.roll(np.eye(D), 1, axis=0) + 0.5 * np.eye(D))
    np.testing.assert_allclose(worst["above"], 1 / (D - 1))


def test_the_mean_is_the_centre_that_keeps_length(scripts):
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(400, 256))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    cells = scripts.double_ellipsoid.centred_paths(directions + np.eye(256)[0])
    lengths = [float(cell.split("(")[1][:-1]) for cell in cells]
    at = dict(zip(scripts.double_ellipsoid.CENTRES.tolist(), lengths, strict=True))
    assert at[1.0] == pytest.approx(1, abs=0.02)
    assert at[2.0] < 0.9
