"""Results as Markdown, on the screen and in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill


class Report:
    """Text that is printed at once and kept for a file."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def add_heading(self, text: str) -> None:
        """Print a heading and keep it."""
        self._add(f"## {text}")

    def add(self, *paragraphs: str) -> None:
        """Print paragraphs, their lines filled anew, and keep them; those that begin with a star are a list."""
        filled = [
            fill(" ".join(p.split()), 100, subsequent_indent="  " if p.startswith("*") else "") for p in paragraphs
        ]
        self._add(("\n" if paragraphs[0].startswith("*") else "\n\n").join(filled))

    def add_table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table and keep it."""
        self._add(table(header, rows))

    def write(self, path: str | None) -> None:
        """Write all parts to a file, if there is one to write to."""
        if path:
            Path(path).write_text("\n\n".join(self.parts) + "\n", encoding="utf-8")

    def _add(self, text: str) -> None:
        self.parts.append(text)
        print(f"{text}\n", flush=True)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with columns of even width; the first column to the left, the others to the right."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *(f"{'-' * (w - 1)}:" for w in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)])} |"

    return "\n".join([line(lines[0]), line(rule), *map(line, lines[1:])])
