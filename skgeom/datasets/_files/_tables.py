"""Tables, read batch by batch through Arrow, and the files that Arrow itself writes: Parquet, Feather, streams."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from skgeom._validation import listed
from skgeom.datasets._files._choice import FLOATS, INTEGERS, OTHER, TEXT, Entry, Wanted
from skgeom.datasets._files._rows import Rows
from skgeom.datasets._files._source import Source

_BATCH_ROWS = 2_048
_BY_PAGES = {"pre_buffer": False, "buffer_size": 2**20}
"""Options with which Arrow reads a column a few pages at a time, not a whole row group, which may be all rows."""

_PROBED_CELLS = 100
_PANDAS_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+")
_PUNCTUATION = str.maketrans("[](),;\n\r\t", " " * 9)
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
_COMMA_AND_OTHER = re.compile(r"\d,\d.*\d[\s;]|\d[\s;].*\d,\d", re.DOTALL)
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|nan|[-+]?inf", re.IGNORECASE)

Batches: TypeAlias = Callable[[Sequence[Wanted]], Iterator[Any]]
"""Record batches with the columns that are wanted, from the first on."""


class Table:
    """The columns of a table.

    Parameters
    ----------
    source : Source
        The file.
    schema : pyarrow.Schema
        The names and the types of the columns.
    batches : callable
        The record batches with the requested columns, from the first on.
    n : int or None
        The number of rows, if the file announces it.
    has_names : bool
        Whether the file has the names of the columns.
    """

    is_table = True

    def __init__(
        self, source: Source, schema: Any, batches: Batches, n: int | None = None, *, has_names: bool = True
    ) -> None:
        self.source, self._batches, self._n, self.has_names = source, batches, n, has_names
        self._types = source.library("pyarrow.types")
        twice = [name for name, count in Counter(schema.names).items() if count > 1]
        if twice:
            raise source.refused(f"expected columns of different names, got {listed(twice)} twice. Rename one of each.")
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        self.entries = [
            self._entry(field.name, field.type, field.name in index or bool(_PANDAS_INDEX.fullmatch(field.name)))
            for field in schema
        ]

    def read(self, wanted: Sequence[Wanted], limit: int | None) -> list[np.ndarray]:
        """Return columns, and matrices of them, of the first rows."""
        n = self._n if limit is None or self._n is None else min(self._n, limit)
        rows, stop = [Rows(n) for _ in wanted], 0
        for batch in self._batches(wanted):
            start, stop = stop, min(stop + batch.num_rows, limit or stop + batch.num_rows)
            for (names, is_matrix), filled in zip(wanted, rows, strict=True):
                columns = [batch.column(name).slice(0, stop - start) for name in names]
                filled.add(self._matrix(columns, start, filled.width) if is_matrix else self._values(columns[0]))
            if stop == limit:
                break
        self._check_number(stop, n)
        return [filled.array() for filled in rows]

    def blocks(self, names: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield the matrix of some columns, some rows at a time, none of which may lack a value."""
        width, stop = None, 0
        for batch in self._batches([Wanted(tuple(names), True)]):
            start, stop = stop, stop + batch.num_rows
            if batch.num_rows:
                columns = [batch.column(name) for name in names]
                for name, column in zip(names, columns, strict=True):
                    self._check_complete(name, column, start)
                block = self._matrix(columns, start, width)
                width = block.shape[-1]
                yield block
        self._check_number(stop, self._n)

    def vectors_as_text(self) -> list[str]:
        """Return the columns of text whose first cells are vectors."""
        texts = [entry.name for entry in self.entries if entry.kind == TEXT]
        if not texts:
            return []
        batches = self._batches([Wanted((name,), False) for name in texts])
        batch = next((batch for batch in batches if batch.num_rows), None)
        if batch is None:
            raise self.source.empty()
        return [name for name in texts if are_vectors(batch.column(name).slice(0, _PROBED_CELLS).to_pylist())]

    def _entry(self, name: str, kind: Any, is_index: bool) -> Entry:
        value, shape = getattr(kind, "storage_type", kind), ["n" if self._n is None else self._n]
        while self._is_list(value):
            shape.append("d" if len(shape) == 1 else "k")
            value = value.value_type
        if self._is_text(value) and len(shape) == 1:
            found = TEXT
        else:
            found = INTEGERS if self._types.is_integer(value) else FLOATS
            found = OTHER if is_index or not self._is_number(value) else found
        return Entry(name, str(kind), tuple(shape), found)

    def _matrix(self, columns: Sequence[Any], start: int, d: int | None) -> np.ndarray:
        """Return rows of several numbers, from row `start` on, of d columns if that is known."""
        column = columns[0]
        if self._is_number(column.type):
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
        if self._is_text(column.type):
            return self._parsed(column.to_pylist(), start, d)
        axes = getattr(column.type, "permutation", None) or []
        if axes != sorted(axes):
            raise self.source.refused(f"expected tensors in the order of their axes, got {column.type}. Save lists.")
        rows = self._stacked(getattr(column, "storage", column), start, d, 1)
        return rows.reshape(len(rows), *getattr(column.type, "shape", rows.shape[1:]))

    def _stacked(self, column: Any, start: int, d: int | None, n_per_row: int) -> np.ndarray:
        """Return a column of lists, or of lists of lists, as an array; of the inner ones, each row has several."""
        sizes = self.source.library("pyarrow.compute").list_value_length(column).fill_null(0).to_numpy()
        is_nested = self._is_list(column.type.value_type)
        first = sizes[0] if d is None or is_nested else d
        self._check_lengths(sizes, start, first, n_per_row)
        values = column.flatten()
        if is_nested:
            inner = self._stacked(values, start, d, n_per_row * first)
            return inner.reshape(len(sizes), first, *inner.shape[1:])
        return values.to_numpy(zero_copy_only=False).reshape(len(sizes), first)

    def _parsed(self, cells: Sequence[str | None], start: int, d: int | None) -> np.ndarray:
        """Return vectors that are written as text."""
        lines = [(cell or "").translate(_PUNCTUATION) for cell in cells]
        sizes = np.array([len(line.split()) for line in lines])
        self._check_lengths(sizes, start, sizes[0] if d is None else d)
        try:
            return np.loadtxt(lines, dtype=np.float64, comments=None, ndmin=2)
        except ValueError as error:
            raise self.source.refused(
                f"a vector from row {start} on is not written in full: {error}. Save vectors as lists of numbers."
            ) from error

    def _check_lengths(self, sizes: np.ndarray, start: int, d: int, n_per_row: int = 1) -> None:
        ragged = np.flatnonzero(sizes != d)
        if ragged.size:
            raise self.source.refused(
                f"expected vectors of one length, got {d} numbers in row 0 and {sizes[ragged[0]]} in row "
                f"{start + ragged[0] // n_per_row}. Drop the rows without a vector, and embed all rows with one model."
            )

    def _check_complete(self, name: str, column: Any, start: int) -> None:
        """Check that no cell is null, and no number in one."""
        levels = [getattr(column, "storage", column)]
        while self._is_list(levels[-1].type):
            levels.append(levels[-1].flatten())
        for depth, cells in enumerate(levels):
            if cells.null_count:
                row = int(np.argmax(cells.is_null().to_numpy(zero_copy_only=False)))
                for lists in reversed(levels[:depth]):
                    row = self.source.library("pyarrow.compute").list_parent_indices(lists)[row].as_py()
                raise self.source.refused(
                    f"column {name!r} is null in row {start + row:,}, or has a null there, expected numbers. Drop the "
                    "rows without a value."
                )

    def _check_number(self, found: int, announced: int | None) -> None:
        if not found and not announced:
            raise self.source.empty()
        if announced is not None and found != announced:
            raise self.source.damaged(f"it announces {self._n:,} rows and does not have as many")

    def _values(self, column: Any) -> np.ndarray:
        """Return one value per row: numbers, or text, "" where it is missing."""
        if self._is_number(column.type):
            return column.to_numpy(zero_copy_only=False)
        values = np.empty(len(column), dtype=object)
        try:
            values[:] = column.cast("string").fill_null("").to_pylist()
        except NotImplementedError as error:
            raise self.source.refused(
                f"expected a column with one number or text per row, got one of {column.type}. Name another."
            ) from error
        return values

    def _is_number(self, kind: Any) -> bool:
        return self._types.is_integer(kind) or self._types.is_floating(kind)

    def _is_text(self, kind: Any) -> bool:
        return str(kind) in ("string", "large_string", "string_view")

    def _is_list(self, kind: Any) -> bool:
        types = self._types
        return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def are_vectors(cells: Sequence[str | None]) -> bool:
    """Return whether texts are vectors, "[0.1, 0.2]" or "0.1 0.2", of numbers without decimal commas."""
    texts = [cell or "" for cell in cells]
    return (
        bool(texts)
        and all(map(_has_numbers, texts))
        and not all(map(_DECIMAL_COMMA.fullmatch, texts))
        and not any(map(_COMMA_AND_OTHER.search, texts))
    )


def _has_numbers(text: str) -> bool:
    numbers = text.translate(_PUNCTUATION).split()
    return len(numbers) > 1 and all(map(NUMBER.fullmatch, numbers))


def table_of(value: Any, key: str | None) -> Table:
    """Return the columns of what Arrow holds or reads: a dataset, a Parquet file or a table."""
    source = Source(Path(type(value).__name__), key)
    is_file, is_table = hasattr(value, "iter_batches"), isinstance(value, source.library("pyarrow").Table)

    def batches(wanted: Sequence[Wanted]) -> Iterator[Any]:
        names = names_of(wanted)
        if is_table:
            yield from value.select(names).to_batches(_BATCH_ROWS)
        elif is_file:
            for group in range(value.num_row_groups):  # of all at once the whole file would be read ahead
                yield from value.iter_batches(_BATCH_ROWS, row_groups=[group], columns=names)
        else:
            options = {"batch_readahead": 0, "fragment_readahead": 0}
            if getattr(getattr(value, "format", None), "default_extname", "") == "parquet":
                scan = source.library("pyarrow.dataset").ParquetFragmentScanOptions
                options["fragment_scan_options"] = scan(use_buffered_stream=True, **_BY_PAGES)
            yield from value.to_batches(columns=names, batch_size=_BATCH_ROWS, **options)

    return Table(source, value.schema_arrow if is_file else value.schema, batches)


@contextmanager
def open_parquet(source: Source) -> Iterator[Table]:
    """Open a Parquet file."""
    parquet = source.library("pyarrow.parquet")
    with source.on_disk() as path, parquet.ParquetFile(path, **_BY_PAGES) as file:

        def batches(wanted: Sequence[Wanted]) -> Iterator[Any]:
            return file.iter_batches(_BATCH_ROWS, columns=names_of(wanted))

        yield Table(source, file.schema_arrow, batches, file.metadata.num_rows)


@contextmanager
def open_arrow(source: Source) -> Iterator[Table]:
    """Open a Feather or Arrow file: the format of files, or the stream that Hugging Face `datasets` writes."""
    pa = source.library("pyarrow")
    with source.on_disk() as path, pa.memory_map(str(path)) as file:
        is_stream = file.read(6) != b"ARROW1"
        file.seek(0)
        reader = (pa.ipc.open_stream if is_stream else pa.ipc.open_file)(file)

        def batches(wanted: Sequence[Wanted]) -> Iterator[Any]:
            file.seek(0)
            again = pa.ipc.open_stream(file) if is_stream else reader
            found = again if is_stream else map(again.get_batch, range(again.num_record_batches))
            for batch in found:
                for name in names_of(wanted):
                    batch.column(name).validate(full=True)  # no offset that points out of the file is followed
                yield batch

        yield Table(source, reader.schema, batches)


def names_of(wanted: Sequence[Wanted]) -> list[str]:
    """Return the names of all requested columns."""
    return [name for names, _ in wanted for name in names]
