"""Judges: values by hand with scikit-learn, planted truths, what is refused, and what the answer looks like."""

import json
import re
import warnings
from functools import cache
from html import escape

import numpy as np
import pytest
import sklearn
import torch
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.metrics.pairwise import cosine_similarity, paired_cosine_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skgeom._core import _threads
from skgeom._core._jackknife import jackknife
from skgeom.comparison import neighbour_overlap
from skgeom.model_selection import (
    _judges,
    default_transforms,
    judge_classes,
    judge_clusters,
    judge_neighbours,
    judge_retrieval,
    judge_similarity,
)
from skgeom.model_selection._judgement import Judged, answered
from skgeom.model_selection._probe import PENALTIES
from skgeom.model_selection._trial import chance_of, split_of
from skgeom.preprocessing import AllButTheTop, Whitening

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 8)) * np.arange(1, 9) + 2
LABELS = (X[:, 0] + RNG.normal(size=160) > 2).astype(int)
PAIRS, SCORES = RNG.normal(size=(160, 2, 8)) * np.arange(1, 9) + 1, RNG.integers(0, 6, 160)
TRIED = {"as is": "passthrough", "white": PCA(whiten=True), "ours": Whitening(), "half": Whitening(4, power=0.5)}
EACH = pytest.mark.parametrize(
    ("name", "transform"), [("as is", None), ("white", PCA(whiten=True)), ("ours", PCA(whiten=True))]
)
JUDGES = {
    "classes": lambda **k: judge_classes(X, LABELS, **k),
    "similarity": lambda **k: judge_similarity(PAIRS, SCORES, **k),
    "clusters": lambda **k: judge_clusters(X, LABELS, **k),
    "silhouette": lambda **k: judge_clusters(X, n_clusters=3, **k),
    "neighbours": lambda **k: judge_neighbours(X, **k),
}


@pytest.mark.parametrize("frame", ["pandas", "polars"])
@pytest.mark.parametrize(
    "judge", [*JUDGES.values(), lambda: judge_retrieval(*np.moveaxis(PAIRS, 1, 0))], ids=[*JUDGES, "pairs"]
)
def test_a_setting_of_scikit_learn_for_frames_changes_nothing(judge, frame):
    pytest.importorskip(frame)
    with sklearn.config_context(transform_output=frame):
        found = str(judge())
    assert found == str(judge())


@pytest.fixture
def splits(monkeypatch):
    """Return the folds that a judge uses, once it has run."""
    seen = []

    def remembered(*args):
        seen.append(split_of(*args))
        return seen[-1]

    monkeypatch.setattr(_judges, "split_of", remembered)
    return seen


def by_hand(score, splits, rows_of, transform):
    """Return the mean over folds of a score of rows under a transform that was fitted to the other folds."""
    (split, _), *_ = splits
    values = []
    for f in range(split.fold.max() + 1):
        test = split.fold == f
        z = rows_of if transform is None else transform.fit(rows_of[~test]).transform(rows_of)
        values.append((test.sum(), score(z, split, test)))
    return np.average([v for _, v in values], weights=[n for n, _ in values])


@pytest.mark.parametrize(
    ("name", "transform"), [("as is", None), ("white", PCA(whiten=True)), ("ours", PCA(whiten=True))]
)
def test_classes_are_judged_by_a_probe_whose_penalty_the_next_fold_chooses(splits, name, transform):
    def accuracy(z, split, test):
        inner = split.fold == (split.fold[test][0] + 1) % 5
        z, train = z / np.linalg.norm(z[~test], axis=1).mean(), ~test & ~inner
        chosen = max(
            PENALTIES, key=lambda c: LogisticRegression(C=c).fit(z[train], LABELS[train]).score(z[inner], LABELS[inner])
        )
        return LogisticRegression(C=chosen).fit(z[~test], LABELS[~test]).score(z[test], LABELS[test])

    judged = {one.name: one for one in judge_classes(X, LABELS, transforms=TRIED).transforms}
    assert judged[name].score == pytest.approx(by_hand(accuracy, splits, X, transform), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "transform"), [("as is", None), ("white", PCA(whiten=True)), ("ours", PCA(whiten=True))]
)
def test_similarity_is_spearmans_correlation_of_held_out_pairs(splits, name, transform):
    judged = {one.name: one for one in judge_similarity(PAIRS, SCORES, transforms=TRIED).transforms}
    (split, _), *_ = splits
    values = []
    for f in range(5):
        test = split.fold == f
        rows = PAIRS if transform is None else None
        if transform is not None:
            fit = transform.fit(PAIRS[~test].reshape(-1, 8))
            rows = np.stack([fit.transform(PAIRS[:, side]) for side in (0, 1)], axis=1)
        values.append(spearmanr(1 - paired_cosine_distances(rows[test, 0], rows[test, 1]), SCORES[test]).statistic)
    assert judged[name].score == pytest.approx(np.mean(values), abs=1e-9)


@pytest.mark.parametrize("with_labels", [True, False])
@pytest.mark.parametrize(("name", "transform"), [("as is", None), ("white", PCA(whiten=True))])
def test_clusters_are_those_of_k_means_on_the_other_folds(splits, with_labels, name, transform):
    def score(z, split, test):
        known = np.argsort(-((split.fold - split.fold[test][0]) % 5), kind="stable")[: (~test).sum()]
        clusters = KMeans(3, n_init=4, random_state=0).fit(z[known]).predict(z[test])
        return adjusted_rand_score(LABELS[test], clusters) if with_labels else silhouette_score(z[test], clusters)

    found = judge_clusters(X, LABELS if with_labels else None, n_clusters=3, transforms=TRIED)
    judged = {one.name: one for one in found.transforms}
    assert judged[name].score == pytest.approx(by_hand(score, splits, X, transform), abs=1e-6)


def test_neighbours_are_those_of_scikit_learn(splits):
    def kept(z, split, test):
        nearest = [
            NearestNeighbors(n_neighbors=11, metric="cosine").fit(rows).kneighbors(rows, return_distance=False)
            for rows in (X[test], z[test])
        ]
        return np.mean([len(set(a) & set(b)) - 1 for a, b in zip(*nearest, strict=True)]) / 10

    judged = {one.name: one for one in judge_neighbours(X, transforms=TRIED).transforms}
    assert judged["as is"].score == 1
    assert judged["white"].score == pytest.approx(by_hand(kept, splits, X, PCA(whiten=True)), abs=1e-12)


def test_the_error_of_an_overlap_is_that_of_leaving_out_blocks_of_a_fold(splits, monkeypatch):
    blocks, blocks_of = [], _judges._blocks
    monkeypatch.setattr(_judges, "_blocks", lambda *args: blocks.append(blocks_of(*args)) or blocks[-1])
    x = np.concatenate([X, X[:40]])
    found = {one.name: one for one in judge_neighbours(x, transforms=TRIED).transforms}

    def squared_error(z, split, test):
        codes = blocks[split.fold[test][0]]
        for group in np.unique(split.groups[test]):
            assert np.unique(codes[split.groups[test] == group]).size == 1
        without = [neighbour_overlap(x[test][codes != b], z[test][codes != b]) for b in range(codes.max() + 1)]
        return jackknife(neighbour_overlap(x[test], z[test]), np.array(without), np.bincount(codes)).error ** 2

    (split, _), *_ = splits
    shares = np.bincount(split.fold) / len(x)
    squares = [
        squared_error(PCA(whiten=True).fit(x[split.fold != f]).transform(x), split, split.fold == f) for f in range(5)
    ]
    expected = np.sqrt(np.sum(shares**2 * squares))
    assert found["white"].measures["standard_error"] == pytest.approx(expected, rel=1e-6)
    assert found["as is"].measures["standard_error"] == found["as is"].margin == 0
    assert 1.8 < found["white"].margin / expected < 3
    _, as_is = judge_neighbours(x, transforms={"white": TRIED["white"], "as is": "passthrough"}).transforms
    assert as_is.margin > 0 == as_is.measures["standard_error"]


@pytest.mark.parametrize("with_labels", [True, False])
def test_all_rows_of_a_group_are_in_one_fold(with_labels):
    groups = np.random.default_rng(0).integers(0, 60, 300)
    split, _ = split_of(groups, chance_of(5, 0.95, 1000, 0), 10_000, groups % 3 if with_labels else None)
    assert all(np.unique(split.fold[groups == group]).size == 1 for group in range(60))
    assert np.unique(split.fold).size == 5


def test_folds_keep_the_shares_of_the_classes_that_lead_groups_of_several():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    leads = rng.permutation(np.repeat([0, 1], [45, 15]))
    codes = np.where(np.arange(300) % 5 < 2, 1 - leads[groups], leads[groups])  # two of five rows are of the other one
    split, _ = split_of(groups, chance_of(5, 0.95, 1000, 0), 10_000, codes)
    fold = split.fold[::5]
    assert all(np.unique(split.fold[groups == group]).size == 1 for group in range(60))
    assert [np.bincount(leads[fold == f]).tolist() for f in range(5)] == [[9, 3]] * 5
    other = rng.permuted(np.arange(300).reshape(60, 5), axis=1).ravel()  # order within groups does not matter
    assert np.array_equal(split_of(groups, chance_of(5, 0.95, 1000, 0), 10_000, codes[other])[0].fold, split.fold)


@pytest.mark.parametrize("n_classes", [2, 20, 59])
def test_groups_may_hold_several_classes_even_those_that_lead_few_groups(n_classes):
    groups = np.repeat(np.arange(60), 10)
    codes = (groups + np.arange(600) % 10) % n_classes
    if n_classes == 2:
        codes = np.where(groups < 57, np.arange(600) % 10 > 7, np.arange(600) % 10 > 2).astype(int)  # 1 leads three
    x = np.random.default_rng(0).normal(size=(600, 4)) + 9 * np.cos(np.outer(codes, np.arange(1, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for judge in (judge_classes, judge_clusters):
            found = judge(x, codes, groups=groups, transforms=TRIED | {"half": Whitening(2)}, n_resamples=100)
            assert (found.n_rows, found.notes) == (600, ())
    if n_classes == 2:
        assert judge_classes(x, codes, groups=groups, transforms=TRIED, n_resamples=100).transforms[0].score == 1


def test_few_groups_have_no_error_by_leaving_out():
    found = judge_neighbours(X, groups=np.arange(160) // 4, transforms=TRIED)
    assert "standard_error" not in found.transforms[0].measures
    assert found.transforms[1].margin > 0


def test_retrieval_removes_the_mean_of_each_side_and_ranks_both_ways(splits):
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(150, 6)) + 1
    A = Y + 0.7 * rng.normal(size=(150, 6)) - 3

    def mrr(u, v):
        s = cosine_similarity(u, v)
        return np.mean([1 / (1 + (side > np.diag(side)[:, None]).sum(axis=1)) for side in (s, s.T)])

    judged = {one.name: one for one in judge_retrieval(A, Y).transforms}
    (split, _), *_ = splits
    as_is, centred, white = [], [], []
    for f in range(5):
        test = split.fold == f
        u, v = (side - side[~test].mean(axis=0) for side in (A, Y))
        both = PCA(whiten=True).fit(np.concatenate([u[~test], v[~test]]))
        as_is.append(mrr(A[test], Y[test]))
        centred.append(mrr(u[test], v[test]))
        white.append(mrr(both.transform(u[test]), both.transform(v[test])))
    assert judged["as is"].score == pytest.approx(np.mean(as_is), abs=1e-12)
    assert judged["centred"].score == pytest.approx(np.mean(centred), abs=1e-12)
    assert judged["Whitening(6, power=1)"].score == pytest.approx(np.mean(white), abs=1e-9)
    assert judged["as is"].measures.keys() == {"recall@1", "recall@10", "mrr_csls"}


def test_spaces_of_two_widths_are_judged_by_the_aligners():
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(150, 6))
    found = judge_retrieval(Y @ rng.normal(size=(6, 9)), Y)
    assert [one.name for one in found.transforms] == ["Procrustes", "least squares", "canonical correlations"]
    assert found.best.name == "least squares"
    assert found.best.score == pytest.approx(1)


# Planted truths


def noisy_pairs(seed, weights, noisy=0):
    """Return pairs whose likeness is the judgement, in all features but the last ones, with weights of the features."""
    rng = np.random.default_rng(seed)
    A, noise = rng.normal(size=(2, 400, 12))
    scores = rng.uniform(size=400)
    B = A + (1.5 - scores)[:, None] * noise
    B[:, 12 - noisy :] = rng.normal(size=(400, noisy))
    return np.stack([A, B], axis=1) * weights, scores


@cache
def judged_seeds(kind):
    weights = {"helps": [12] + 11 * [1], "harms": 6 * [1] + 6 * [0.05], "nothing": 12 * [1]}[kind]
    tried = {"as is": "passthrough", **{f"power {p}": Whitening(power=p) for p in (0.25, 0.5, 1.0)}}
    return [
        judge_similarity(*noisy_pairs(seed, weights, 6 * (kind == "harms")), transforms=tried, n_resamples=500)
        for seed in range(50)
    ]


def test_where_whitening_helps_the_answer_is_yes():
    assert [one.answer for one in judged_seeds("helps")] == ["yes"] * 50
    assert all(isinstance(one.recommended, Whitening) for one in judged_seeds("helps"))


def test_where_whitening_harms_the_answer_is_never_yes_and_the_loss_is_measured():
    for one in judged_seeds("harms"):
        assert one.answer != "yes"
        assert one.transforms[-1].effect == "worse"
        assert one.recommended == "passthrough"


def test_where_nothing_can_be_told_the_answer_is_hardly_ever_yes():
    assert sum(one.answer == "yes" for one in judged_seeds("nothing")) <= 2


def test_labels_without_meaning_give_no_answer():
    answers = [
        judge_classes(X, np.random.default_rng(seed).integers(0, 2, 160), transforms=TRIED, n_resamples=300).answer
        for seed in range(20)
    ]
    assert answers.count("yes") <= 2


# Contracts


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_a_judgement_is_reproducible_and_can_be_read_by_people_and_machines(judge):
    found = judge(transforms=TRIED, n_resamples=200)
    assert found == judge(transforms=TRIED, n_resamples=200)
    assert [one.name for one in found.transforms] == list(TRIED)
    assert found.transforms[0].difference == found.transforms[0].margin == 0
    assert [one.n_features for one in found.transforms] == [8, 8, 8, 4]
    read = json.loads(found.to_json())
    assert read["verdict"] == found.verdict
    assert [row["name"] for row in read["transforms"]] == list(TRIED)
    assert found.verdict in str(found)
    assert f"<strong>{escape(found.verdict)}</strong>" in found._repr_html_()
    frame = found.to_frame()
    assert frame.shape == (4, 5 + len(found.transforms[0].measures))
    assert frame[found.score_name].tolist() == [one.score for one in found.transforms]


@pytest.mark.parametrize(
    ("leads", "margin", "answer"), [(0.1, 0.05, "yes"), (0.1, 0.2, "not measurable"), (-0.1, 0, "no")]
)
def test_the_recommendation_has_the_name_of_its_transform(leads, margin, answer):
    rows = [Judged("first", 4, 0.5, 0.0, 0.0, {}), Judged("other", 4, 0.5 + leads, leads, margin, {})]
    tried = {"first": Whitening(1), "other": Whitening(2)}
    found = answered("classes", "accuracy", rows, tried, 0.95, 100, 5, ())
    assert found.answer == answer
    assert found.recommended is tried[found.to_dict()["recommended"]]
    found = answered("classes", "accuracy", rows, {**tried, "first": "passthrough"}, 0.95, 100, 5, ())
    assert found.to_dict()["recommended"] == ("other" if answer == "yes" else "passthrough")


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_names_of_transforms_cannot_break_the_page(judge):
    page = judge(transforms={"<b>": "passthrough", "&": Whitening()}, n_resamples=200)._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_tensors_are_judged_as_arrays_are():
    ours = judge_classes(torch.tensor(X), LABELS, transforms=TRIED, n_resamples=200)
    assert ours == judge_classes(X, LABELS, transforms=TRIED, n_resamples=200)


def test_copies_stay_together_and_add_no_evidence(splits):
    once = judge_similarity(PAIRS, SCORES, transforms=TRIED)
    thrice = judge_similarity(np.tile(PAIRS, (3, 1, 1)), np.tile(SCORES, 3), transforms=TRIED)
    folds = splits[-1][0].fold.reshape(3, 160)
    assert (folds == folds[0]).all()
    assert thrice.transforms[1].margin == pytest.approx(once.transforms[1].margin, rel=0.5)


def test_small_classes_are_left_out_and_said():
    labels = LABELS.copy()
    labels[:3] = 7
    found = judge_classes(X, labels, transforms=TRIED, n_resamples=200)
    assert found.n_rows == 157
    assert found.notes == ("Classes of fewer than 5 different rows were left out: 1.",)


def test_few_rows_are_said():
    found = judge_neighbours(RNG.normal(size=(60, 30)))
    assert found.notes == (
        "Rows are few for the widest whitenings, which shrink the covariance: more rows may change the answer.",
    )
    assert found.transforms[-2].name == "Whitening(30, power=1, shrinkage='ledoit_wolf')"


def test_more_rows_than_are_looked_at_are_sampled(monkeypatch):
    monkeypatch.setattr(_judges, "MAX_PAIRS", 100)
    found = judge_neighbours(X, transforms=TRIED)
    assert (found.n_rows, found.notes) == (100, ("A random sample of 100 of 160 took part.",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_folds": 1}, "n_folds"),
        ({"n_folds": 50}, "at least 200"),
        ({"confidence": 1}, "between 0 and 1"),
        ({"n_resamples": 5}, "n_resamples"),
        ({"transforms": {}}, "at least two"),
        ({"groups": np.zeros(160)}, "different rows"),
        ({"groups": np.zeros(3)}, "groups"),
    ],
)
@pytest.mark.parametrize("judge", [JUDGES[name] for name in ("similarity", "silhouette", "neighbours")])
def test_what_does_not_fit_is_refused(judge, options, words):
    with pytest.raises(ValueError, match=words):
        judge(**options)


@pytest.mark.parametrize(
    ("transforms", "error", "words"),
    [
        ({"a": "passthrough", "b": "drop"}, TypeError, r"transforms\['b'\] is 'drop', expected a transformer"),
        ({"a": "passthrough", "b": Whitening}, TypeError, r"transforms\['b'\] is <class .*, expected a transformer"),
        ({"a": None, "b": Whitening()}, TypeError, r"transforms\['a'\] is None, expected a transformer"),
        ({"a": np.eye(3), "b": Whitening()}, TypeError, r"transforms\['a'\] is array"),
        ([Whitening(), Whitening(2)], TypeError, "transforms must be a dict from names to transformers, got a list"),
        ({"a": "passthrough", "b": OneHotEncoder(handle_unknown="ignore")}, TypeError, "output of 'b'"),
        (
            {"a": "passthrough", "b": FunctionTransformer(lambda z: z * np.nan)},
            ValueError,
            "output of 'b' contains NaN",
        ),
        (
            {"a": "passthrough", "b": FunctionTransformer(lambda z: z[::2])},
            ValueError,
            r"The output of 'b' has \d+ rows for \d+ rows",
        ),
        ({"a": "passthrough", 1: Whitening()}, TypeError, "transforms has the name 1, expected a string"),
    ],
)
@pytest.mark.parametrize("judge", [JUDGES[name] for name in ("classes", "similarity", "silhouette", "neighbours")])
def test_what_is_no_transform_is_refused_by_its_name(judge, transforms, error, words):
    with pytest.raises(error, match=words):
        judge(transforms=transforms, n_resamples=100)


@pytest.mark.parametrize(
    ("judge", "transform", "words"),
    [
        ("similarity", FunctionTransformer(lambda z: np.where(z > 3, z, 0)), "zero row"),
        ("neighbours", FunctionTransformer(lambda z: np.where(z > 9, z, 0)), "zero row"),
        ("classes", FunctionTransformer(np.ones_like), "no spread"),
        ("silhouette", SelectKBest(k=2), "requires y"),
    ],
)
def test_an_exception_names_the_transform_under_which_it_was_raised(judge, transform, words):
    with pytest.raises(ValueError, match=words) as caught:
        JUDGES[judge](transforms={"as is": "passthrough", "odd": transform})
    assert re.fullmatch(r"Raised in fold \d under the transform 'odd'\.", caught.value.__notes__[0])


def test_pairs_that_are_all_linked_are_refused_with_the_reason():
    pairs = np.stack([X[:-1], X[1:]], axis=1)  # each shares a row with the next
    with pytest.raises(ValueError, match=r"got 1\. Without groups, .* pairs that a chain of common rows links"):
        judge_similarity(pairs, SCORES[1:])
    found = judge_similarity(pairs, SCORES[1:], groups=np.arange(159) // 4, transforms=TRIED, n_resamples=100)
    assert found.n_rows == 159


def test_more_clusters_than_rows_to_learn_from_are_refused():
    with pytest.raises(ValueError, match="n_clusters must be at least 2 and at most 128, got 129"):
        judge_clusters(X, n_clusters=129, transforms=TRIED)


def test_a_probe_wants_three_folds():
    assert judge_classes(X, LABELS, n_folds=3, transforms=TRIED, n_resamples=100).n_folds == 3
    assert judge_similarity(PAIRS, SCORES, n_folds=2, transforms=TRIED, n_resamples=100).n_folds == 2
    with pytest.raises(ValueError, match="n_folds"):
        judge_classes(X, LABELS, n_folds=2)


def test_labels_that_are_not_classes_are_refused():
    with pytest.raises(ValueError, match="two or more classes"):
        judge_classes(X, np.r_[np.zeros(157), 1, 1, 1])
    with pytest.raises(ValueError):
        judge_classes(X, np.arange(160))


def test_the_default_transforms():
    wide = np.random.default_rng(0).normal(size=(150, 70))
    found = default_transforms(wide)
    assert list(found)[:2] == ["as is", "centred"]
    assert isinstance(found["centred"], StandardScaler)
    assert list(found)[-1] == "AllButTheTop(1)"
    widths = {e.n_components: e.shrinkage for e in found.values() if isinstance(e, Whitening)}
    assert widths == {16: None, 64: "ledoit_wolf", 70: "ledoit_wolf"}
    assert {e.power for e in found.values() if isinstance(e, Whitening)} == {0.25, 0.5, 1.0}
    assert sorted(
        e.n_components
        for e in default_transforms(np.tile(wide, (1, 6))[:, :400]).values()
        if isinstance(e, AllButTheTop)
    ) == [1, 4]
    with pytest.raises(ValueError):
        default_transforms(np.ones((9, 3)))


def test_the_verdict_says_the_confidence_that_was_asked_for():
    found = judge_similarity(PAIRS, SCORES, transforms=TRIED, confidence=0.975, n_resamples=200)
    assert "(97.5%)" in found.verdict


def test_a_judge_leaves_the_filters_of_warnings_as_they_were(monkeypatch):
    monkeypatch.setattr(_threads, "_blas_threads", lambda: 5)
    x, before = RNG.normal(size=(60, 30)), list(warnings.filters)
    for _ in range(5):
        judge_neighbours(x)
        assert warnings.filters == before
