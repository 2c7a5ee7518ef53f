"""Tables of text: .csv, separated by commas, semicolons or tabs, and .tsv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, NamedTuple

from skgeom.datasets._files._choice import Wanted
from skgeom.datasets._files._source import Source
from skgeom.datasets._files._tables import NUMBER, Table, are_vectors

_BLOCK_BYTES = 1 << 20
_PROBED_LINES = 100
_SEPARATORS = {".csv": (",", ";", "\t"), ".tsv": ("\t",)}
_COMMA_NUMBER = re.compile(r"[-+]?(\d*|\d{1,3}(\.\d{3})+),\d+(e[-+]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_REMEDY = 'Write the table with "," between the cells and "." in the numbers, and name the columns in its first line.'


class Dialect(NamedTuple):
    """The format of a table: the separators of cells and of decimals, and the cells of its first line."""

    separator: str
    decimal_point: str
    first: list[str]


def is_delimited(source: Source) -> bool:
    """Return whether a file is a table of text."""
    return source.suffix in _SEPARATORS


def dialect(source: Source) -> Dialect:
    """Return the format of a table, judged by its first lines.

    The separator is the one by which they have the same number of cells, two or more; a table of one column has commas.
    Where lines fit commas and something else, the commas belong to numbers if all numbers have one.

    Raises
    ------
    ValueError
        If the lines can be read in two ways, or the meaning of commas in numbers is ambiguous.
    """
    with source.open() as file:
        head = file.read(_BLOCK_BYTES)
    found = {separator: _rows(head, separator) for separator in _SEPARATORS[source.suffix]}
    separator, *others = [one for one, rows in found.items() if _is_table(rows)] or [next(iter(found))]
    if others and separator == ",":
        cells = [cell for row in found[others[0]] for cell in row]
        if all(_COMMA_NUMBER.fullmatch(cell) for cell in cells if "," in cell):
            if any(map(NUMBER.fullmatch, cells)):
                raise source.refused(f"its cells may be separated by ',' or by {others[0]!r}. {_REMEDY}")
            separator = others[0]
    rows = found[separator]
    point = "." if separator == "," else _decimal_point(source, rows)
    return Dialect(separator, point, rows[0] if rows else [])


def _rows(head: bytes, separator: str) -> list[list[str]]:
    """Return the cells of the first lines, without a last line that may be cut."""
    rows: list[list[str]] = []
    lines = io.StringIO(head.decode("utf-8-sig", "replace"), newline="")
    with suppress(csv.Error):  # a cell that is too long for a vector
        filled = filter(None, csv.reader(lines, delimiter=separator))
        rows += ([cell.strip() for cell in row] for row in islice(filled, _PROBED_LINES))
    return rows[:-1] if len(rows) > 1 and len(head) >= _BLOCK_BYTES else rows


def _is_table(rows: list[list[str]]) -> bool:
    widths = {len(row) for row in rows}
    return len(widths) == 1 and widths != {1}


def _decimal_point(source: Source, rows: list[list[str]]) -> str:
    """Return the decimal separator in the columns of numbers."""
    columns = [list(filter(None, column)) for column in zip(*(rows[1:] or rows), strict=False)]
    with_comma = [
        [cell for cell in column if "," in cell]
        for column in columns
        if all(_COMMA_NUMBER.fullmatch(cell) or cell.lstrip("+-").isdigit() for cell in column)
    ]
    commas = [cell for column in with_comma for cell in column]
    if not commas:
        return "."
    have_points = any("." in "".join(column) and all(map(NUMBER.fullmatch, column)) for column in columns)
    if have_points or any("." in cell for cell in commas) or all(map(_THOUSANDS.fullmatch, commas)):
        raise source.refused(f"a comma may separate fractions or thousands in {commas[0]!r}. {_REMEDY}")
    return ","


@contextmanager
def open_csv(source: Source) -> Iterator[Table]:
    """Open a table of text, with or without names in its first line."""
    library = source.library("pyarrow.csv")
    written = dialect(source)
    names = _names_unless_given(written)
    options = {
        "read_options": library.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names),
        "parse_options": library.ParseOptions(delimiter=written.separator, newlines_in_values=True),
    }

    # Threads of pyarrow read ahead, also when nobody wants more. They get a file of their own: one of Python, closed
    # under them, can end the process.
    with source.on_disk() as path:

        def opened(**types: Any) -> Any:
            convert = library.ConvertOptions(decimal_point=written.decimal_point, **types)
            return library.open_csv(str(path), convert_options=convert, **options)

        def batches(wanted: Sequence[Wanted]) -> Iterator[Any]:
            types = {name: _type_of(source, schema.field(name), w.is_matrix) for w in wanted for name in w.names}
            yield from opened(include_columns=list(types), column_types=types)

        schema = opened().schema
        if all(str(kind) == "null" for kind in schema.types) and not any(batch.num_rows for batch in opened()):
            raise source.empty()
        yield Table(source, schema, batches, has_names=names is None)


def _type_of(source: Source, field: Any, is_matrix: bool) -> Any:
    """Return the type of a column: numbers are features, and anything else, also a vector as text, stays text."""
    pa = source.library("pyarrow")
    return pa.float64() if is_matrix and not pa.types.is_string(field.type) else pa.string()


def _names_unless_given(written: Dialect) -> list[str] | None:
    """Return names for the columns, or None if the first line has them.

    It has them if it is more than a word and numbers or a vector, or if the numbers are those that pandas gives to
    columns.
    """
    cells, point = written.first, written.decimal_point
    numbers = [cell for cell in cells if NUMBER.fullmatch(cell.replace(point, ".")) or are_vectors([cell])]
    if len(numbers) < max(len(cells) - 1, 1) or numbers == list(map(str, range(len(numbers)))):
        return None
    return [str(i) if cell in numbers else "word" for i, cell in enumerate(cells)]
