"""The shift moves the centres as the formula says, by modality, and through a pipeline."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skgeom.metrics import modality_gap
from skgeom.multimodal import GapShift


def two_groups(n=80):
    rng = np.random.default_rng(0)
    x = np.vstack([rng.normal([4, 1, 0, 0], 1, size=(n, 4)), rng.normal([0, 4, 1, 0], 1, size=(n, 4))])
    groups = np.repeat(["image", "text"], n)
    order = rng.permutation(2 * n)
    return x[order], groups[order]


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("lam", [-0.3, 0.0, 0.25, 1.0])
def test_rows_move_as_the_formula_says(lam):
    x, groups = two_groups()
    u, image = unit(x), groups == "image"
    gap = u[image].mean(0) - u[~image].mean(0)
    shift = GapShift(lam).fit(x, groups=groups)
    np.testing.assert_allclose(shift.gap_, gap, atol=1e-15)
    found = shift.transform(x, groups=groups)
    np.testing.assert_allclose(found[image], unit(u[image] - lam * gap), atol=1e-14)
    np.testing.assert_allclose(found[~image], unit(u[~image] + lam * gap), atol=1e-14)


def test_the_length_of_the_gap_is_the_modality_gap_and_half_of_it_closes_it():
    x, groups = two_groups()
    image, text = x[groups == "image"], x[groups == "text"]
    shift = GapShift().fit(x, groups=groups)
    assert np.linalg.norm(shift.gap_) == pytest.approx(modality_gap(image, text), rel=1e-12)
    z = shift.transform(x, groups=groups)
    assert modality_gap(z[groups == "image"], z[groups == "text"]) < 0.1 * modality_gap(image, text)


def test_the_names_of_the_groups_do_not_matter():
    x, groups = two_groups()
    renamed = np.where(groups == "image", 7, 3)
    np.testing.assert_allclose(
        GapShift().fit_transform(x, groups=groups), GapShift().fit_transform(x, groups=renamed), atol=1e-15
    )


def test_one_modality_alone_moves_as_it_does_with_the_other():
    x, groups = two_groups()
    shift = GapShift().fit(x, groups=groups)
    some = np.flatnonzero(groups == "text")[::-1][:5]
    whole = shift.transform(x, groups=groups)
    np.testing.assert_allclose(shift.transform(x[some], groups=groups[some]), whole[some], atol=1e-15)


def test_one_group_is_only_normalised():
    x, groups = two_groups()
    with pytest.warns(UserWarning, match="without groups: there is no gap.*Pass groups="):
        np.testing.assert_allclose(GapShift().fit_transform(x), unit(x), atol=1e-15)
    with pytest.warns(UserWarning, match="without groups: there is no gap"):
        GapShift().fit(x, groups)  # as y, which is ignored
    np.testing.assert_allclose(GapShift().fit(x, groups=["a"] * 160).transform(x), unit(x), atol=1e-15)


def test_zero_rows_stay_zero():
    x, groups = two_groups()
    x[3] = 0
    z = GapShift().fit_transform(x, groups=groups)
    np.testing.assert_array_equal(z[3], 0)
    np.testing.assert_allclose(np.linalg.norm(np.delete(z, 3, axis=0), axis=1), 1)


def test_lengths_of_rows_do_not_matter_at_any_scale():
    x, groups = two_groups()
    lengths = np.geomspace(1e-30, 1e30, 160)[:, None]
    expected = GapShift().fit_transform(x, groups=groups)
    np.testing.assert_allclose(GapShift().fit_transform(x * lengths, groups=groups), expected, atol=1e-14)
    single = GapShift().fit_transform(x.astype(np.float32), groups=groups)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-6)


def test_groups_are_routed_through_a_pipeline():
    x, groups = two_groups()
    with config_context(enable_metadata_routing=True):
        shift = GapShift().set_fit_request(groups=True).set_transform_request(groups=True)
        pipeline = make_pipeline(shift, LogisticRegression()).fit(x, groups == "text", groups=groups)
        assert pipeline.score(x, groups == "text", groups=groups) < 0.75


def test_pandas_output_keeps_the_names_of_features():
    x, groups = two_groups()
    z = GapShift().set_output(transform="pandas").fit_transform(x, groups=groups)
    assert list(z.columns) == ["x0", "x1", "x2", "x3"]


def test_unfit_input_is_refused():
    x, groups = two_groups()
    with pytest.raises(ValueError, match=r"A gap needs two groups, got 3: 'audio', 'image', 'text'"):
        GapShift().fit(x, groups=[*groups[:-1], "audio"])
    with pytest.raises(ValueError, match="Found 3 groups for 160 rows"):
        GapShift().fit(x, groups=groups[:3])
    with pytest.raises(TypeError, match="lam must be a number"):
        GapShift("half").fit(x, groups=groups)
    with pytest.raises(ValueError, match="lam must be a finite number"):
        GapShift(np.nan).fit(x, groups=groups)
    shift = GapShift().fit(x, groups=groups)
    with pytest.raises(ValueError, match="groups is required"):
        shift.transform(x)
    with pytest.raises(ValueError, match="Group 'audio' was not seen at fit"):
        shift.transform(x[:1], groups=["audio"])
