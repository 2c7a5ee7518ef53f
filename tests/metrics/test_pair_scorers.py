"""Scorers of aligned pairs: what they score, what they pick, what they refuse."""

import pickle

import numpy as np
import pytest
import sklearn
from numpy.random import default_rng
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skgeom._core._rows import unit
from skgeom.alignment import LstsqAligner, ProcrustesAligner
from skgeom.metrics import csls_scorer, paired_cosine, paired_cosine_scorer, recall_scorer, retrieval_score

SCORERS = [recall_scorer(1), recall_scorer(5), csls_scorer(1), paired_cosine_scorer]


def pairs(n=80, d=12, noise=0.7):
    rng = default_rng(0)
    y = rng.normal(size=(n, d))
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return y @ rotation + noise * rng.normal(size=(n, d)), y


def test_the_scores_are_those_of_the_mapped_rows():
    x, y = pairs()
    aligner = ProcrustesAligner().fit(x[:40], y[:40])
    mapped = aligner.transform(x[40:])
    assert recall_scorer(3)(aligner, x[40:], y[40:]) == retrieval_score(mapped, y[40:], k=3).recall
    assert csls_scorer(3)(aligner, x[40:], y[40:]) == retrieval_score(mapped, y[40:], k=3, metric="csls").recall
    assert paired_cosine_scorer(aligner, x[40:], y[40:]) == paired_cosine(mapped, y[40:])


def test_the_paired_cosine_is_a_mean_of_cosines():
    x, y = pairs()
    cosines = np.sum(x * y, axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert_allclose(paired_cosine(x, y), cosines.mean(), rtol=1e-12)


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_they_work_in_cross_validation_of_a_pipeline(scorer):
    x, y = pairs()
    scores = cross_validate(make_pipeline(StandardScaler(), ProcrustesAligner()), x, y, scoring=scorer, cv=4)
    assert 0 < scores["test_score"].mean() <= 1


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_a_search_takes_several_and_refits_by_one(scorer):
    x, y = pairs()
    scoring = {"this": scorer, "r2": "r2"}
    search = GridSearchCV(LstsqAligner(), {"alpha": [0.1, 10.0]}, scoring=scoring, refit="this", cv=3).fit(x, y)
    assert search.score(x, y) == scorer(search, x, y)


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_they_pickle_and_have_a_name(scorer):
    x, y = pairs()
    aligner = ProcrustesAligner().fit(x, y)
    again = pickle.loads(pickle.dumps(scorer))
    assert repr(again) == repr(scorer)
    assert again(aligner, x, y) == scorer(aligner, x, y)


def test_names_say_what_is_scored():
    names = ["recall_scorer(1)", "recall_scorer(5)", "csls_scorer(1)", "paired_cosine_scorer"]
    assert [repr(s) for s in SCORERS] == names


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_pairs_may_live_in_any_library(scorer, backend):
    x, y = pairs()
    expected = scorer(ProcrustesAligner().fit(x, y), x, y)
    given = backend.asarray(x), backend.asarray(y)
    assert_allclose(scorer(ProcrustesAligner().fit(*given), *given), expected, rtol=1e-9)


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_missing_targets_are_an_error_in_words(scorer):
    x, y = pairs()
    with pytest.raises(ValueError, match="needs the rows that belong to those of X: pass y"):
        scorer(ProcrustesAligner().fit(x, y), x)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (1.5, TypeError), ("1", TypeError)])
@pytest.mark.parametrize("make", [recall_scorer, csls_scorer])
def test_bad_cutoffs_are_refused(make, k, error):
    with pytest.raises(error, match="k must be"):
        make(k)


# Real pairs


def halves(x, y):
    n = len(x) // 2
    return (x[:n], y[:n]), (x[n:], y[n:])


def test_recall_chooses_the_strength_of_a_ridge_on_real_pairs(data_folder):
    image, text = np.load(data_folder / "modality_gap_pairs.npz")["clip"].astype(np.float64)
    for x, y, unmapped, least in ((text, image, 0.608, 0.58), (image, text, 0.660, 0.62)):
        train, test = halves(x, y)
        assert_allclose(retrieval_score(*test).recall, unmapped, atol=5e-4)
        alphas = {"alpha": np.logspace(-2, 4, 7)}
        search = GridSearchCV(LstsqAligner(prior="identity"), alphas, scoring=recall_scorer(1)).fit(*train)
        assert search.score(*test) >= least
        assert recall_scorer(1)(ProcrustesAligner().fit(*train), *test) < 0.3
        assert recall_scorer(1)(LstsqAligner().fit(*train), *test) < 0.3


@pytest.mark.parametrize(("language", "least"), [("es", 0.54), ("de", 0.50), ("fr", 0.63), ("it", 0.50)])
def test_recall_chooses_the_better_of_two_aligners(data_folder, language, least):
    data = np.load(data_folder / "stsb_parallel_minilm.npz")
    order = default_rng(0).permutation(len(data["X_en"]))
    x, y = (unit(data[f"X_{name}"].astype(np.float64)[order]) for name in (language, "en"))
    n = len(x) - 2693
    candidates = [ProcrustesAligner(), LstsqAligner(), ProcrustesAligner(center=True)]
    pipeline = Pipeline([("align", ProcrustesAligner())])
    search = GridSearchCV(pipeline, {"align": candidates}, scoring=recall_scorer(1), cv=2).fit(x[:n], y[:n])
    plain = [recall_scorer(1)(a.fit(x[:n], y[:n]), x[n:], y[n:]) for a in candidates[:2]]
    assert plain[1] >= least
    assert search.best_params_["align"].center
    assert search.score(x[n:], y[n:]) >= max(plain)


def test_five_captions_of_an_image_are_all_relevant():
    rng = default_rng(0)
    images = np.repeat(rng.normal(size=(30, 8)), 5, axis=0)
    captions = images + 2 * rng.normal(size=(150, 8))
    image = np.repeat(rng.permutation(30), 5)
    aligner = ProcrustesAligner().fit(images, captions)
    relevant = np.argwhere(image[:, None] == image)
    expected = retrieval_score(aligner.transform(images), captions, relevant=relevant).recall
    assert recall_scorer(1)(aligner, images, captions, relevant=image) == expected
    assert expected > 2 * recall_scorer(1)(aligner, images, captions)
    with pytest.raises(ValueError, match="equal for rows that are relevant"):
        recall_scorer(1)(aligner, images, captions, relevant=relevant)
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            ProcrustesAligner(),
            images,
            captions,
            scoring=recall_scorer(1),
            params={"relevant": image, "groups": image},
            cv=GroupKFold(3),
            error_score="raise",
        )
    for (train, test), score in zip(GroupKFold(3).split(images, groups=image), found["test_score"], strict=True):
        fitted = ProcrustesAligner().fit(images[train], captions[train])
        assert score == recall_scorer(1)(fitted, images[test], captions[test], relevant=image[test])
