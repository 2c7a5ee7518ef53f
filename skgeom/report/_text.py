"""The report in plain text, 100 columns wide or as wide as a narrower terminal, and its table as CSV."""

from __future__ import annotations

import csv
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from math import isnan
from typing import TextIO

import numpy as np

from skgeom.metrics._estimate import decimals_of
from skgeom.model_selection import Judgement
from skgeom.model_selection._judgement import aligned
from skgeom.report._card import Entry, Section
from skgeom.report._judging import TITLES

WIDTH = 100
_UNFOLDED, _NARROWEST = 85, 40
"""The width from which an entry is one line, and the minimum that is laid out at all."""

_NAME, _VALUE, _RANGE = 20, 17, 14
_MOST_DECIMALS = 4
_DIRECTIONS = "↑ more is better, ↓ less is"
ERRORS = "± standard errors: equal rows stay together, all others count as independent draws"
ARROWS = {1: "↑", -1: "↓", 0: " "}
NO_MATPLOTLIB = 'matplotlib is missing: pip install "scikit-embedding-geometry[plot]"'
_BEST = "  ◂ best"
_INTERVALS = "intervals hold for all transforms at once, and for what was fitted to these folds."
_N_ESSENTIAL = 4
"""Columns of a judgement that are always shown: transform, columns, score and difference."""


class ProgressLine:
    """Progress: on a terminal one line that is rewritten, otherwise an occasional line."""

    _PLAIN_STEPS = 5

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rewrites = stream.isatty()

    def step(self, what: str, done: int, total: int) -> None:
        """Show the progress."""
        if self._rewrites:
            self._show(f"{what}: {done} of {total}")
        elif done * self._PLAIN_STEPS // total > (done - 1) * self._PLAIN_STEPS // total:
            print(f"{what}: {done} of {total}", file=self._stream, flush=True)

    def say(self, what: str) -> None:
        """Show what begins, on a terminal."""
        if self._rewrites:
            self._show(what)

    def clear(self) -> None:
        """Clear the line for the next output."""
        if self._rewrites:
            print("\r\x1b[2K", end="", file=self._stream, flush=True)

    def _show(self, what: str) -> None:
        width = shutil.get_terminal_size((WIDTH, 24)).columns - 1
        print(f"\r\x1b[2K{what[:width]}", end="", file=self._stream, flush=True)


def text_width(stream: TextIO) -> int:
    """Return the width of the text: less than usual on a narrow terminal."""
    if not stream.isatty():
        return WIDTH
    return max(_NARROWEST, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def card_text(title: str, notes: Iterable[str], sections: Iterable[Section], width: int = WIDTH) -> str:
    """Return the geometry card."""
    head = (f"GEOMETRY CARD  {title}", *notes, ERRORS)
    lines = [line for text in head for line in textwrap.wrap(text, width)]
    columns = f"{'':{_NAME + 2}}{'value':>{_VALUE}}  {'range':>{_RANGE}}   "
    lines += ["", f"{columns if width >= _UNFOLDED else ''}{_DIRECTIONS}"]
    entry_lines = _entry_lines if width >= _UNFOLDED else _folded_entry
    for section in sections:
        lines += [*_rule(section.title, width)]
        lines += [*(line for entry in section.entries for line in entry_lines(entry, width)), ""]
    return "\n".join(lines[:-1])


def judgement_text(judgement: Judgement | str, width: int = WIDTH) -> str:
    """Return the table of a judge and its verdict, with as many other measures as fit.

    If the judgement is missing, return the reason.
    """
    if isinstance(judgement, str):
        return f"\n{textwrap.fill(judgement, width)}"
    told = f"Fitted on {judgement.n_folds - 1} of {judgement.n_folds} folds of {judgement.n_rows:,} rows or pairs"
    method = f"{told}, measured on the other; equal rows share a fold; {_INTERVALS}"
    notes = (f"  {line}" for note in (method, *judgement.notes) for line in textwrap.wrap(note, width - 2))
    head = ["", *_rule(TITLES[judgement.task], width), *_table_lines(judgement, width), ""]
    return "\n".join([*head, *notes, "", *textwrap.wrap(judgement.verdict, width)])


def write_table(file: TextIO, judgements: Iterable[Judgement]) -> None:
    """Write the judgements as CSV, one line for each task, transform and measure; missing values are empty."""
    writer = csv.writer(file)
    writer.writerow(["task", "transform", "columns", "measure", "value", "difference", "margin"])
    for judgement in judgements:
        for one in judgement.transforms:
            row = [judgement.task, one.name, one.n_features]
            writer.writerow([*row, judgement.score_name, *map(_cell, (one.score, one.difference, one.margin))])
            writer.writerows([*row, name, _cell(value), "", ""] for name, value in one.measures.items())


def printable(text: str) -> str:
    """Return text with control characters and other unprintable characters escaped."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def valued(entry: Entry) -> str:
    """Return the value of an entry, with its standard error and no digit beyond it if it has one."""
    if isnan(entry.error) or isinstance(entry.value, str):
        return number(entry.value)
    decimals = min(decimals_of(entry.error), _MOST_DECIMALS)
    error = f"{entry.error:.{decimals}f}" if entry.error >= 10.0**-decimals else f"{entry.error:.0e}"
    return f"{entry.value:.{decimals}f} ± {error}"


def number(value: float | int | str) -> str:
    """Return a value with about four digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 1e6 or 0 < size < 5e-4:
        return f"{value:.3g}"
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1e4 else f"{value:,.0f}"


def limits(entry: Entry) -> str:
    """Return the range of an entry, if it has one."""
    return "" if entry.low is None or entry.high is None else f"{_bound(entry.low)} to {_bound(entry.high)}"


def _table_lines(judgement: Judgement, width: int) -> list[str]:
    """Return the table of a judge, with the numbers below the names if a line is too short for both."""
    table, best = judgement.table(), None if judgement.answer is None else judgement.transforms.index(judgement.best)
    marks = ["", *(_BEST if i == best else "" for i in range(len(judgement.transforms)))]
    room = width - 2 - len(_BEST)
    if max(map(len, aligned([row[:_N_ESSENTIAL] for row in table]))) <= room:
        return [f"  {line}{mark}" for line, mark in zip(aligned(table, room), marks, strict=True)]
    numbers = aligned([[*row[2:_N_ESSENTIAL], row[1], *row[_N_ESSENTIAL:]] for row in table], width - 4)
    lines = []
    for (name, *_), line, mark in zip(table, numbers, marks, strict=True):
        lines += [*(f"  {part}" for part in textwrap.wrap(name + mark, width - 2)), f"    {line}"]
    return lines


def _rule(title: str, width: int) -> list[str]:
    *lines, last = textwrap.wrap(title, width - 2)
    return [*lines, f"{last} ".ljust(width, "─")]


def _entry_lines(entry: Entry, width: int) -> Iterator[str]:
    head = f"  {entry.name:<{_NAME}}"
    if entry.value != "":
        head += f"{valued(entry):>{_VALUE}}  {limits(entry):>{_RANGE}} {ARROWS[entry.direction]} "
    first, *rest = textwrap.wrap(entry.hint, width - len(head)) or [""]
    yield (head + first).rstrip()
    yield from (" " * len(head) + line for line in rest)


def _folded_entry(entry: Entry, width: int) -> Iterator[str]:
    """Yield the name and the value on one line, and the rest below."""
    value = valued(entry)
    yield f"  {entry.name} {value:>{_NARROWEST - 5 - len(entry.name)}} {ARROWS[entry.direction]}".rstrip()
    below = "; ".join(filter(None, (limits(entry), entry.hint)))
    yield from (f"    {line}" for line in textwrap.wrap(below, width - 4))


def _bound(value: float) -> str:
    """Return a limit of a range, integers without decimals."""
    is_whole = abs(value) < 5e-4 or (np.isfinite(value) and value == round(value) and abs(value) < 1e6)
    return f"{round(value):,}" if is_whole else number(value)


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
