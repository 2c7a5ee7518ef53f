"""The entry point for embeddings: a file, a folder of files, or word vectors of gensim.

A reader raises for errors in a file; errors in the numbers (NaN, too few rows) are found by the functions
that compute with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skgeom._validation import check_count
from skgeom.datasets._files._choice import Wanted, choose_matrix, choose_words, columns_of
from skgeom.datasets._files._formats import NAMED, UNNAMED, reading, shards, unknown_suffix
from skgeom.datasets._files._labels import read_labels
from skgeom.datasets._files._rows import Rows
from skgeom.datasets._files._source import Source


class _Read(NamedTuple):
    """The contents of a file: the rows, their words, and the columns that they come from, each None if absent."""

    data: np.ndarray
    words: np.ndarray | None
    columns: tuple[str, ...] | None


def load_embeddings(
    path: str | PathLike[str] | Any,
    *,
    key: str | None = None,
    labels: str | None = None,
    limit: int | None = None,
    pairs: bool = False,
) -> Bunch:
    r"""Read embeddings, and the words they belong to, from a file or a folder.

    The suffix determines the format. Any may be followed by ``.gz``, ``.bz2``, ``.xz`` or ``.zip``.

    ``.npy``
        One array. Unless packed, it is memory-mapped: rows are read when they are used, and the file may exceed the
        memory.
    ``.npz``, ``.safetensors``
        The array named `key`, by default the only matrix of floats, or else of integers. In an ``.npz``, words are
        the only array of n strings. A tensor of bfloat16 becomes float32, exactly.
    ``.parquet``, ``.feather``, ``.arrow``, ``.csv``, ``.tsv``, ``.json``, ``.jsonl``
        The column of vectors named `key`, by default the only one: lists of any or of a fixed length, tensors of one
        shape, or text as in ``"[0.1, 0.2]"`` or ``"0.1 0.2"``. Words are the only other column of text, apart from
        categorical (dictionary-encoded) columns, which have classes. A table without vectors has one feature per
        column: see below. Cells of ``.csv`` are separated by commas, semicolons or tabs, whichever all of its first
        lines fit; beside the last two, numbers may have decimal commas.
        JSON is an array of objects or of vectors, or has one of them per line.
    ``.txt``, ``.vec``
        word2vec, fastText or GloVe text: a word, then its d numbers, on each line. A first line "n d" is optional. The
        data are float32. Words may contain blanks, be blank, empty or end in a number, where the first line or
        the other lines settle d; bytes in them that are not UTF-8 become U+FFFD.
    ``.bin``
        word2vec binary, in which words have no blanks. The data are float32.

    A folder has shards: files of one format, read in the order of their names and the numbers in them, or those of a
    dataset that Hugging Face `datasets` saved. An object with `vectors` and `index_to_key`, such as gensim's
    `KeyedVectors`, is used without a copy.

    **Tables of numbers.** Features are the columns named alike but for a number (or by consecutive letters), or, if no
    names are, all columns. Integers and columns with such a name (id, label, score, ...) are not features. A column
    that remains ambiguous raises an error that names it; then select the features by a pattern as `key`:
    ``key="dim_*"``.

    Parameters
    ----------
    path : str, path-like or KeyedVectors
        The file, the folder, or the word vectors.
    key : str, default=None
        Name of the array, tensor or column, or pattern of columns, for files that can hold several; of a ``.zip`` of
        several files, the name of one.
    labels : str, default=None
        Name of the array or column, of the same file, with one label per row.
    limit : int, default=None
        Maximum number of rows, or of pairs, to read, from the start.
    pairs : bool, default=False
        Whether the rows come in pairs, as an array (n, 2, d) or (2, n, d).

    Returns
    -------
    Bunch
        data : ndarray of shape (n_samples, n_features), or (n_samples, 2, n_features) if `pairs`
            The embeddings in the precision in which they are stored, float64 if that is text of a table; read-only
            if memory-mapped. An array (n, 1, d) counts as (n, d).
        words : ndarray of shape (n_samples,) of str objects, or None
            The words, "" for missing ones. The dtype is object because one long word would widen a fixed-width array
            as a whole.
        feature_names : list of str, or None
            The columns, if each has one feature.
        labels : ndarray of shape (n_samples,), or None
            The labels, if requested: numbers or text, always text from ``.csv`` and ``.tsv``.

    Raises
    ------
    FileNotFoundError
        If the file or folder does not exist.
    ImportError
        If pyarrow or safetensors is needed and not installed.
    ValueError
        If the suffix is unknown, the file is damaged, incomplete or empty, or needs more memory than is available;
        `key` is missing, unknown or unnecessary; it is ambiguous which columns are features, or whether a comma or an
        integer at the end of a word belongs to it; the array is not a numeric matrix, a line or a vector has the wrong
        length, or a label is missing. Python objects are never unpickled.

    Warns
    -----
    UserWarning
        If the first line of a text announces at least twice the rows that follow, up to the end of a line: without
        `limit`, the file may be a part by mistake. Other files with fewer rows than announced are errors.

    Notes
    -----
    100,000 lines of 300 numbers take about six seconds, also with words of several parts. Text is read twice, first
    to count the lines. Without a first line "n d", d is how many numbers most of the first lines end with. Vectors
    in Parquet take as long as Arrow needs to read them.

    Text, Parquet and arrays need a few megabytes beyond the result. Tables whose number of rows is not known in advance
    need at most as much again as the result.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skgeom.datasets import load_embeddings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "cities.vec")
    ...     _ = path.write_text("2 3\nBern 1 0 0.5\nNew York 0 1 -0.5\n")
    ...     cities = load_embeddings(path)
    >>> cities.data.shape, cities.words
    ((2, 3), array(['Bern', 'New York'], dtype=object))
    """
    if limit is not None:
        limit = check_count(limit, "limit")
    if hasattr(path, "vectors") and hasattr(path, "index_to_key"):
        name, found = Path(type(path).__name__), _keyed_vectors(path, key or labels, limit)
    else:
        name = Path(path)
        files = shards(name)
        found = _joined(files, key, limit)
        if pairs and limit is not None and _has_sides_first(found.data.shape):
            found = _joined(files, key, None)  # the limit was that of the sides
    rows = real_rows(name, found.data, pairs=pairs)
    data = rows[:limit]
    return Bunch(
        data=data,
        words=None if found.words is None or len(found.words) != len(rows) else found.words[:limit],
        feature_names=None if found.columns is None else list(found.columns),
        labels=None if labels is None else read_labels(name, labels, len(data), limit)[0],
    )


def _keyed_vectors(vectors: Any, name: str | None, limit: int | None) -> _Read:
    if name is not None:
        raise ValueError(f"{type(vectors).__name__} has vectors and words only, got the name {name!r}. Leave it out.")
    words = np.array([str(word) for word in vectors.index_to_key[:limit]], dtype=object)
    check_not_empty(Path(type(vectors).__name__), words)
    return _Read(np.asarray(vectors.vectors)[: len(words)], words, None)


def _joined(files: Sequence[Path], key: str | None, limit: int | None) -> _Read:
    """Read all files, or the first of them that have enough rows, one after the other."""
    first = read_file(files[0], key, limit)
    if len(files) == 1:
        return first
    data, words = Rows(), Rows()
    for file in files:
        if data.size == limit:
            break
        part = first if file is files[0] else read_file(file, key, None if limit is None else limit - data.size)
        if part.data.shape[1:] != first.data.shape[1:]:
            raise ValueError(
                f"{file}: expected the columns of {files[0].name}, {first.data.shape[1:]}, got {part.data.shape[1:]}. "
                "Put the files of one model into a folder of their own."
            )
        check_same_columns(file, part.columns, files[0], first.columns)
        data.add(part.data)
        words.add(np.full(len(part.data), "", object) if part.words is None else part.words)
    return _Read(data.array(), None if first.words is None else words.array(), first.columns)


def check_same_columns(
    file: Path, columns: tuple[str, ...] | None, first: Path, expected: tuple[str, ...] | None
) -> None:
    """Check that two shards of one width have their features in columns of the same names, in the same order."""
    if columns == expected:
        return
    vectors = ("a column of vectors",)
    wanted, got = next(two for two in zip(expected or vectors, columns or vectors, strict=False) if two[0] != two[1])
    raise ValueError(
        f"{file}: expected the columns of {first.name} in their order, {wanted!r} where it has {got!r}. Write all "
        "files of a folder with the same columns."
    )


def read_file(path: Path, key: str | None, limit: int | None) -> _Read:
    """Return the contents of a file, or the first rows of it."""
    with reading(path):
        source = Source(path, key)
        found = _chosen(source, limit) if source.suffix in NAMED else _only(source, limit)
    check_not_empty(path, found.data)
    return found


def _only(source: Source, limit: int | None) -> _Read:
    if source.suffix not in UNNAMED:
        raise unknown_suffix(source)
    if source.key is not None:
        raise source.refused(f"it holds one table without a name, got key={source.key!r}. Leave the key out.")
    return _Read(*UNNAMED[source.suffix](source, limit), None)


def _chosen(source: Source, limit: int | None) -> _Read:
    with NAMED[source.suffix](source) as file:
        matrix = choose_matrix(file)
        words = choose_words(file, matrix)
        wanted = [matrix] if words is None else [matrix, Wanted((words,), False)]
        data, *texts = file.read(wanted, limit)
        return _Read(data, texts[0].astype(object) if texts else None, columns_of(file, matrix))


def real_rows(path: Path, data: np.ndarray, *, pairs: bool = False) -> np.ndarray:
    """Return real numbers in the requested shape."""
    if data.dtype.kind not in "fiub":
        raise ValueError(f"{path}: expected real numbers, got the dtype {data.dtype}. Save them as float32.")
    shape, expected = data.shape, "(n_samples, 2, n_features)" if pairs else "(n_samples, n_features)"
    if pairs and len(shape) == 3 and 2 in shape[:2]:
        data = np.moveaxis(data, 0, 1) if _has_sides_first(shape) else data
    elif not pairs and len(shape) == 3 and shape[1] == 1:
        data = data[:, 0]
    elif pairs or len(shape) != 2:
        remedy = "x[None, :] makes one row a matrix." if len(shape) == 1 else "Reshape it before you save it."
        raise ValueError(f"{path}: expected shape {expected}, got {shape}. {remedy}")
    return data


def _has_sides_first(shape: tuple[int, ...]) -> bool:
    """Return whether an array of pairs, or the first of its sides, is (2, n, d), not (n, 2, d)."""
    return len(shape) == 3 and shape[1] != 2


def check_not_empty(path: Path, data: Any) -> None:
    """Check that an array has rows and columns."""
    if 0 in data.shape:
        raise ValueError(f"{path} is empty: expected rows and columns, got the shape {data.shape}.")
