"""JSON: lines of objects, which Arrow parses, or an array of objects or of vectors, element by element."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TextIO

from skgeom.datasets._files._choice import Wanted
from skgeom.datasets._files._source import Source
from skgeom.datasets._files._tables import Table

_BLOCK_BYTES = 1 << 21
_CHUNK = 1 << 18
_BATCH_ROWS = 64
_MAX_ELEMENT = 1 << 22
_VECTORS = "vectors"
_OPENING = re.compile(r"\s*\[(?=\s*[\[{])")
_BLANKS, _COMMA, _NEXT = re.compile(r"\s*"), re.compile(r"\s*,\s*"), re.compile(r"\s+(?=\[)")
_END, _BLANK_END = re.compile(r"\s*\]\s*\Z"), re.compile(r"\s*\Z")
_DECODER = json.JSONDecoder()


@contextmanager
def open_json(source: Source) -> Iterator[Table]:
    """Open JSON as a table of the fields of its objects, or of one column of vectors."""
    with source.open() as file:
        head = file.read(_BLOCK_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"[":
        yield _array(source)
        return
    if source.suffix == ".json" and not _is_lines(head):
        raise source.refused(
            "expected an array of vectors or of objects, or one object per line, and it is neither. Save a list "
            'with one object per row, as frame.to_json(path, orient="records") does, or use numpy.save.'
        )
    yield _lines(source)


def _is_lines(head: bytes) -> bool:
    """Return whether the first of several lines is JSON."""
    first, _, rest = head.partition(b"\n")
    try:
        json.loads(first)
    except ValueError:
        return False
    return not rest.isspace() and bool(rest)


def _array(source: Source) -> Table:
    pa = source.library("pyarrow")

    def parsed(elements: list[Any], schema: Any = None) -> Any:
        rows = [{_VECTORS: one} for one in elements] if isinstance(elements[0], list) else elements
        return pa.RecordBatch.from_pylist(rows, schema)

    def batches(wanted: Sequence[Wanted]) -> Iterator[Any]:
        elements, types = _elements(source), _schema(pa, schema, wanted)
        while block := list(islice(elements, _BATCH_ROWS)):
            yield parsed(block, types)

    first = list(islice(_elements(source), _BATCH_ROWS))
    if not first[0]:
        raise source.refused("it is empty: expected vectors, or objects that have them.")
    schema = parsed(first).schema
    return Table(source, schema, batches)


def _elements(source: Source) -> Iterator[Any]:
    """Yield the elements of an array, or the arrays of lines; the memory holds a few of them."""
    with source.open() as file, io.TextIOWrapper(file, "utf-8-sig") as text:
        rest = _Rest(text)
        between, end = (_COMMA, _END) if rest.skips(_OPENING) else (_NEXT, _BLANK_END)
        rest.skips(_BLANKS)
        yield rest.element()
        while rest.skips(between):
            yield rest.element()
        if not rest.skips(end):
            raise source.damaged("its array does not end where the file does")


class _Rest:
    """The unread rest of a text."""

    def __init__(self, text: TextIO) -> None:
        self._text, self._buffer, self._place = text, "", 0

    def skips(self, pattern: re.Pattern[str]) -> bool:
        """Skip the next character, and return whether it was there."""
        if len(self._buffer) - self._place < _CHUNK:
            self._buffer, self._place = self._buffer[self._place :] + self._text.read(_CHUNK), 0
        found = pattern.match(self._buffer, self._place)
        self._place = found.end() if found else self._place
        return found is not None

    def element(self) -> Any:
        """Return the next array or object."""
        while True:
            try:
                element, self._place = _DECODER.raw_decode(self._buffer, self._place)
                return element
            except json.JSONDecodeError:
                more = self._text.read(len(self._buffer))
                if not more or len(self._buffer) > _MAX_ELEMENT:
                    raise
                self._buffer += more


def _lines(source: Source) -> Table:
    pa, library = source.library("pyarrow"), source.library("pyarrow.json")

    def parsed(block: bytes, options: Any) -> Any:
        return library.read_json(io.BytesIO(block), library.ReadOptions(block_size=_BLOCK_BYTES * 4), options)

    def batches(wanted: Sequence[Wanted]) -> Iterator[Any]:
        options = library.ParseOptions(explicit_schema=_schema(pa, schema, wanted), unexpected_field_behavior="ignore")
        for block in _whole_lines(source):
            yield from parsed(block, options).combine_chunks().to_batches()

    first = next((block for block in _whole_lines(source) if block.strip()), None)
    if first is None:
        raise source.empty()
    schema = parsed(first, library.ParseOptions()).schema
    return Table(source, schema, batches)


def _whole_lines(source: Source) -> Iterator[bytes]:
    """Yield blocks of whole lines."""
    with source.open() as file:
        while block := file.read(_BLOCK_BYTES):
            yield block if block.endswith(b"\n") else block + file.readline(_BLOCK_BYTES)


def _schema(pa: Any, schema: Any, wanted: Sequence[Wanted]) -> Any:
    """Return the expected types."""
    return pa.schema([(n, _with_fractions(pa, schema.field(n).type, w.is_matrix)) for w in wanted for n in w.names])


def _with_fractions(pa: Any, kind: Any, is_matrix: bool) -> Any:
    """Return the type with fractions for integers, which the first lines may have by chance."""
    if pa.types.is_list(kind):
        return pa.list_(_with_fractions(pa, kind.value_type, is_matrix))
    return pa.float64() if is_matrix and pa.types.is_integer(kind) else kind
