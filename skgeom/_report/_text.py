"""The report in plain text, at most 100 columns wide, and its table as CSV."""

from __future__ import annotations

import csv
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from skgeom._report._card import Entry, Section
from skgeom._report._grid import SCORES, Row, Split
from skgeom._report._verdict import best, difference

WIDTH = 100
_NAME, _VALUE, _RANGE, _CELL = 22, 13, 15, 15
_ARROWS = {1: "↑", -1: "↓", 0: " "}
_COLUMNS = {
    "accuracy": "accuracy ↑",
    "isoscore": "isoscore ↑",
    "silhouette": "silhouette ↑",
    "conformity": "conformity",
}
_MEANINGS = {
    "accuracy": "of a logistic regression, its penalty chosen in the training folds; ± over folds",
    "isoscore": "debiased, of the columns left",
    "silhouette": "Euclidean, among the rows held out",
    "conformity": "mean cosine of two rows",
}


class ProgressLine:
    """What is being done, on one line that is rewritten where there is a terminal, else a line now and then."""

    _PLAIN_STEPS = 5

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rewrites = stream.isatty()

    def step(self, what: str, done: int, total: int) -> None:
        """Say how much of something is done."""
        if self._rewrites:
            self._show(f"{what}: {done} of {total}")
        elif done * self._PLAIN_STEPS // total > (done - 1) * self._PLAIN_STEPS // total:
            print(f"{what}: {done} of {total}", file=self._stream, flush=True)

    def say(self, what: str) -> None:
        """Say what begins, on a terminal."""
        if self._rewrites:
            self._show(what)

    def clear(self) -> None:
        """Leave the line empty for what is printed next."""
        if self._rewrites:
            print("\r\x1b[2K", end="", file=self._stream, flush=True)

    def _show(self, what: str) -> None:
        width = shutil.get_terminal_size((WIDTH, 24)).columns - 1
        print(f"\r\x1b[2K{what[:width]}", end="", file=self._stream, flush=True)


def card_text(title: str, notes: Iterable[str], sections: Iterable[Section]) -> str:
    """Return the geometry card."""
    lines = [f"GEOMETRY CARD  {title}", *(line for note in notes for line in textwrap.wrap(note, WIDTH)), ""]
    lines.append(f"{'':{_NAME + 2}}{'value':>{_VALUE}}  {'range':>{_RANGE}}   ↑ more is better, ↓ less is")
    for section in sections:
        lines += [_rule(section.title), *(line for entry in section.entries for line in _entry_lines(entry)), ""]
    return "\n".join(lines[:-1])


def grid_text(rows: list[Row], folds: Split, sentence: str) -> str:
    """Return the table of transforms and the conclusion."""
    shown = [measure for measure in SCORES if not np.isnan(rows[0].mean(measure))]
    head = f"  {'transform':<{_NAME}}{'columns':>8}" + "".join(f"{_COLUMNS[measure]:>{_CELL}}" for measure in shown)
    winner = best(rows)
    lines = ["", _rule("Should I whiten?"), head]
    lines += [_row_line(row, shown) + ("  ◂ best" if row is winner else "") for row in rows]
    rows_of = f"{'a sample of ' * folds.is_sample}{len(folds.x):,} rows"
    lines += ["", f"  Fitted on 4 of 5 folds of {rows_of}, measured on the fifth; equal rows share a fold."]
    lines += [f"  {measure:<12}{_MEANINGS[measure]}" for measure in shown]
    return "\n".join([*lines, "", *textwrap.wrap(sentence, WIDTH)])


def write_table(path: Path, rows: list[Row], folds: Split) -> None:
    """Write the grid as CSV: mean and standard deviation of each measure over folds, empty where it is not defined."""
    head = [name for measure in SCORES for name in (measure, f"{measure}_sd")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["transform", "columns", *head, "accuracy_gain", "accuracy_gain_margin"])
        for row in rows:
            values = [value for measure in SCORES for value in (row.mean(measure), row.deviation(measure))]
            gain = difference(row, rows[0], folds, len(rows) - 1) if folds.codes is not None else (np.nan, np.nan)
            cells = ["" if np.isnan(value) else f"{value:.6g}" for value in (*values, *gain)]
            writer.writerow([row.name, row.n_features, *cells])


def number(value: float | int | str) -> str:
    """Return a value in about four digits."""
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


def _rule(title: str) -> str:
    return f"{title} ".ljust(WIDTH, "─")


def _entry_lines(entry: Entry) -> Iterator[str]:
    head = f"  {entry.name:<{_NAME}}"
    if entry.value != "":
        bounds = "" if entry.low is None or entry.high is None else f"{_bound(entry.low)} to {_bound(entry.high)}"
        head += f"{number(entry.value):>{_VALUE}}  {bounds:>{_RANGE}} {_ARROWS[entry.direction]} "
    first, *rest = textwrap.wrap(entry.hint, WIDTH - len(head)) or [""]
    yield (head + first).rstrip()
    yield from (" " * len(head) + line for line in rest)


def _bound(value: float) -> str:
    is_whole = abs(value) < 5e-4 or (np.isfinite(value) and value == round(value) and abs(value) < 1e6)
    return f"{round(value):,}" if is_whole else number(value)


def _row_line(row: Row, shown: list[str]) -> str:
    cells = "".join(f"{_cell(row, measure):>{_CELL}}" for measure in shown)
    return f"  {row.name:<{_NAME}}{row.n_features:>8,}{cells}"


def _cell(row: Row, measure: str) -> str:
    mean = f"{round(row.mean(measure), 3) + 0.0:.3f}"  # + 0.0 makes -0 equal to 0
    return f"{mean} ± {row.deviation(measure):.3f}" if measure == "accuracy" else mean
