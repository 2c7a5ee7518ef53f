"""From arguments of the command line to a space: files of embeddings, labels and pairs.

Errors are exceptions with a message of one line: the requirement, the value received and the remedy.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skgeom._validation import check_cloud
from skgeom.datasets import load_embeddings, load_reverse_dictionary
from skgeom.datasets._files._delimited import dialect, is_delimited
from skgeom.datasets._files._formats import NAMED
from skgeom.datasets._files._labels import labels_nearby, read_labels, short
from skgeom.datasets._files._source import Source
from skgeom.datasets._files._tables import NUMBER
from skgeom.report._space import (
    Space,
    check_directed_pairs,
    check_directions,
    check_large_classes,
    check_pair_shape,
    check_positions_of_pairs,
)

_TITLE_WIDTH = 80


def embedded_space() -> Space:
    """Return the reverse dictionary that comes with the package, definitions paired with their words."""
    nouns = load_reverse_dictionary()
    return Space(
        f"definitions of {len(nouns.words):,} English nouns: the reverse dictionary that comes with skgeom",
        nouns.data,
        nouns.target_names[nouns.target],
        nouns.lemma,
        nouns.words,
        (
            "labels: WordNet's noun classes; paired: the nouns themselves; model all-MiniLM-L6-v2",
            "skgeom report FILE [--labels FILE] [--paired FILE] does this for your embeddings",
        ),
    )


def read_space(
    file: str,
    labels: str | None = None,
    paired: str | None = None,
    pairs: str | None = None,
    scores: str | None = None,
    title: str | None = None,
) -> Space:
    """Read a space and its labels, partners and judgements; each file may be followed by ``:NAME``.

    The scores belong to the pairs of rows in the file of pairs, or else to the rows and their partners. A file with
    another title is a temporary copy, which no note names.

    Raises
    ------
    OSError, ValueError, TypeError, ImportError
        If a file cannot be read, or its contents do not fit.
    """
    found, notes = _embeddings(file)
    X, values = found.data, None
    if labels is None:
        notes.append("" if title else _labels_nearby(file, len(X)))
    else:
        values, note = read_labels(*split_key(labels), len(X))
        notes.append(note)
    pair = None if paired is None else _embeddings(paired)[0].data
    if pair is not None:
        check_pair_shape(str(paired), pair.shape, file, X.shape)
    title = title or (file if len(file) <= _TITLE_WIDTH else "…" + file[1 - _TITLE_WIDTH :])
    positions = None if pairs is None else _positions(pairs, len(X))
    judgements = None
    if scores is not None:
        judgements = _numbers(scores, len(X) if positions is None else len(positions))
    space = Space(title, X, values, pair, found.words, tuple(filter(None, notes)), judgements, positions)
    check_directions(file, space.x)
    if space.pair is not None:
        check_directed_pairs(str(paired), space)
    if labels is not None:
        check_large_classes(labels, space)
    return space


def split_key(text: str) -> tuple[Path, str | None]:
    """Split ``FILE:NAME`` at the longest FILE that exists, because both may contain colons.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    """
    ends = [len(text), *(end for end in range(len(text) - 2, 0, -1) if text[end] == ":")]
    for end in ends:
        if Path(text[:end]).exists():
            return Path(text[:end]), text[end + 1 :] or None
    raise FileNotFoundError(f"{text}: expected a file or a folder, got nothing. Check the name and the folder.")


def _embeddings(file: str) -> tuple[Bunch, list[str]]:
    """Read embeddings, and return them with notes on how they were read."""
    path, key = split_key(file)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        found = load_embeddings(path, key=key)
    notes = [str(warning.message) for warning in warned]
    if found.feature_names is not None:
        first, last = map(short, (found.feature_names[0], found.feature_names[-1]))
        notes.append(f"features: {len(found.feature_names):,} columns of {path.name}, {first} to {last}")
    try:
        check_cloud(found.data)
    except ValueError as error:
        bad = np.flatnonzero(~np.isfinite(found.data).all(axis=1))
        where = f" The first of {bad.size:,} such rows is row {bad[0]}." if bad.size else ""
        raise ValueError(f"{path}: {error}{where}") from error
    return found, notes


def _positions(file: str, n: int) -> np.ndarray:
    """Read the positions of the two rows of each pair."""
    path, key = split_key(file)
    source = Source(path, key)
    if source.suffix == ".npy" or (source.suffix in NAMED and not is_delimited(source)):
        values = load_embeddings(path, key=key).data
    else:
        values = _lines_of_positions(source)
    return check_positions_of_pairs(str(path), values, n)


def _lines_of_positions(source: Source) -> np.ndarray:
    """Read numbers from lines, and skip a header with the names of columns."""
    written = dialect(source) if is_delimited(source) else None
    n_names = written is not None and not any(map(NUMBER.fullmatch, written.first))
    try:
        with source.lines(None) as lines, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loadtxt: input contained no data")  # an error for the caller
            separator = written and written.separator
            return np.loadtxt(lines, delimiter=separator, skiprows=int(n_names), quotechar='"', ndmin=2)
    except ValueError as error:
        got = str(error).partition(";")[0].removesuffix(".")
        raise ValueError(f"{source.path}: expected two positions of rows on each line: {got}.") from error


def _numbers(file: str, n: int) -> np.ndarray:
    """Read a finite judgement for each of n pairs."""
    values, _ = read_labels(*split_key(file), n, name="scores", of="pair")
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: expected a number for each of {n:,} pairs: {error}.") from error
    if not np.isfinite(numbers).all():
        raise ValueError(f"{file}: expected finite numbers, got {numbers[~np.isfinite(numbers)][0]}.")
    return numbers


def _labels_nearby(file: str, n: int) -> str:
    """Return a note on labels in a file of embeddings, which are used only on request."""
    path, _ = split_key(file)
    name = labels_nearby(path, n)
    return "" if name is None else f"labels: none given; {path.name} holds {name!r}: --labels {path}:{name}"
