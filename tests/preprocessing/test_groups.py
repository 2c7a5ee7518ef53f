"""Centring and whitening of each modality or language by itself."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skgeom.metrics import isoscore_within
from skgeom.preprocessing import AllButTheTop, GroupAllButTheTop, GroupCentering, GroupWhitening, Whitening

EACH = [GroupCentering(), GroupWhitening(), GroupAllButTheTop(1)]


def two_groups():
    rng = np.random.default_rng(0)
    x = np.vstack([rng.normal(size=(60, 4)) * [1, 2, 3, 4], rng.normal(5, 1, size=(40, 4))])
    groups = np.array(["text"] * 60 + ["image"] * 40)
    order = rng.permutation(100)
    return x[order], groups[order]


def test_each_group_is_centred_by_its_own_mean():
    x, groups = two_groups()
    t = GroupCentering().fit(x, groups=groups)
    assert t.groups_ == ["image", "text"]
    z = t.transform(x, groups=groups)
    for g in t.groups_:
        np.testing.assert_allclose(z[groups == g], x[groups == g] - x[groups == g].mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("method", ["zca", "pca"])
def test_each_group_is_whitened_by_its_own_map(method):
    x, groups = two_groups()
    z = GroupWhitening(method=method).fit_transform(x, groups=groups)
    for g in ("image", "text"):
        np.testing.assert_allclose(z[groups == g], Whitening(method=method).fit_transform(x[groups == g]), atol=1e-12)


@pytest.mark.parametrize("projection", ["centered", "raw"])
def test_each_group_loses_its_own_leading_directions(projection):
    x, groups = two_groups()
    t = GroupAllButTheTop(2, projection=projection).fit(x, groups=groups)
    z = t.transform(x, groups=groups)
    for g in ("image", "text"):
        rows = x[groups == g]
        u = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:2]
        seen = rows if projection == "raw" else rows - rows.mean(axis=0)
        np.testing.assert_allclose(z[groups == g], rows - rows.mean(axis=0) - seen @ u.T @ u, atol=1e-12)
    assert [type(each) for each in t.transformers_] == [AllButTheTop] * 2
    assert list(t.get_feature_names_out()) == ["x0", "x1", "x2", "x3"]


def test_without_the_directions_that_groups_do_not_share_each_is_more_isotropic():
    rng = np.random.default_rng(0)
    x = np.vstack([rng.normal(size=(300, 9)) * np.where(np.arange(9) == j, 5, 1) for j in range(3)])
    groups = np.repeat([0, 1, 2], 300)
    assert isoscore_within(AllButTheTop(1).fit_transform(x), groups) < 0.4
    assert isoscore_within(GroupAllButTheTop(1).fit_transform(x, groups=groups), groups) > 0.8


@pytest.mark.parametrize("transformer", EACH)
def test_rows_of_one_group_can_be_transformed_alone_and_in_any_order(transformer):
    x, groups = two_groups()
    whole = transformer.fit_transform(x, groups=groups)
    some = np.flatnonzero(groups == "text")[::-1][:5]
    np.testing.assert_allclose(transformer.transform(x[some], groups=groups[some]), whole[some], atol=1e-12)


@pytest.mark.parametrize("transformer", EACH)
def test_without_groups_all_rows_are_one(transformer):
    x, _ = two_groups()
    with pytest.warns(UserWarning, match="fitted without groups: all rows are one group. Pass groups="):
        z = transformer.fit(x).transform(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("transformer", EACH)
def test_bad_groups_are_refused(transformer):
    x, groups = two_groups()
    with pytest.raises(ValueError, match="Found 3 groups for 100 rows"):
        transformer.fit(x, groups=groups[:3])
    transformer.fit(x, groups=groups)
    with pytest.raises(ValueError, match="Group 'audio' was not seen at fit, which had 'image', 'text'"):
        transformer.transform(x[:1], groups=["audio"])
    with pytest.raises(ValueError, match="groups is required"):
        transformer.transform(x)


def test_no_more_directions_of_a_group_are_removed_than_vary():
    x = np.random.default_rng(0).normal(size=(12, 5))
    with pytest.warns(UserWarning, match="in only 1 of the 3 directions to remove"):
        t = GroupAllButTheTop(3).fit(x, groups=[0, 0] + [1] * 10)
    assert [fit.n_components_ for fit in t.transformers_] == [1, 3]


@pytest.mark.parametrize("transformer", [GroupWhitening(), GroupAllButTheTop()])
def test_a_group_of_one_row_has_no_directions(transformer):
    x, groups = two_groups()
    groups = groups.astype(object)
    groups[0] = "audio"
    with pytest.raises(ValueError, match="Group 'audio' has fewer than 2 rows"):
        transformer.fit(x, groups=groups)


def test_groups_of_unequal_rank_need_a_number_of_components():
    x, groups = two_groups()
    x[groups == "text", 3] = 0
    with pytest.raises(ValueError, match=r"unequal width .*n_components=3"):
        GroupWhitening(method="pca").fit(x, groups=groups)
    assert GroupWhitening(3, method="pca").fit_transform(x, groups=groups).shape == (100, 3)
    assert GroupWhitening().fit_transform(x, groups=groups).shape == (100, 4)


def test_groups_are_routed_through_a_pipeline():
    x, groups = two_groups()
    with config_context(enable_metadata_routing=True):
        centring = GroupCentering().set_fit_request(groups=True).set_transform_request(groups=True)
        pipeline = make_pipeline(centring, LogisticRegression()).fit(x, groups == "text", groups=groups)
        accuracy = pipeline.score(x, groups == "text", groups=groups)
    assert accuracy < 0.75  # without the centroids little tells the modalities apart


def test_float32_rows_far_away_are_centred_to_the_last_digit():
    x = (np.random.default_rng(0).normal(size=(2000, 4)) + 1e4 + 1 / 3).astype(np.float32)
    z = GroupCentering().fit(x, groups=np.zeros(2000)).transform(x, groups=np.zeros(2000))
    assert np.abs(z.mean(axis=0, dtype=np.float64)).max() < 1e-6  # a mean rounded to float32 is off by 4e-4
