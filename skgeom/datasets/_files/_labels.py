"""A label for each row: a column or an array of a file, or lines of text."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from skgeom._validation import listed
from skgeom.datasets._files._arrays import decoded, read_npy
from skgeom.datasets._files._choice import LABEL_NAMES, Named, Wanted
from skgeom.datasets._files._delimited import dialect, is_delimited
from skgeom.datasets._files._formats import NAMED, reading, shards
from skgeom.datasets._files._source import Source
from skgeom.datasets._files._tables import NUMBER

_LABELS, _ROW = "labels", "row"
_VALUES = re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*[^\s\[{]")
_LONGEST_START = 1 << 12
_LISTED = 8
_CELL_WIDTH = 24


def read_labels(
    path: Path, key: str | None, n: int, limit: int | None = None, *, name: str = _LABELS, of: str = _ROW
) -> tuple[np.ndarray, str]:
    """Read one label per row, and return them with a note on how they were read, or "".

    Errors call the values by their `name`, and what each belongs to `of`: "scores" belong to a "pair". Text is an array
    of objects, as one long label would widen a fixed-width array as a whole.

    Raises
    ------
    OSError, ValueError, ImportError
        If the file cannot be read, or does not hold n labels.
    """
    files, note = shards(path), ""
    with reading(path):
        sources = [Source(file, key) for file in files]
        parts = [_read(source, limit, name) for source in sources]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)[:limit]
    one_more = len(values) == n + 1
    if key is None and _is_text(sources[0]) and _is_header(values) and (one_more or _is_plainly_header(values)):
        header = f"the first line of {path.name}, {short(values[0])}"
        note = f"{name}: {header}, counts as a header: one line more than rows"
        values = values[1:]
    _check(path, values, n, name, of)
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
    """Return whether the first of some texts may name the others: it is not a number, and not one of them."""
    return len(values) > 1 and NUMBER.fullmatch(values[0]) is None and not (values[1:] == values[0]).any()


def _is_plainly_header(values: np.ndarray) -> bool:
    """Return whether the first of some texts names the others even if they are then too few: it is not a class."""
    return values[0].lower() in LABEL_NAMES or all(map(NUMBER.fullmatch, values[1:]))


def _is_text(source: Source) -> bool:
    """Return whether a file is lines of text, the first of which can be a header."""
    return is_delimited(source) or source.suffix not in (*NAMED, ".npy")


def _read(source: Source, limit: int | None, name: str) -> np.ndarray:
    if is_delimited(source):
        return _column(source, limit, name)
    if source.suffix == ".json" and source.key is None and (found := _array_of_values(source)) is not None:
        return found[:limit]
    if source.suffix in NAMED:
        with NAMED[source.suffix](source) as file:
            return file.read([_choose(file, name)], limit)[0]
    if source.key is not None:
        raise source.refused(f"it holds {name} without a name, got the name {source.key!r}. Leave it out.")
    if source.suffix == ".npy":
        return decoded(source, read_npy(source, limit)[0])
    with source.lines(None) as lines:
        return _texts(_filled(line.strip() for line in lines)[:limit])


def _array_of_values(source: Source) -> np.ndarray | None:
    """Return the numbers or texts of a JSON array; None if the file is other JSON."""
    with source.open() as file:
        start = file.read(_LONGEST_START)
        if _VALUES.match(start) is None:
            return None
        try:
            values = json.loads(start + file.read())
        except ValueError:
            return None
    are_numbers = all(isinstance(v, int | float) for v in values)
    return np.asarray(values) if are_numbers else _texts(values)


def _choose(file: Named, what: str) -> Wanted:
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
        raise file.source.refused(f"expected one vector of {what}, got {got}. The vectors are: {found}.")
    return Wanted((names[0],), False)


def _column(source: Source, limit: int | None, name: str) -> np.ndarray:
    """Return the cells of a column: the one named in the first line, or the only one."""
    with source.lines("") as lines:
        rows = filter(None, csv.reader(lines, delimiter=dialect(source).separator))
        header = next(rows, [])
        if source.key is None and len(header) <= 1:
            cells = [*header, *(row[0] for row in rows)]
            return _texts(_filled(cell.strip() for cell in cells)[:limit])
        if header.count(source.key or "") != 1:
            got = f"{len(header)} columns" if source.key is None else f"no single column {source.key!r}"
            found = ", ".join(map(short, header[:_LISTED]))
            raise source.refused(
                f"expected one {name[:-1]} per line, got {got}. Name a column, as in {source.path}:NAME: {found}."
            )
        place = header.index(source.key or "")
        cells = [row[place].strip() if place < len(row) else "" for row in rows if not _is_blank(row, header)]
        return _texts(cells[:limit])


def _is_blank(row: list[str], header: list[str]) -> bool:
    """Return whether a line of a table of several columns has nothing but blanks."""
    return len(row) == 1 < len(header) and not row[0].strip()


def _filled(lines: Iterable[str]) -> list[str]:
    """Return lines of one label each, without the empty ones at their end, which belong to no row."""
    filled = list(lines)
    while filled and not filled[-1]:
        filled.pop()
    return filled


def _texts(cells: list[str]) -> np.ndarray:
    """Return text as an array of objects."""
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return values


def _check(path: Path, values: np.ndarray, n: int, name: str, of: str) -> None:
    match = f"Row k of the {name} belongs to {of} k{' of the embeddings' if of == _ROW else ''}."
    if values.ndim != 1:
        raise ValueError(f"{path}: expected {n:,} {name} in one dimension, got the shape {values.shape}. {match}")
    if len(values) != n:
        raise ValueError(f"{path}: expected {n:,} {name}, one per line, got {len(values):,}. {match}")
    if values.dtype.kind in "cV" or (values.dtype == object and not all(isinstance(v, str) for v in values)):
        got = values.dtype if values.dtype != object else listed(sorted({type(v).__name__ for v in values}))
        raise ValueError(f"{path}: expected {name} that are all numbers or all text, got {got}. Save codes or names.")
    missing = np.isnan(values) if values.dtype.kind in "fM" else values == ""
    if np.any(missing):
        first = f"the {name[:-1]} of {of} {np.argmax(missing)}"
        raise ValueError(f"{path}: {first} is empty or NaN. Give it a value, or drop the {of}.")


def short(text: str) -> str:
    """Return a text in quotes, cut where it is long."""
    return repr(text if len(text) <= _CELL_WIDTH else text[: _CELL_WIDTH - 3] + "...")
