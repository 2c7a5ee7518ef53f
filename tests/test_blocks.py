"""Rows that come in blocks, once: what is built on sums has the answers of one array, all else asks for the rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner
from skgeom.metrics import average_cosine, isoscore, modality_gap
from skgeom.metrics._measure import MEASURES
from skgeom.preprocessing import AllButTheTop, Whitening
from skgeom.summary import paired_summary

N, D = 600, 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D)) * np.arange(1, D + 1) + 3
Y = X @ RNG.normal(size=(D, D)) + RNG.normal(size=(N, D))

OF_SUMS = {
    "average_cosine",
    "effective_rank",
    "isoscore",
    "isoscore_star",
    "isotropy_defect",
    "isotropy_objective",
    "participation_ratio",
    "partition_isotropy_first_order",
    "partition_isotropy_second_order",
    "rankme",
    "spectrum_slope",
    "spherical_variance",
    "stable_rank",
}


def blocks(x, cuts=(100, 101, 351)):
    """Return rows in uneven blocks, one of one row."""
    return iter(np.split(x, cuts))


def test_measures_of_one_cloud_are_those_of_one_array_or_ask_for_it():
    answered = set()
    for name, row in MEASURES.items():
        if row.needs == "cloud":
            try:
                found = row(blocks(X))
            except ValueError as error:
                assert "all rows are needed at once" in str(error)  # noqa: PT017
            else:
                assert_allclose(found, row(X), rtol=1e-12, err_msg=name)
                answered.add(name)
    assert answered == OF_SUMS


def test_debiased_measures_and_the_gap_of_two_streams_are_sums_too():
    assert_allclose(isoscore(blocks(X), debias=True), isoscore(X, debias=True), rtol=1e-12)
    assert_allclose(modality_gap(blocks(X), blocks(Y)), modality_gap(X, Y), rtol=1e-12)
    assert_allclose(modality_gap(X, blocks(Y)), modality_gap(X, Y), rtol=1e-12)


TRANSFORMERS = [Whitening(3), Whitening(shrinkage="oas"), AllButTheTop(2), AllButTheTop(projection="raw")]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_a_transformer_fitted_to_blocks_is_that_of_one_array(transformer):
    whole, fitted = clone(transformer).fit(X), clone(transformer).fit(blocks(X))
    assert (fitted.n_samples_seen_, fitted.n_features_in_) == (N, D)
    parts = clone(transformer).partial_fit(blocks(X[:300], [7])).partial_fit(X[300:301]).partial_fit(iter([X[301:]]))
    for other in (fitted, parts):
        assert_allclose(other.transform(X), whole.transform(X), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("aligner", [ProcrustesAligner(), LstsqAligner(alpha="gcv"), CCAAligner()], ids=repr)
def test_an_aligner_fitted_to_blocks_is_that_of_one_array(aligner):
    whole = clone(aligner).fit(X, Y)
    parts = (
        clone(aligner)
        .partial_fit(blocks(X[:300], [7]), blocks(Y[:300], [7]))
        .partial_fit(iter([X[300:]]), iter([Y[300:]]))
    )
    for other in (clone(aligner).fit(blocks(X), blocks(Y)), parts):
        assert_allclose(other.coef_, whole.coef_, rtol=1e-9, atol=1e-9)
        assert other.n_samples_seen_ == N
    if not isinstance(aligner, ProcrustesAligner):
        assert clone(aligner).fit(blocks(X), blocks(Y[:, 0])).predict(X).shape == (N,)


def test_a_stream_is_read_once_a_block_at_a_time():
    alive = []

    def counted():
        for block in np.split(X, 20):
            alive.append(block)
            yield block

    stream = counted()
    whitening = Whitening().fit(stream)
    assert len(alive) == 20
    with pytest.raises(ValueError, match=r"blocks of 0 sample\(s\) while a minimum of 2"):
        whitening.fit(stream)
    assert whitening.n_samples_seen_ == N


def test_attributes_of_a_fit_to_blocks_of_tensors_carry_no_graph():
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(z, requires_grad=True) for z in (X, Y))
    whitening, aligner = (
        Whitening().fit(iter([x[:9], x[9:]])),
        LstsqAligner().fit(iter([x[:9], x[9:]]), iter([y[:9], y[9:]])),
    )
    for fitted, expected in (
        (whitening.whitening_matrix_, Whitening().fit(X).whitening_matrix_),
        (aligner.coef_, LstsqAligner().fit(X, Y).coef_),
    ):
        assert not fitted.requires_grad
        assert_allclose(fitted.numpy(), expected, rtol=1e-9, atol=1e-9)
    isoscore(iter([x[:9], x[9:]])).backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Whitening().fit(iter([X, X[:, :3]])), ValueError, "has 3 features .* but the first one has 6"),
        (lambda: average_cosine(iter([X, X[:, :1]])), ValueError, "has 1 features .* but the first one has 6"),
        (lambda: Whitening().fit(iter([X, X * np.nan])), ValueError, "a block of X contains NaN"),
        (lambda: average_cosine(iter([X, 0 * X])), ValueError, "a block of X has 600 zero rows"),
        (lambda: Whitening().fit(iter([X[:1]])), ValueError, r"blocks of 1 sample\(s\) while a minimum of 2"),
        (lambda: Whitening().fit(blocks(X), sample_weight=np.ones(N)), ValueError, "sample_weight is for arrays"),
        (lambda: Whitening().fit(X).partial_fit(iter([X[:, :3]])), ValueError, "X has 3 features, but Whitening is"),
        (lambda: LstsqAligner().fit(blocks(X), Y), TypeError, "X and y must be iterators of blocks"),
        (lambda: LstsqAligner().fit(blocks(X), blocks(Y), np.ones(N)), ValueError, "sample_weight is not supported"),
        (lambda: LstsqAligner().fit(blocks(X), iter([Y])), ValueError, "inconsistent numbers of samples"),
        (lambda: paired_summary(*[blocks(X)] * 2), ValueError, "X and Y are one iterator"),
        (lambda: ProcrustesAligner().fit(*[blocks(X)] * 2), ValueError, "X and y are one iterator"),
        (lambda: LstsqAligner().partial_fit(*[blocks(X)] * 2), ValueError, "X and y are one iterator"),
        (lambda: LstsqAligner().fit(blocks(X), iter([Y[:100]])), ValueError, "y has fewer blocks"),
        (lambda: paired_summary(iter([X[:100]]), blocks(Y)), ValueError, "X has fewer blocks"),
        (lambda: LstsqAligner().fit(iter([X, X]), iter([Y, Y[:, :1]])), ValueError, "has 1 features"),
        (lambda: LstsqAligner().fit(X, Y).partial_fit(iter([X]), iter([Y[:, :1]])), ValueError, "y has 1 features"),
    ],
)
def test_blocks_that_are_no_cloud_are_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()
