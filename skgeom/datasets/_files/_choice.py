"""The choice of the embeddings and their words among the arrays or columns of a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol

import numpy as np

from skgeom.datasets._files._source import Source, UnusableFileError

FLOATS, INTEGERS, TEXT, OTHER = "floats", "integers", "text", "other"

LABEL_NAMES = ("y", "label", "labels", "target", "targets")
_NO_FEATURES = {
    *LABEL_NAMES,
    *("class", "classes", "category", "cluster", "group", "fold", "split", "topic", "gold", "truth", "pred"),
    *("id", "ids", "uid", "uuid", "guid", "key", "index", "idx", "row", "rank", "position", "offset", "number", "no"),
    *("score", "scores", "similarity", "sim", "distance", "dist", "loss", "rating", "stars", "prob", "probability"),
    *("confidence", "weight", "count", "freq", "frequency", "votes", "price", "age", "size", "length", "len", "tokens"),
    *("time", "timestamp", "date", "year", "month", "day", "created", "updated", "lat", "lon", "latitude", "longitude"),
}
_INDEX_NAMES = {"", "index"}
_LISTED = 10


@dataclass(frozen=True)
class Entry:
    """The header of an array or a column: its values are not read yet."""

    name: str
    dtype: str
    shape: tuple[Any, ...]
    kind: str

    @property
    def is_matrix(self) -> bool:
        """Whether each row has several numbers."""
        return len(self.shape) > 1 and self.kind in (FLOATS, INTEGERS)

    @property
    def is_number(self) -> bool:
        """Whether each row has one number."""
        return len(self.shape) == 1 and self.kind in (FLOATS, INTEGERS)

    def __str__(self) -> str:
        shape = f" {self.shape}" if len(self.shape) > 1 else ""
        return f"{self.name!r} {self.dtype}{shape}"


class Wanted(NamedTuple):
    """One array to read: a column, or, as a matrix, a column of vectors or several columns of numbers."""

    names: tuple[str, ...]
    is_matrix: bool


class Named(Protocol):
    """A file of arrays, or of columns, that have names."""

    @property
    def source(self) -> Source:
        """The file."""

    @property
    def entries(self) -> Sequence[Entry]:
        """Anything with a name."""

    @property
    def is_table(self) -> bool:
        """Whether all entries have the same rows, so that several columns can be one matrix."""

    @property
    def has_names(self) -> bool:
        """Whether the file has names, which describe the columns."""

    def read(self, wanted: Sequence[Wanted], limit: int | None) -> list[np.ndarray]:
        """Return arrays of the first rows."""

    def vectors_as_text(self) -> list[str]:
        """Return the columns of text whose cells are vectors."""


def choose_matrix(file: Named) -> Wanted:
    """Return the entry that the key names, by default the only vectors, or the features of a table of numbers."""
    key, entries = file.source.key, {entry.name: entry for entry in file.entries}
    if key is not None:
        if key in entries:
            return _named(file, entries[key])
        found = [entry.name for entry in file.entries if entry.is_number and fnmatchcase(entry.name, key)]
        if found and file.is_table:
            return Wanted(tuple(found), True)
        raise _unclear(file, f"no {'column' if file.is_table else 'array'} {key!r}")
    for kind in (FLOATS, INTEGERS):
        matrices = [entry.name for entry in file.entries if entry.is_matrix and entry.kind == kind]
        if len(matrices) == 1:
            return Wanted((matrices[0],), True)
        if matrices:
            raise _unclear(file, f"{len(matrices)} matrices of {kind}")
    texts = file.vectors_as_text() if file.is_table else []
    numbers = _series([entry.name for entry in file.entries if entry.is_number])
    if len(texts) == 1 and not numbers:
        return Wanted((texts[0],), True)
    if texts:
        raise _unclear(file, f"{len(texts)} columns of vectors as text and {len(numbers)} series of numbers")
    if not file.is_table:
        raise _unclear(file, "0 matrices of floats")
    return Wanted(features(file), True)


def choose_words(file: Named, matrix: Wanted) -> str | None:
    """Return the only text that belongs to the rows of the matrix."""
    n = next(entry.shape[0] for entry in file.entries if entry.name == matrix.names[0])
    texts = [e.name for e in file.entries if e.kind == TEXT and e.shape == (n,) and e.name not in matrix.names]
    return texts[0] if len(texts) == 1 else None


def columns_of(file: Named, matrix: Wanted) -> tuple[str, ...] | None:
    """Return the columns of a matrix that has one number of each, and None for a column of vectors."""
    is_series = file.is_table and any(entry.is_number and entry.name in matrix.names for entry in file.entries)
    return matrix.names if is_series else None


def _named(file: Named, entry: Entry) -> Wanted:
    wanted = Wanted((entry.name,), True)
    if entry.is_matrix or not file.is_table or entry.name in file.vectors_as_text():
        return wanted
    raise _unclear(file, f"no vectors in {entry}")


def _unclear(file: Named, found: str) -> UnusableFileError:
    """Return the error for a file whose embeddings are not obvious, which names the candidates and the remedy."""
    candidates = file.entries if not file.is_table else [e for e in file.entries if e.is_matrix] or file.entries
    remedy = f"Pass one of these as key: {_said(candidates)}."
    if file.is_table and not any(entry.is_matrix for entry in file.entries):
        remedy = f"The columns are {_said(file.entries)}. {_remedy(file.entries)}"
    return UnusableFileError(f"{file.source.path} has {found}. {remedy}")


def _said(entries: Sequence[Entry]) -> str:
    more = f" and {len(entries) - _LISTED} more" if len(entries) > _LISTED else ""
    return (", ".join(map(str, entries[:_LISTED])) or "none") + more


def _remedy(entries: Iterable[Entry]) -> str:
    if any("binary" in entry.dtype for entry in entries):
        return "Bytes do not show their type: save numpy.stack([numpy.frombuffer(b, 'float32') for b in column])."
    return 'A pattern as key takes several columns of numbers, as in key="dim_*"; or save the vectors as lists.'


def features(table: Named) -> tuple[str, ...]:
    """Return the columns that are features where each has one number of a vector.

    Columns numbered by their names (or named by consecutive letters) are features; a column beside them is left out if
    it holds integers or its name marks it. Without such a series, all columns are features, if all
    hold fractions and no name suggests otherwise; a table without names has columns of one kind.

    Raises
    ------
    ValueError
        If some columns remain ambiguous.
    """
    numbers = [entry for entry in table.entries if entry.is_number and entry.name.casefold() not in _INDEX_NAMES]
    series = _series([entry.name for entry in numbers])
    if not table.has_names:
        if len({entry.kind for entry in numbers}) == 1:
            return tuple(entry.name for entry in numbers)
        found = "no names, and columns of integers, which may be labels, beside others"
    elif len(series) == 1:
        pattern, names = series.popitem()
        gaps = [e for e in table.entries if e.name not in names and _pattern(e.name) == pattern]
        rest = [e for e in numbers if e.name not in names and not (e.kind == INTEGERS or _is_no_feature(e.name))]
        if not gaps and not rest and (len(names[0]) == 1 or not _is_no_feature(names[0])):
            return tuple(names)
        found = f"no column of vectors, and {_said(gaps or rest or numbers)} may be features or not"
    elif not series and numbers and all(e.kind == FLOATS and not _is_no_feature(e.name) for e in numbers):
        return tuple(entry.name for entry in numbers)
    else:
        found = "no column of vectors, and names and types do not show which columns are features"
    raise _unclear(table, found)


def _pattern(name: str) -> tuple[str, str] | None:
    """Return the text before and after the last number in a name."""
    match = re.fullmatch(r"(.*?)\d+(\D*)", name, re.DOTALL)
    return (match[1], match[2]) if match else None


def _series(names: Sequence[str]) -> dict[Any, list[str]]:
    """Return the series of two or more names that differ by a number, or else the names that are successive letters."""
    found: dict[Any, list[str]] = {}
    for name in names:
        if pattern := _pattern(name):
            found.setdefault(pattern, []).append(name)
    found = {pattern: members for pattern, members in found.items() if len(members) > 1}
    if not found:
        letters = [name for name in names if re.fullmatch("[a-zA-Z]", name)]
        steps = {name: ord(name) - i for i, name in enumerate(letters)}  # equal for successive letters
        runs = [[name for name in letters if steps[name] == step] for step in dict.fromkeys(steps.values())]
        found = {i: run for i, run in enumerate(runs) if len(run) > 1}
    return found


def _is_no_feature(name: str) -> bool:
    """Return whether a word in a name marks the column as an id, a label, a score or the like."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return any(word.casefold() in _NO_FEATURES for word in words)
