"""The real data set is what its documentation says."""

import numpy as np
import pytest

from skgeom.datasets import load_reverse_dictionary


@pytest.fixture(scope="module")
def nouns():
    return load_reverse_dictionary()


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("data", (4000, 384), "float32"),
        ("lemma", (4000, 384), "float32"),
        ("words", (4000,), "str"),
        ("target", (4000,), "int64"),
        ("target_names", (26,), "str"),
        ("tag_count", (4000,), "int64"),
        ("prompts", (26, 5), "str"),
        ("prompt_embeddings", (26, 5, 384), "float32"),
    ],
)
def test_arrays_have_the_documented_form(nouns, name, shape, kind):
    assert nouns[name].shape == shape
    assert nouns[name].dtype.name.startswith(kind)
    assert nouns[name].dtype.kind == "U" or np.isfinite(nouns[name]).all()


def test_names_are_the_documented_ones(nouns):
    assert set(nouns) == {
        *("data", "lemma", "words", "target", "target_names"),
        *("tag_count", "prompts", "prompt_embeddings", "DESCR"),
    }


def test_lengths_are_those_before_normalisation(nouns):
    lengths = np.linalg.norm(nouns.data, axis=1)
    assert lengths.mean() == pytest.approx(5.19, abs=0.01)
    assert lengths.std() > 0.1


def test_every_class_occurs_and_words_are_distinct(nouns):
    assert np.array_equal(np.unique(nouns.target), np.arange(26))
    assert np.unique(nouns.words).size == 4000


def test_rows_are_sorted_by_tag_count(nouns):
    assert (np.diff(nouns.tag_count) <= 0).all()


def test_pairs_match_better_than_chance(nouns):
    lemma, gloss = (x[:200] / np.linalg.norm(x[:200], axis=1, keepdims=True) for x in (nouns.lemma, nouns.data))
    recall = np.mean(np.argmax(gloss @ lemma.T, axis=1) == np.arange(200))
    assert recall > 0.3


def test_prompts_name_their_class(nouns):
    prompts = nouns.prompt_embeddings / np.linalg.norm(nouns.prompt_embeddings, axis=2, keepdims=True)
    nearest = np.argmax(nouns.data @ prompts.mean(axis=1).T, axis=1)
    assert np.mean(nearest == nouns.target) > 0.5


def test_x_and_y_alone_are_data_and_target(nouns):
    X, y = load_reverse_dictionary(return_X_y=True)
    np.testing.assert_array_equal(X, nouns.data)
    np.testing.assert_array_equal(y, nouns.target)


@pytest.mark.parametrize("text", ["WordNet 3.0", "Princeton University", "all-MiniLM-L6-v2", "Apache-2.0"])
def test_description_names_source_and_licences(nouns, text):
    assert text in nouns.DESCR
