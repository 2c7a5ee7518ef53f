"""word2vec binary: a line "n d", then for each row its word, a blank and d numbers of float32."""

from __future__ import annotations

import re

import numpy as np

from skgeom.datasets._files._source import Source

_CHUNK_BYTES = 1 << 20
_MAX_WORD_BYTES = 1 << 16
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")

_REMEDY = "Save the vectors as text (a .vec file), or with numpy.save."


def read_word2vec(source: Source, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Read the vectors and the words of a word2vec binary."""
    with source.open() as file:
        sizes = file.readline(100).split()
        if len(sizes) != 2 or not all(size.isdigit() for size in sizes):
            raise source.refused(f"expected word2vec binary, whose first line is two numbers. {_REMEDY}")
        announced, d = map(int, sizes)
        vector_bytes, n = 4 * d, announced if limit is None else min(announced, limit)
        if source.is_plain and source.path.stat().st_size < n * (vector_bytes + 1):
            raise source.damaged(f"its first line announces {announced:,} rows of {d:,} numbers")
        data, words = np.empty((n, d), np.float32), np.empty(n, object)
        buffer, start = b"", 0
        for row in range(n):
            blank = buffer.find(b" ", start)
            while blank < 0 or len(buffer) < blank + 1 + vector_bytes:
                if blank < 0 and len(buffer) - start > _MAX_WORD_BYTES:
                    raise source.damaged(f"row {row:,} has no word")
                more = file.read(_CHUNK_BYTES + vector_bytes)
                if not more:
                    raise source.damaged(f"its first line announces {announced:,} rows, and {row:,} follow")
                buffer, start = buffer[start:] + more, 0
                blank = buffer.find(b" ")
            word = buffer[start:blank].lstrip(b"\n")
            words[row] = word.decode("utf-8", "replace")
            if b"\n" in word or ("\ufffd" in words[row] and _CONTROL.search(word)):
                raise source.refused(
                    f"the word of row {row:,} begins with bytes of numbers, as it does where the word before it has a "
                    f"blank, which ends a word in this format. {_REMEDY}"
                )
            data[row] = np.frombuffer(buffer, "<f4", d, blank + 1)
            start = blank + 1 + vector_bytes
        if n == announced and (buffer[start:] + file.read(2)).strip(b"\n"):
            raise source.damaged(f"more than the {announced:,} rows follow that its first line announces")
    return data, words
