"""SiameseTransformer: one map of both rows of each pair."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skgeom.preprocessing import SiameseTransformer, Whitening

PAIRS = np.random.default_rng(0).normal(size=(40, 2, 6)) * np.arange(1, 7)


@pytest.mark.parametrize("transformer", [Whitening(3), make_pipeline(StandardScaler(), Whitening())])
def test_it_is_the_transformer_of_all_rows_on_each_side(transformer):
    siamese = SiameseTransformer(transformer).fit(PAIRS, np.arange(40))
    rows = clone(transformer).fit(PAIRS.reshape(-1, 6))
    z = siamese.transform(PAIRS)
    for side in (0, 1):
        np.testing.assert_allclose(z[:, side], rows.transform(PAIRS[:, side]), atol=1e-12)
    assert_array_equal(siamese.fit_transform(PAIRS), z)
    assert_array_equal(pickle.loads(pickle.dumps(siamese)).transform(PAIRS), z)


def test_tensors_stay_tensors():
    z = SiameseTransformer(Whitening(3)).fit_transform(torch.tensor(PAIRS))
    assert isinstance(z, torch.Tensor)
    np.testing.assert_allclose(z, SiameseTransformer(Whitening(3)).fit_transform(PAIRS), atol=1e-10)


def test_pairs_may_pass_as_they_are():
    np.testing.assert_array_equal(SiameseTransformer("passthrough").fit_transform(PAIRS), PAIRS)
    z = torch.tensor(PAIRS)
    assert torch.equal(SiameseTransformer("passthrough").fit_transform(z), z)


def test_it_clones_and_refuses():
    siamese = SiameseTransformer(Whitening(3))
    assert clone(siamese).get_params()["transformer__n_components"] == 3
    with pytest.raises(NotFittedError):
        siamese.transform(PAIRS)
    for X in (PAIRS[:, 0], PAIRS[:, [0]], PAIRS[0, 0]):
        with pytest.raises(ValueError, match="expected \\(n_pairs, 2, n_features\\)"):
            siamese.fit(X)
    with pytest.raises(TypeError, match="sparse matrix"):
        SiameseTransformer(FunctionTransformer(csr_matrix)).fit(PAIRS).transform(PAIRS)
    with pytest.raises(ValueError, match="5 features"):
        siamese.fit(PAIRS).transform(PAIRS[:, :, :5])
