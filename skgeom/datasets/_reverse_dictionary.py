"""The real data set that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.utils import Bunch


def load_reverse_dictionary(*, return_X_y: bool = False) -> Any:
    """Load sentence embeddings of English nouns and of their dictionary definitions.

    The 4,000 nouns most frequent in WordNet's tagged corpora and, row for row, their definitions (glosses) in
    WordNet 3.0, embedded with all-MiniLM-L6-v2. The embeddings are the model's mean-pooled output before its
    final normalisation, so their lengths carry information; they are stored in half precision. The label of a
    row is the noun's semantic class in WordNet (animal, artifact, feeling, ...). The data serve

    * shape: the isotropy of a real space, and how whitening changes it;
    * classification and clustering: the class from ``data``; zero-shot by ``prompt_embeddings``;
    * alignment and retrieval: the reverse dictionary finds the word (``lemma``) for a definition (``data``).

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of the Bunch.

    Returns
    -------
    Bunch
        data : ndarray of shape (4000, 384), float32
            Embeddings of the definitions.
        lemma : ndarray of shape (4000, 384), float32
            Embeddings of the nouns.
        words : ndarray of shape (4000,), str
            The nouns.
        target : ndarray of shape (4000,), int64
            Class of the noun, an index into `target_names`.
        target_names : ndarray of shape (26,), str
            The classes by WordNet's names, ``"noun.Tops"`` to ``"noun.time"``.
        tag_count : ndarray of shape (4000,), int64
            How often the sense occurs in the tagged corpora.
        prompts : ndarray of shape (26, 5), str
            Five descriptions of each class.
        prompt_embeddings : ndarray of shape (26, 5, 384), float32
            Their embeddings.
        DESCR : str
            How the data were made, licences, and the scores of simple methods.
    (data, target) : tuple
        If `return_X_y`.

    Notes
    -----
    The rows are sorted by `tag_count`: shuffle before you split. 674 rows share their definition with another
    row (synonyms); a split that must not leak takes its groups from
    ``np.unique(data, axis=0, return_inverse=True)``.

    Licences: WordNet 3.0 is Copyright 2006 by Princeton University, and its licence is in the package beside
    the data. The model is under Apache-2.0 and not part of the package, nor is the text of the definitions.

    References
    ----------
    Fellbaum 1998, WordNet: an electronic lexical database. Reimers & Gurevych 2019, Sentence-BERT,
    doi:10.18653/v1/D19-1410. Hill, Cho, Korhonen & Bengio 2016, Learning to understand phrases by embedding
    the dictionary, doi:10.1162/tacl_a_00080 (the task).

    Examples
    --------
    >>> from skgeom.datasets import load_reverse_dictionary
    >>> nouns = load_reverse_dictionary()
    >>> nouns.data.shape, str(nouns.words[4])
    ((4000, 384), 'year')
    >>> str(nouns.target_names[nouns.target[4]])
    'noun.time'
    """
    folder = files(__package__).joinpath("data")
    with folder.joinpath("reverse_dictionary.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        arrays = {name: _widened(stored[name]) for name in stored.files}
    data = arrays.pop("gloss")
    if return_X_y:
        return data, arrays["target"]
    return Bunch(data=data, **arrays, DESCR=folder.joinpath("README.md").read_text(encoding="utf-8"))


def _widened(array: np.ndarray) -> np.ndarray:
    """Return floats in float32 and integers in int64, the types that estimators compute with."""
    return array.astype({"f": np.float32, "i": np.int64}.get(array.dtype.kind, array.dtype))
