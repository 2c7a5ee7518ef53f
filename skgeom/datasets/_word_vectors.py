"""Word vectors in text: a word, then its numbers, on each line, as word2vec and GloVe write them."""

from __future__ import annotations

import codecs
import gzip
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

_BLOCK_LINES = 1024
_PROBED_LINES = 100
_FRACTION = re.compile(rb"[-+]?\d*\.\d+(e[-+]?\d+)?", re.IGNORECASE)

Line: TypeAlias = tuple[int, bytes]


def read_word_vectors(path: Path, _: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Read the vectors and the words of a text file, which may be gzipped."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        n = sum(not line.isspace() for line in file)
        file.seek(0)
        filled = ((number, line) for number, line in enumerate(file, 1) if not line.isspace())
        announced, d, lines = _text_start(path, filled)
        n -= announced is not None
        if announced not in (None, n):
            raise ValueError(
                f"{path} is incomplete: its first line announces {announced} rows, and {n} follow. Download it again."
            )
        data, words = np.empty((n, d), np.float32), np.empty(n, object)
        for start in range(0, n, _BLOCK_LINES):
            rows = slice(start, start + _BLOCK_LINES)
            words[rows], data[rows] = _parse_block(path, list(islice(lines, _BLOCK_LINES)), d)
    return data, words


def _text_start(path: Path, lines: Iterator[Line]) -> tuple[int | None, int, Iterator[Line]]:
    """Return the announced number of rows, if any, the number of columns, and the lines of the table."""
    number, line = next(lines, (0, b""))
    line = line.removeprefix(codecs.BOM_UTF8)
    header = line.split()
    if not header:
        raise ValueError(f"{path} is empty: expected lines of a word and its numbers.")
    if len(header) == 2 and header[0].isdigit() and header[1].isdigit():
        return int(header[0]), int(header[1]), lines
    probe = [(number, line), *islice(lines, _PROBED_LINES - 1)]
    return None, _usual_width(path, [line.split() for _, line in probe]), chain(probe, lines)


def _usual_width(path: Path, lines: Sequence[Sequence[bytes]]) -> int:
    """Return with how many numbers most lines end: words may have blanks, and a line may be broken."""
    counts = Counter(sum(1 for _ in takewhile(_is_float, fields[:0:-1])) for fields in lines)
    width = counts.most_common(1)[0][0]
    if width == 0 or all(_FRACTION.fullmatch(fields[0]) for fields in lines):
        raise ValueError(
            f"{path}: expected a word and its numbers on each line (word2vec or GloVe text), got "
            f"{b' '.join(lines[0])[:60]!r}. A table of numbers alone is read by numpy.loadtxt."
        )
    return width


def _is_float(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parse_block(path: Path, lines: Sequence[Line], d: int) -> tuple[list[str], Any]:
    """Parse lines all at once or, if one of them is unusual beyond blanks in its word, one by one."""
    try:
        words, numbers = zip(*(_word_and_numbers(line, d) for _, line in lines), strict=True)
        values: Any = np.loadtxt(numbers, dtype=np.float32, comments=None, ndmin=2)
        if values.shape != (len(lines), d):
            raise ValueError
    except ValueError:
        words, values = zip(*(_parse_line(path, number, line, d) for number, line in lines), strict=True)
    return [word.decode("utf-8", "replace") for word in words], values


def _word_and_numbers(line: bytes, d: int) -> tuple[bytes, bytes]:
    """Split a line after its word, counted from the end only where blanks say that the word may have several parts."""
    line = line.strip()
    word, numbers = line.split(None, 1)
    if numbers.count(b" ") + numbers.count(b"\t") != d - 1:
        word = line.rsplit(None, d)[0]
        numbers = line[len(word) :]
        if _ends_with_fraction(word):
            raise ValueError
    return word, numbers


def _parse_line(path: Path, number: int, line: bytes, d: int) -> tuple[bytes, list[float]]:
    word, *numbers = line.rsplit(None, d)
    got = None
    try:
        values = [float(field) for field in numbers]
        if _ends_with_fraction(word):
            got = "more numbers"
    except ValueError:
        got = f"{next(field for field in numbers if not _is_float(field))!r} among the numbers"
    if len(numbers) < d:
        got = f"{len(numbers) + 1} fields"
    if got:
        expected = f"expected a word and {d} numbers"
        raise ValueError(f"{path}, line {number}: {expected}, got {got}. Correct the line or delete it.")
    return word.strip(), values


def _ends_with_fraction(word: bytes) -> bool:
    """Return whether what precedes the numbers has several parts, the last of which is one more number."""
    parts = word.split()
    return len(parts) > 1 and _FRACTION.fullmatch(parts[-1]) is not None
