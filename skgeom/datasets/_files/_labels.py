"""A label for each row: a column or an array of a file, or lines of text."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from skgeom._validation import listed
from skgeom.datasets._files._arrays import decoded, read_npy
from skgeom.datasets._files._choice import LABEL_NAMES, Named, Wanted
from skgeom.datasets._files._delimited import dialect, is_delimited
from skgeom.datasets._files._formats import NAMED, reading, shards
from skgeom.datasets._files._source import Source
from skgeom.datasets._files._tables import NUMBER

_MATCH = "Row k of the labels belongs to row k of the embeddings."
_LISTED = 8
_CELL_WIDTH = 24


def read_labels(path: Path, key: str | None, n: int, limit: int | None = None) -> tuple[np.ndarray, str]:
    """Read one label per row, and return them with a note on how they were read, or "".

    Labels of text are an array of objects, as one long label would widen a fixed-width array as a whole.

    Raises
    ------
    OSError, ValueError, ImportError
        If the file cannot be read, or does not hold n labels.
    """
    files, note = shards(path), ""
    with reading(path):
        parts = [_read(Source(file, key), limit) for file in files]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)[:limit]
    if key is None and values.dtype == object and len(values) == n + 1 and _is_header(values):
        header = f"the first line of {path.name}, {short(values[0])}"
        note = f"labels: {header}, counts as a header: one line more than rows"
        values = values[1:]
    _check(path, values, n)
    return values, note


def labels_nearby(path: Path, n: int) -> str | None:
    """Return the name under which a file of embeddings of n rows seems to hold their labels, from its header alone."""
    if not path.is_file():
        return None
    with reading(path):
        source = Source(path)
        if source.suffix not in NAMED or not source.is_plain:
            return None
        with NAMED[source.suffix](source) as file:
            found = [e.name for e in file.entries if e.name in LABEL_NAMES and e.shape in ((n,), ("n",))]
    return min(found, key=LABEL_NAMES.index, default=None)


def _is_header(values: np.ndarray) -> bool:
    """Return whether the first of some texts names the others: it is not a number, and not one of them."""
    return NUMBER.fullmatch(str(values[0])) is None and not (values[1:] == values[0]).any()


def _read(source: Source, limit: int | None) -> np.ndarray:
    if is_delimited(source):
        return _column(source, limit)
    if source.suffix in NAMED:
        with NAMED[source.suffix](source) as file:
            return file.read([_choose(file)], limit)[0]
    if source.key is not None:
        raise source.refused(f"it holds labels without a name, got the name {source.key!r}. Leave it out.")
    if source.suffix == ".npy":
        return decoded(source, read_npy(source, limit)[0])
    with source.lines(None) as lines:
        return _texts([line.strip() for line in lines][:limit])


def _choose(file: Named) -> Wanted:
    """Return the array or column that the key names, by default the only one with one value per row."""
    key, path = file.source.key, file.source.path
    if key is None:
        names = [entry.name for entry in file.entries if len(entry.shape) == 1]
    else:
        names = [entry.name for entry in file.entries if entry.name == key]
    if len(names) != 1:
        vectors = [entry.name for entry in file.entries if len(entry.shape) == 1]
        got = f"{len(names)} vectors" if key is None else f"no {'column' if file.is_table else 'array'} {key!r}"
        found = ", ".join(f"{path}:{name}" for name in vectors[:_LISTED]) or "none"
        raise file.source.refused(f"expected one vector of labels, got {got}. The vectors are: {found}.")
    return Wanted((names[0],), False)


def _column(source: Source, limit: int | None) -> np.ndarray:
    """Return the cells of a column: the one named in the first line, or the only one."""
    with source.lines("") as lines:
        rows = filter(None, csv.reader(lines, delimiter=dialect(source).separator))
        header = next(rows, [])
        if source.key is None and len(header) <= 1:
            cells = [*header, *(row[0] for row in rows)]
            return _texts([cell.strip() for cell in cells][:limit])
        if header.count(source.key or "") != 1:
            got = f"{len(header)} columns" if source.key is None else f"no single column {source.key!r}"
            found = ", ".join(map(short, header[:_LISTED]))
            raise source.refused(
                f"expected one label a line, got {got}. Name a column, as in {source.path}:NAME: {found}."
            )
        place = header.index(source.key or "")
        return _texts([row[place].strip() if place < len(row) else "" for row in rows][:limit])


def _texts(cells: list[str]) -> np.ndarray:
    """Return text as an array, without the empty cells at its end."""
    while cells and not cells[-1]:
        cells.pop()
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return values


def _check(path: Path, values: np.ndarray, n: int) -> None:
    if values.ndim != 1:
        raise ValueError(f"{path}: expected {n:,} labels in one dimension, got the shape {values.shape}. {_MATCH}")
    if len(values) != n:
        raise ValueError(f"{path}: expected {n:,} labels, one per line, got {len(values):,}. {_MATCH}")
    if values.dtype.kind in "cV" or (values.dtype == object and not all(isinstance(v, str) for v in values)):
        got = values.dtype if values.dtype != object else listed(sorted({type(v).__name__ for v in values}))
        raise ValueError(f"{path}: expected labels that are all numbers or all text, got {got}. Save codes or names.")
    missing = np.isnan(values) if values.dtype.kind in "fM" else values == ""
    if np.any(missing):
        raise ValueError(f"{path}: the label of row {np.argmax(missing)} is empty or NaN. Name it, or drop the row.")


def short(text: str) -> str:
    """Return a text in quotes, cut where it is long."""
    return repr(text if len(text) <= _CELL_WIDTH else text[: _CELL_WIDTH - 3] + "...")
