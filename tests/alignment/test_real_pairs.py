"""Real pairs: image and text, sentences and their translations, words of two languages."""

import numpy as np
import pytest
from scipy.special import logsumexp

from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def contrastive_loss(x, y, temperature=0.01):
    """Return NT-Xent, the mean of both directions, of pairs among each other."""
    logits = unit(x) @ unit(y).T / temperature
    return np.mean([np.mean(logsumexp(logits, axis=axis) - np.diag(logits)) for axis in (0, 1)])


def recall(x, y):
    """Return how often the nearest row of y by the cosine is the partner."""
    return np.mean(np.argmax(unit(x) @ unit(y).T, axis=1) == np.arange(len(x)))


@pytest.fixture(scope="module")
def clip(data_folder):
    with np.load(data_folder / "modality_gap_pairs.npz") as stored:
        image, text = stored["clip"].astype(np.float64)
    return unit(image), unit(text)


def test_procrustes_of_all_clip_pairs_brings_the_loss_down(clip):
    image, text = clip
    fitted = ProcrustesAligner().fit(image, text)
    assert contrastive_loss(image, text) == pytest.approx(1.80088599991, rel=1e-9)
    assert contrastive_loss(fitted.transform(image), text) == pytest.approx(0.314, abs=5e-4)
    assert fitted.residual_ == pytest.approx(144.4338, abs=5e-5)


def test_maps_of_half_of_the_clip_pairs_fail_on_the_other_half(clip):
    """250 pairs of 512 dimensions: as LAPACK completes it the rotation has a loss of 5.7 to 5.8, by its build."""
    image, text = clip
    losses = [contrastive_loss(image[250:], text[250:])]
    centred = (a[250:] - a[:250].mean(axis=0) for a in clip)
    losses.append(contrastive_loss(*centred))
    mapped = (a.fit(text[:250], image[:250]).transform(text[250:]) for a in (ProcrustesAligner(), LstsqAligner()))
    losses += [contrastive_loss(rows, image[250:]) for rows in mapped]
    assert losses == pytest.approx([1.300, 2.161, 5.414, 8.937], abs=5e-4)
    u, _, vt = np.linalg.svd(text[:250].T @ image[:250])
    assert 5.6 < contrastive_loss(text[250:] @ u @ vt, image[250:]) < 5.9


def test_a_rotation_that_pairs_leave_open_is_the_same_in_both_directions(clip):
    image, text = (a[:250] for a in clip)
    there, back = ProcrustesAligner().fit(image, text), ProcrustesAligner().fit(text, image)
    np.testing.assert_allclose(there.rotation_, back.rotation_.T, atol=1e-10)


def test_ridge_towards_the_identity_keeps_what_clip_knows(clip):
    image, text = clip
    for x, y, least in ((text, image, 0.58), (image, text, 0.62)):
        kept = LstsqAligner(alpha=1000, prior="identity").fit(x[:250], y[:250]).transform(x[250:])
        plain = LstsqAligner().fit(x[:250], y[:250]).transform(x[250:])
        assert recall(kept, y[250:]) >= least
        assert recall(plain, y[250:]) < 0.25


def sentences(data_folder, language):
    """Return training and held-out pairs of translations and English originals, of length one."""
    with np.load(data_folder / "stsb_parallel_minilm.npz") as stored:
        x, y = (unit(stored[f"X_{name}"].astype(np.float32)) for name in (language, "en"))
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:-2693], order[-2693:]
    return x[train], y[train], x[test], y[test]


@pytest.mark.parametrize(
    ("language", "least_squares", "rotation"),
    [("es", 0.54, 0.395), ("de", 0.50, 0.41), ("fr", 0.63, 0.50), ("it", 0.50, 0.34)],
)
def test_sentences_find_their_english_original(data_folder, language, least_squares, rotation):
    x, y, x_test, y_test = sentences(data_folder, language)
    for aligner, least in ((LstsqAligner(), least_squares), (ProcrustesAligner(), rotation)):
        assert recall(aligner.fit(x, y).transform(x_test), y_test) >= least


def test_shared_coordinates_of_sentences_find_more_than_maps_do(data_folder):
    x, y, x_test, y_test = sentences(data_folder, "es")
    fitted = CCAAligner(256, shrinkage=0.1).fit(x, y)
    u, v = fitted.transform(x_test), fitted.transform_target(y_test)
    assert recall(u, v) >= 0.65
    assert recall(u * fitted.canonical_correlations_, v * fitted.canonical_correlations_) >= 0.69


def test_cross_validation_in_closed_form_finds_nearly_the_best_penalty(data_folder):
    x, y, x_test, y_test = sentences(data_folder, "es")
    chosen, *fixed = (
        LstsqAligner(alpha=alpha, fit_intercept=True).fit(x, y).score(x_test, y_test)
        for alpha in ("gcv", 0.0, 0.1, 0.3, 1.0, 3.0)
    )
    assert chosen > fixed[0] + 0.04
    assert chosen > max(fixed) - 0.002


@pytest.mark.parametrize(("aligner", "least"), [(ProcrustesAligner(), 0.755), (LstsqAligner(), 0.75)], ids=repr)
def test_english_words_find_spanish_ones(data_folder, aligner, least):
    with np.load(data_folder / "words_w2v_en_es_50d.npz") as stored:
        en, es = (unit(stored[f"X_{name}"].astype(np.float64)) for name in ("en", "es"))
        train, test = stored["pairs_muse_en_es_train"], stored["pairs_muse_en_es_test"]
    en, es = en - en.mean(axis=0), es - es.mean(axis=0)
    words = np.unique(test[:, 0])
    mapped = aligner.fit(en[train[:, 0]], es[train[:, 1]]).transform(en[words])
    nearest = np.argmax(unit(mapped) @ unit(es).T, axis=1)
    pairs = set(map(tuple, test.tolist()))
    assert np.mean([(w, n) in pairs for w, n in zip(words, nearest, strict=True)]) >= least
