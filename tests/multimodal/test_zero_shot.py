"""The zero-shot classifier: its three rules, prompts, aligner, contracts, and what is refused."""

import numpy as np
import pandas
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_validate
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skgeom.alignment import LstsqAligner
from skgeom.datasets import load_reverse_dictionary, make_embedding_pair
from skgeom.multimodal import ZeroShotClassifier

LOGITS = ["cosine", "dot", "distance"]


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def task(k=5, prompts=3, d=8, n=200):
    """Return prompts in random order with their classes, and queries with theirs."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(k, d)) * np.linspace(1, 3, k)[:, None]
    y = rng.permutation(np.repeat(np.arange(k), prompts))
    truth = rng.integers(0, k, n)
    names = np.array(["ant", "bee", "cat", "dog", "elk"])[:k]
    return (
        centres[y] + 0.3 * rng.normal(size=(len(y), d)),
        names[y],
        centres[truth] + rng.normal(size=(n, d)),
        names[truth],
    )


def naive_logits(logits, x, prompts, y):
    columns = []
    for name in np.unique(y):
        if logits == "cosine":
            columns.append(unit(x) @ unit(unit(prompts[y == name]).mean(0)))
        else:
            c = prompts[y == name].mean(0)
            columns.append(x @ c if logits == "dot" else 1 - ((x - c) ** 2).sum(1) / 2)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("prompts", [1, 3])
def test_logits_probabilities_and_classes_are_those_of_the_definition(logits, prompts):
    p, y, x, _ = task(prompts=prompts)
    classifier = ZeroShotClassifier(logits=logits, temperature=0.1).fit(p, y)
    expected = naive_logits(logits, x, p, y)
    np.testing.assert_allclose(classifier.decision_function(x), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(classifier.predict_proba(x), softmax(expected / 0.1, axis=1), atol=1e-9)
    np.testing.assert_array_equal(classifier.predict(x), np.unique(y)[expected.argmax(1)])


def test_on_unit_rows_the_three_rules_are_one():
    p, y, x, _ = task(prompts=1)
    found = [ZeroShotClassifier(logits=name).fit(unit(p), y).decision_function(unit(x)) for name in LOGITS]
    np.testing.assert_allclose(found[1], found[0], atol=1e-14)
    np.testing.assert_allclose(found[2], found[0], atol=1e-14)


def test_distance_is_the_rule_of_the_nearest_mean():
    p, y, x, _ = task()
    found = ZeroShotClassifier(logits="distance").fit(p, y).predict(x)
    np.testing.assert_array_equal(found, NearestCentroid().fit(p, y).predict(x))


def test_the_temperature_changes_probabilities_and_no_class():
    p, y, x, _ = task()
    cold, warm = (ZeroShotClassifier(temperature=t).fit(p, y) for t in (1e-4, 10.0))
    np.testing.assert_array_equal(cold.predict(x), warm.predict(x))
    assert np.median(cold.predict_proba(x).max(1)) > 0.99
    assert warm.predict_proba(x).max() < 0.3


@pytest.mark.parametrize("logits", LOGITS)
def test_the_first_of_equal_classes_wins(logits):
    classifier = ZeroShotClassifier(logits=logits).fit(np.ones((3, 2)), ["c", "a", "b"])
    assert classifier.classes_.tolist() == ["a", "b", "c"]
    assert classifier.predict([[1.0, 2.0], [3.0, -1.0]]).tolist() == ["a", "a"]


def test_the_first_of_equal_class_embeddings_wins_whatever_a_product_rounds():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(50, 512)).astype(np.float32)
    classifier = ZeroShotClassifier().fit(np.vstack([centres, centres]), np.arange(100))
    assert classifier.predict(rng.normal(size=(500, 512)).astype(np.float32)).max() < 50


def test_two_classes_have_one_decision_value():
    classifier = ZeroShotClassifier().fit([[1.0, 0], [0, 1.0]], [0, 1])
    np.testing.assert_allclose(classifier.decision_function([[3.0, 4.0], [1, 0], [1, 1]]), [0.2, -1, 0], atol=1e-15)
    assert classifier.predict([[3.0, 4.0], [1, 0], [1, 1]]).tolist() == [1, 0, 0]


def test_one_class_takes_all():
    classifier = ZeroShotClassifier().fit([[1.0, 0]], ["only"])
    assert classifier.predict([[3.0, 4.0]]).tolist() == ["only"]
    assert classifier.predict_proba([[3.0, 4.0]]).tolist() == [[1.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_queries_stays(dtype):
    p, y, x, _ = task()
    for logits in LOGITS:
        classifier = ZeroShotClassifier(logits=logits).fit(p, y)
        assert classifier.predict_proba(x.astype(dtype)).dtype == dtype
        assert classifier.class_embeddings_.dtype == np.float64


@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e200])
def test_cosines_ignore_scale(scale):
    p, y, x, _ = task()
    expected = ZeroShotClassifier().fit(p, y).decision_function(x)
    np.testing.assert_allclose(
        ZeroShotClassifier().fit(p * scale, y).decision_function(x / scale), expected, atol=1e-12
    )


# Aligners


def test_an_aligner_maps_the_queries_first():
    a, b, truth = make_embedding_pair(400, 12, n_targets=8, noise=0.05, random_state=0, return_truth=True)
    y = np.arange(400) % 4
    aligner = FrozenEstimator(FunctionTransformer(lambda x: x @ truth.rotation).fit(a))
    prompts = np.stack([b[y == c][0] for c in range(4)])
    classifier = ZeroShotClassifier(aligner=aligner).fit(prompts, range(4))
    expected = ZeroShotClassifier().fit(prompts, range(4)).predict(a @ truth.rotation)
    assert classifier.n_features_in_ == 12
    np.testing.assert_array_equal(classifier.predict(a), expected)


def test_an_unfitted_aligner_is_refused_and_a_frozen_one_survives_clone():
    p, y, x, _ = task()
    with pytest.raises(NotFittedError, match="PCA"):
        ZeroShotClassifier(aligner=PCA(8)).fit(p, y)
    classifier = ZeroShotClassifier(aligner=FrozenEstimator(PCA(8).fit(x)))
    np.testing.assert_array_equal(clone(classifier).fit(p, y).predict(x), classifier.fit(p, y).predict(x))


def test_features_of_the_prompts_are_not_those_of_the_queries_of_an_aligner():
    prompts = pandas.DataFrame(np.eye(3), columns=list("abc"))
    queries = pandas.DataFrame(np.eye(5), columns=list("vwxyz"))
    classifier = ZeroShotClassifier().fit(prompts, range(3))
    classifier.set_params(aligner=FrozenEstimator(LstsqAligner().fit(queries, np.eye(5)[:, :3])))
    classifier.fit(prompts, range(3))
    assert classifier.n_features_in_ == 5
    assert not hasattr(classifier, "feature_names_in_")
    classifier.set_params(aligner=FunctionTransformer(lambda x: x[:, :3])).fit(prompts, range(3))
    assert not hasattr(classifier, "n_features_in_")
    np.testing.assert_array_equal(classifier.predict(np.eye(5)[:3]), range(3))


def test_an_aligner_to_another_width_is_refused():
    p, y, x, _ = task()
    with pytest.raises(ValueError, match="X has 5 features and the class embeddings has 8"):
        ZeroShotClassifier(aligner=PCA(5).fit(x)).fit(p, y).predict(x)


# Contracts


def test_it_is_the_last_step_of_a_pipeline_and_cross_validates():
    p, y, x, truth = task()
    pipeline = make_pipeline(Normalizer(), ZeroShotClassifier()).fit(p, y)
    assert pipeline.score(x, truth) > 0.8
    assert np.mean(cross_validate(ZeroShotClassifier(), x, truth)["test_score"]) > 0.8


def test_names_of_features_are_compared():
    pd = pytest.importorskip("pandas")
    p, y, x, _ = task(d=2)
    classifier = ZeroShotClassifier().fit(pd.DataFrame(p, columns=["u", "v"]), y)
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(pd.DataFrame(x, columns=["v", "u"]))


def test_glosses_find_the_class_that_prompts_name():
    data = load_reverse_dictionary()
    prompts = np.concatenate(list(data.prompt_embeddings))
    names = np.repeat(data.target_names, 5)
    truth = data.target_names[data.target]
    one = ZeroShotClassifier().fit(data.prompt_embeddings[:, 0], data.target_names).score(data.data, truth)
    many = ZeroShotClassifier().fit(prompts, names).score(data.data, truth)
    assert 0.3 < one < many


# What is refused


def test_a_temperature_that_is_not_positive_is_refused():
    p, y, _, _ = task()
    for bad in (0, 0.0, -1.0):
        with pytest.raises(ValueError, match="temperature must be a finite number from 1e-30"):
            ZeroShotClassifier(temperature=bad).fit(p, y)
    with pytest.raises(ValueError, match="temperature must be a finite number"):
        ZeroShotClassifier(temperature=np.inf).fit(p, y)
    with pytest.raises(TypeError, match="temperature must be a number"):
        ZeroShotClassifier(temperature="cold").fit(p, y)


def test_unknown_logits_are_refused():
    p, y, _, _ = task()
    with pytest.raises(ValueError, match=r"logits must be one of 'cosine', 'dot', 'distance'. Got 'l2'"):
        ZeroShotClassifier(logits="l2").fit(p, y)


def test_a_class_without_direction_is_refused():
    p, y = np.array([[1.0, 0], [0, 1], [0.1, 0.2], [-1, -2]]), ["cat", "dog", "elk", "elk"]
    with pytest.raises(ValueError, match="prompts of class 'elk' cancel"):
        ZeroShotClassifier().fit(p, y)
    with pytest.raises(ValueError, match="prompts of class 'dog' cancel"):
        ZeroShotClassifier().fit(p * [[1], [0], [1], [1]], y)
    assert ZeroShotClassifier(logits="distance").fit(p, y).predict(p[:2]).tolist() == ["cat", "dog"]


def test_a_zero_query_goes_to_the_first_class_with_a_warning():
    p, y, x, _ = task()
    x[:2] = 0
    with pytest.warns(UserWarning, match="X has 2 zero rows, without direction"):
        assert ZeroShotClassifier().fit(p, y).predict(x)[:2].tolist() == ["ant", "ant"]


def test_unseen_classes_are_refused_when_scored():
    p, y, x, truth = task()
    classifier = ZeroShotClassifier().fit(p, y)
    assert classifier.score(x, truth) == np.mean(classifier.predict(x) == truth)
    weights = np.arange(200.0)
    assert classifier.score(x, truth, weights) == pytest.approx(
        np.average(classifier.predict(x) == truth, weights=weights)
    )
    with pytest.raises(ValueError, match=r"y has class 'fox', which was not seen at fit: .*'ant', 'bee'"):
        classifier.score(x, ["fox", *truth[1:]])


def test_unfit_input_is_refused():
    p, y, x, _ = task()
    with pytest.raises(ValueError, match="Found 14 classes for 15 rows"):
        ZeroShotClassifier().fit(p, y[:-1])
    with pytest.raises(ValueError, match="requires y to be passed"):
        ZeroShotClassifier().fit(p, None)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        ZeroShotClassifier().fit(p, np.linspace(0, 1, 15))
    with pytest.raises(ValueError, match="Input y contains NaN, None or infinity"):
        ZeroShotClassifier().fit(p, [None, *y[1:]])
    with pytest.raises(NotFittedError):
        ZeroShotClassifier().predict(x)
    with pytest.raises(ValueError, match="X has 7 features, but ZeroShotClassifier is expecting 8"):
        ZeroShotClassifier().fit(p, y).predict(x[:, :7])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        ZeroShotClassifier().fit(p, y).predict(x * np.nan)
