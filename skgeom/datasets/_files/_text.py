"""Word vectors in text: a word, then its numbers, on each line, as word2vec, fastText and GloVe write them."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from skgeom._warnings import warn
from skgeom.datasets._files._source import MAX_LINE, Source, UnusableFileError

_BLOCK_LINES = 256
_PROBED_LINES = 100
_CHUNK_BYTES = 1 << 20
_MAX_NUMBERS = 1 << 40
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)

Line: TypeAlias = tuple[int, bytes]


def read_text(source: Source, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Read the vectors and the words of a text file."""
    with source.open() as file:
        filled = (line for line in _lines(source, file) if _is_filled(line))
        n = sum(1 for _ in islice(filled, None if limit is None else limit + 1))  # with a first line "n d"
    with source.open() as file:
        numbered = ((number, line) for number, line in enumerate(_lines(source, file), 1) if _is_filled(line))
        announced, d, lines = _text_start(source, n, numbered)
        n -= announced is not None
        if announced is not None:
            _check_announced(source, announced, d, n, limit)
        n = n if limit is None else min(n, limit)
        data, words = np.empty((0, d), np.float32), np.empty(n, object)
        for start in range(0, n if d else 0, _BLOCK_LINES):
            rows = slice(start, start + _BLOCK_LINES)
            words[rows], block = _parse_block(source, list(islice(lines, min(_BLOCK_LINES, n - start))), d, announced)
            if start == 0:
                data = np.empty((n, d), np.float32)
            data[rows] = block
    if len(data) > 1 and not any(words):
        raise source.refused("expected a word before the numbers of each line, got none. Read it with numpy.loadtxt.")
    return data, words


def _lines(source: Source, file: BinaryIO) -> Iterator[bytes]:
    """Yield lines without their ends; a line that is too long raises before it fills the memory."""
    rest = b""
    while chunk := file.read(_CHUNK_BYTES):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_LINE:
            raise source.damaged(f"it has a line of more than {MAX_LINE:,} bytes")
        yield from lines
    if rest:
        yield rest


def _is_filled(line: bytes) -> bool:
    return bool(line) and not line.isspace()


def _text_start(source: Source, n: int, lines: Iterator[Line]) -> tuple[int | None, int, Iterator[Line]]:
    """Return the announced number of rows, if any, the number of columns, and the lines of the table."""
    number, line = next(lines, (0, b""))
    line = line.removeprefix(codecs.BOM_UTF8)
    header = line.split()
    if not header:
        raise source.refused("it is empty: expected lines of a word and its numbers.")
    if n == 1 and b"\r" in line.rstrip():
        raise source.damaged("its lines end in carriage returns alone")
    if len(header) == 2 and header[0].isdigit() and header[1].isdigit():
        announced, d = int(header[0]), int(header[1])
        probe = list(islice(lines, _PROBED_LINES))
        more = sum(_has_one_more(*_word_and_numbers(line, d)) for _, line in probe if len(line.split()) > d + 1 > 1)
        if 2 * more > len(probe) > 1:
            raise source.damaged(f"its first line announces {d} numbers, and most lines have more")
        return announced, d, chain(probe, lines)
    probe = [(number, line), *islice(lines, _PROBED_LINES - 1)]
    return None, _usual_width(source, [line.split() for _, line in probe]), chain(probe, lines)


def _check_announced(source: Source, announced: int, d: int, n: int, limit: int | None) -> None:
    """Check that as many rows follow as are announced, or that it is clear why there are fewer.

    The first lines of a file, as `head` copies them, end with a whole line; an interrupted copy hardly ever does.
    """
    if announced == n or (limit is not None and announced > n):
        return
    is_head = 0 < 2 * n <= announced and announced * d <= _MAX_NUMBERS and source.ends_with(b"\n")
    if not is_head:
        raise source.refused(
            f"it is incomplete: its first line announces {announced:,} rows, and {n:,} follow. Download it again."
        )
    warn(
        f"{source.path} announces {announced:,} rows, and {n:,} follow: these are the first rows of a larger file. "
        f"limit={n} confirms that they are meant."
    )


def _usual_width(source: Source, lines: Sequence[Sequence[bytes]]) -> int:
    """Return the number of numbers with which most lines end: words may have blanks, and a line may be broken."""
    counts = Counter(sum(1 for _ in takewhile(_is_float, fields[:0:-1])) for fields in lines)
    width = counts.most_common(1)[0][0]
    if width == 0 or all(_NUMBER.fullmatch(f[0]) and _is_fraction(f[0]) == _any_fraction(f[1:]) for f in lines):
        raise source.refused(
            "expected a word and its numbers on each line (word2vec or GloVe text), got "
            f"{b' '.join(lines[0])[:60]!r}. A table of numbers alone is read by numpy.loadtxt."
        )
    return _settled_width(source, width, lines)


def _settled_width(source: Source, width: int, lines: Sequence[Sequence[bytes]]) -> int:
    """Return the width, unless an integer before the fractions of each line belongs to the words, as in "chapter 1"."""
    numbers = [fields[-width:] for fields in lines if len(fields) > width]
    if width == 1 or any(_is_fraction(integer) or not all(map(_is_fraction, rest)) for integer, *rest in numbers):
        return width
    if any(len(fields) == width and all(map(_is_fraction, fields[1:])) for fields in lines):
        return width - 1
    raise source.refused(
        f"the integer {numbers[0][0].decode()} before the fractions of its first line, and one in all others, may end "
        "a word or be the first number. Put a header line before them: the number of rows, a blank, the "
        "number of columns."
    )


def _is_float(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_fraction(field: bytes) -> bool:
    return not field.lstrip(b"+-").isdigit()


def _any_fraction(fields: Iterable[bytes]) -> bool:
    return any(map(_is_fraction, fields))


def _parse_block(source: Source, lines: Sequence[Line], d: int, announced: int | None) -> tuple[list[str], Any]:
    """Parse lines all at once or, if one of them is unusual beyond blanks in its word, one by one."""
    is_settled = announced is not None
    try:
        words, numbers = zip(*(_word_and_numbers(line, d, is_settled) for _, line in lines), strict=True)
        values: Any = np.loadtxt(numbers, dtype=np.float32, comments=None, ndmin=2)
        if values.shape != (len(lines), d):
            raise ValueError
    except ValueError:
        parsed = (_parse_line(source, number, line, d, is_settled) for number, line in lines)
        words, values = zip(*parsed, strict=True)
    return [word.decode("utf-8", "replace") for word in words], values


def _word_and_numbers(line: bytes, d: int, is_settled: bool = True) -> tuple[bytes, bytes]:
    """Split a line after its word, counted from the end only where blanks show that the word is unusual."""
    line = line.rstrip()
    if not line[:1].isspace():
        word, numbers = line.split(None, 1)
        if numbers.count(b" ") + numbers.count(b"\t") == d - 1:
            return word, numbers
    fields = line.rsplit(None, d)
    if len(fields) < d:
        raise ValueError
    numbers = line.lstrip() if len(fields) == d else line[len(fields[0]) :]
    word = line[: -len(numbers)]
    if not word:
        raise ValueError
    if len(fields) == d:
        return word[:-1], numbers  # a word of blanks alone, or none
    if not is_settled and _has_one_more(word, numbers):
        raise ValueError
    return word.strip(), numbers


def _parse_line(source: Source, number: int, line: bytes, d: int, is_settled: bool) -> tuple[bytes, list[float]]:
    got, fields = "", line.split()
    try:
        word, numbers = _word_and_numbers(line, d, is_settled)
        return word, [float(field) for field in numbers.split()]
    except ValueError:
        bad = [field for field in fields[-d:] if not _is_float(field)]
        if len(fields) <= d:
            got = f"{len(fields)} fields"
        elif bad:
            got = f"{bad[0]!r} among the numbers"
        else:
            got = "more numbers"
    raise UnusableFileError(
        f"{source.path}, line {number}: expected a word and {d} numbers, got {got}. Correct the line or delete it."
    )


def _has_one_more(word: bytes, numbers: bytes) -> bool:
    """Return whether the last part of a word of several parts looks like one more of the numbers.

    "windows 95" does not where the numbers are fractions.
    """
    parts = word.split()
    if len(parts) < 2 or not _NUMBER.fullmatch(parts[-1]):
        return False
    return _is_fraction(parts[-1]) or not _any_fraction(numbers.split())
