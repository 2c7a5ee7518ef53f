"""From arguments of the command line to a space: files of embeddings, labels and pairs.

What is wrong with them ends in an exception whose message is one line: what was expected, what came, what to do.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from skgeom._report._space import N_FOLDS, Space
from skgeom._validation import check_cloud
from skgeom.datasets import load_embeddings, load_reverse_dictionary

_LABEL_NAMES = ("y", "label", "labels", "target", "targets")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_MATCH = "Row k of the labels belongs to row k of the embeddings."
_LISTED = 8
_CELL_WIDTH = 24
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
) -> Space:
    """Read a space and what goes with it; each file may be followed by ``:NAME``.

    Judgements belong to the pairs of rows whose positions are in the file of pairs, or else to the rows and their
    partners.

    Raises
    ------
    OSError, ValueError, TypeError, ImportError
        If a file cannot be read, or its contents do not fit.
    """
    X, words = _matrix(file)
    notes = [_labels_nearby(file, len(X))] if labels is None else []
    values = None
    if labels is not None:
        values, note = read_labels(labels, len(X))
        notes.append(note)
    pair = None if paired is None else _matrix(paired)[0]
    if pair is not None and pair.shape != X.shape:
        raise ValueError(
            f"{paired}: expected the shape of {file}, {X.shape}, got {pair.shape}. Row k of both must be one pair."
        )
    title = file if len(file) <= _TITLE_WIDTH else "…" + file[1 - _TITLE_WIDTH :]
    positions = None if pairs is None else _positions(pairs, len(X))
    judgements = None
    if scores is not None:
        judgements = _numbers(scores, len(X) if positions is None else len(positions))
    space = Space(title, X, values, pair, words, tuple(filter(None, notes)), judgements, positions)
    _check(space, file, labels)
    return space


def read_labels(file: str, n: int) -> tuple[np.ndarray, str]:
    """Read a label for each of n rows, and return them with a note on how they were read, or "".

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or does not hold n labels.
    """
    path, key = split_key(file)
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return _array_labels(path, key, n), ""
    if suffix in _SEPARATORS:
        lines = _column(path, key)
    elif key is None:
        lines = [line.strip() for line in _text(path).rstrip().split("\n")]
    else:
        raise ValueError(f"{path} holds one label a line and has no names, got the name {key!r}. Leave it out.")
    note = ""
    if key is None and len(lines) == n + 1:
        note = f"labels: the first line of {path.name}, {_short(lines[0])}, counts as a header: one line more than rows"
        lines = lines[1:]
    if len(lines) != n:
        raise ValueError(f"{path}: expected {n:,} labels, one per line, got {len(lines):,}. {_MATCH}")
    if "" in lines:
        raise ValueError(f"{path}: the label of row {lines.index('')} is empty. Name it, or drop the row.")
    return np.array(lines), note


def split_key(text: str) -> tuple[Path, str | None]:
    """Split ``FILE:NAME``, where FILE may have a colon itself, as on Windows.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    file, colon, key = text.rpartition(":")
    if colon and key and not Path(text).is_file() and Path(file).is_file():
        return Path(file), key
    path = Path(text)
    if not path.is_file():
        got = "a folder" if path.is_dir() else "nothing"
        raise FileNotFoundError(f"{text}: expected a file, got {got}. Check the name and the working directory.")
    return path, None


def _matrix(file: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Read embeddings and their words."""
    path, key = split_key(file)
    found = load_embeddings(path, key=key)
    try:
        check_cloud(found.data)
    except ValueError as error:
        bad = np.flatnonzero(~np.isfinite(found.data).all(axis=1))
        where = f" The first of {bad.size:,} such rows is row {bad[0]}." if bad.size else ""
        raise ValueError(f"{path}: {error}{where}") from error
    return found.data, found.words


def _positions(file: str, n: int) -> np.ndarray:
    """Read the positions of the two rows of each pair."""
    path, key = split_key(file)
    if path.suffix.lower() in (".npy", ".npz"):
        values = load_embeddings(path, key=key).data
    else:
        try:
            values = np.loadtxt(path, delimiter=_SEPARATORS.get(path.suffix.lower()), ndmin=2, comments="#")
        except ValueError as error:
            raise ValueError(f"{path}: expected two positions of rows on each line: {error}.") from error
    whole = np.asarray(values).astype(np.int64)
    if whole.ndim != 2 or whole.shape[1] != 2 or (whole != values).any():
        raise ValueError(f"{path}: expected two positions of rows for each pair, got the shape {np.shape(values)}.")
    if whole.min() < 0 or whole.max() >= n:
        raise ValueError(f"{path}: expected positions from 0 to {n - 1}, got {whole.min()} to {whole.max()}.")
    return whole


def _numbers(file: str, n: int) -> np.ndarray:
    """Read a finite judgement for each of n pairs."""
    values, _ = read_labels(file, n)
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: expected a number for each of {n:,} pairs: {error}.") from error
    if not np.isfinite(numbers).all():
        raise ValueError(f"{file}: expected finite numbers, got {numbers[~np.isfinite(numbers)][0]}.")
    return numbers


def _check(space: Space, file: str, labels: str | None) -> None:
    """Refuse a space without directions, and labels that are not classes."""
    if space.directed.size < 2:
        raise ValueError(
            f"{file}: expected rows with a direction, got {len(space.x):,} rows of which "
            f"{space.directed.size} are not zero. Check how the embeddings were saved."
        )
    if labels is None:
        return
    assert space.labels is not None
    n_classes = np.unique(space.labels).size
    n_large = np.unique(space.labels[space.in_large_classes]).size
    if n_large < 2:
        raise ValueError(
            f"{labels}: expected two or more classes with {N_FOLDS} different rows each, got {n_classes:,} different "
            f"labels, {n_large} of them with that many. Pass the class of each row."
        )


def _array_labels(path: Path, key: str | None, n: int) -> np.ndarray:
    is_archive = path.suffix.lower() == ".npz"
    if key is not None and not is_archive:
        raise ValueError(f"{path} holds one array without a name, got the name {key!r}. Leave it out.")
    try:
        if is_archive:
            # np.load leaves a file open that is not an archive
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                names = [key] if key in archive.files else [name for name in archive.files if _length(archive, name)]
                values = archive[names[0]] if len(names) == 1 and key in (None, names[0]) else None
        else:
            values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: no labels could be read: {error}. Save them with numpy.save, or as text.") from error
    if values is None:
        got = f"{len(names)} vectors" if key is None else f"no array {key!r}"
        listed = ", ".join(f"{path}:{name}" for name in names[:_LISTED]) or "none"
        raise ValueError(f"{path}: expected one vector of labels, got {got}. The vectors are: {listed}.")
    if values.shape != (n,):
        raise ValueError(f"{path}: expected {n:,} labels in one dimension, got the shape {values.shape}. {_MATCH}")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(f"{path}: expected a label for each row, got NaN in row {np.isnan(values).argmax()}.")
    return values


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected text, one label a line, got bytes that are not UTF-8. Save it as UTF-8, or as .npy."
        ) from error


def _column(path: Path, key: str | None) -> list[str]:
    """Return the cells of a column of a table: the one named in its first line, or the only one."""
    try:
        table = list(csv.reader(io.StringIO(_text(path)), delimiter=_SEPARATORS[path.suffix.lower()]))
    except csv.Error as error:
        raise ValueError(f"{path} is not a table: {error}. Save the labels as text, one per line.") from error
    table = [row for row in table if row]
    header = table[0] if table else []
    if key is None and len(header) <= 1:
        return [row[0].strip() for row in table]
    if key not in header:
        got = f"{len(header)} columns" if key is None else f"no column {key!r}"
        listed = ", ".join(_short(name) for name in header[:_LISTED])
        raise ValueError(f"{path}: expected one label a line, got {got}. Name a column, as in {path}:NAME: {listed}.")
    place = header.index(key)
    return [row[place].strip() if place < len(row) else "" for row in table[1:]]


def _short(text: str) -> str:
    return repr(text if len(text) <= _CELL_WIDTH else text[: _CELL_WIDTH - 3] + "...")


def _labels_nearby(file: str, n: int) -> str:
    """Say where labels lie in an archive of embeddings, which are not used unless they are asked for."""
    path, _ = split_key(file)
    if path.suffix.lower() != ".npz":
        return ""
    with np.load(path, allow_pickle=False) as archive:
        names = [name for name in _LABEL_NAMES if name in archive.files and _length(archive, name) == n]
    return f"labels: none given; {path.name} holds {names[0]!r}: --labels {path}:{names[0]}" if names else ""


def _length(archive: np.lib.npyio.NpzFile, name: str) -> int:
    """Return the length of a vector; 0 for what is none, or cannot be read."""
    try:
        values = archive[name]
    except ValueError:
        return 0
    return len(values) if values.ndim == 1 else 0
