"""The result of a judge: a comparison of transforms, and the answer that follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from math import inf
from typing import Any, NamedTuple

import numpy as np

from skgeom._frames import frame_of


class Judged(NamedTuple):
    """One transform.

    Attributes
    ----------
    name : str
        Its name.
    n_features : int
        The number of columns of its output.
    score : float
        The criterion of the judge: the mean over held-out folds.
    difference : float
        The score less that of the rows as they are; larger is better.
    margin : float
        Half the width of the interval of the difference. The intervals of all transforms hold at once, for transforms
        fitted to these folds: they leave out the effect of another training sample.
    measures : dict from str to float
        Further measures, means over held-out folds.
    """

    name: str
    n_features: int
    score: float
    difference: float
    margin: float
    measures: dict[str, float]

    @property
    def effect(self) -> str:
        """Whether the transform is "better" or "worse" than the first, or "not measurable" if the interval has 0."""
        if abs(self.difference) <= self.margin:
            return "not measurable"
        return "better" if self.difference > 0 else "worse"


@dataclass(frozen=True)
class Judgement:
    """A comparison of transforms on held-out rows: the result of the judges.

    Attributes
    ----------
    task : str
        The task: "classes", "retrieval", "similarity", "clusters" or "neighbours".
    score_name : str
        The criterion, such as "accuracy".
    transforms : tuple of Judged
        The rows of the table; the others are compared with the first.
    answer : {"yes", "no", "not measurable", None}
        Whether some transform beats the first: "yes" if the interval of the best one is above 0; "no" if none is ahead
        of the first; "not measurable" otherwise; None if a higher score is not better.
    verdict : str
        The answer as a sentence.
    recommended : transformer or "passthrough"
        The recommendation, not fitted: the best transform if the answer is "yes", else the first, which is
        "passthrough" unless other `transforms` were passed or `judge_retrieval` compares spaces of two widths.
    confidence : float
        Joint confidence of the intervals.
    n_rows, n_folds : int
        Number of rows or pairs in the comparison, and of folds.
    notes : tuple of str
        Further notes for the reader.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgeom.model_selection import judge_classes
    >>> X, y = load_digits(return_X_y=True)
    >>> judgement = judge_classes(X[:300], y[:300])
    >>> judgement.answer, judgement.recommended
    ('not measurable', 'passthrough')
    """

    task: str
    score_name: str
    transforms: tuple[Judged, ...]
    answer: str | None
    verdict: str
    recommended: Any = field(repr=False)
    confidence: float
    n_rows: int
    n_folds: int
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Judged:
        """The transform with the highest score, the earlier one of ties."""
        return max(self.transforms, key=lambda one: one.score)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the estimator as a dict of plain numbers and strings.

        Returns
        -------
        dict
            The contents of `to_json`; numbers that are not finite are None.
        """
        return {
            "task": self.task,
            "score": self.score_name,
            "answer": self.answer,
            "verdict": self.verdict,
            "recommended": "passthrough" if isinstance(self.recommended, str) else self._chosen().name,
            "confidence": self.confidence,
            "n_rows": self.n_rows,
            "n_folds": self.n_folds,
            "notes": list(self.notes),
            "transforms": [
                {
                    "name": one.name,
                    "n_features": one.n_features,
                    "score": _finite(one.score),
                    "difference": _finite(one.difference),
                    "margin": _finite(one.margin),
                    **{name: _finite(value) for name, value in one.measures.items()},
                }
                for one in self.transforms
            ],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as JSON.

        Parameters
        ----------
        indent : int, default=None
            Spaces per nested level; None writes one line.

        Returns
        -------
        str
            The JSON text, in ASCII.
        """
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def to_frame(self) -> Any:
        """Return the table as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row per transform: transform, n_features, the score by its name, difference, margin, and the other
            measures.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = ("transform", "n_features", self.score_name, "difference", "margin")
        rows = [dict(zip(names, one, strict=False)) | one.measures for one in self.transforms]
        return frame_of(rows)

    def __str__(self) -> str:
        return "\n".join([*aligned(self.table()), "", self.verdict, *self.notes])

    def _repr_html_(self) -> str:
        head, *body = (list(map(escape, row)) for row in self.table())
        rows = "".join(f"<tr{_BOLD * (i == self._best_row())}>{_cells('td', row)}</tr>" for i, row in enumerate(body))
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<p><strong>{escape(self.verdict)}</strong></p>{notes}"
            f'<div style="overflow-x:auto"><table><thead><tr>{_cells("th", head)}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )

    def table(self) -> list[list[str]]:
        """Return the table as text.

        Returns
        -------
        list of list of str
            The names of the columns, then one row per transform: its name, the number of columns of its output, the
            score, the difference with its margin, and the other measures.
        """
        first = self.transforms[0]
        rows = [["transform", "columns", self.score_name, "difference", *first.measures]]
        for one in self.transforms:
            gap = "" if one is first else f"{_rounded(one.difference, '+')} ± {one.margin:.3f}"
            numbers = _rounded(one.score), gap, *map(_rounded, one.measures.values())
            rows.append([one.name, f"{one.n_features:,}", *numbers])
        return rows

    def _chosen(self) -> Judged:
        """Return the transform that is recommended."""
        return self.best if self.answer == "yes" else self.transforms[0]

    def _best_row(self) -> int | None:
        """Return the position of the best transform, if a higher score is better."""
        return None if self.answer is None else self.transforms.index(self.best)


_BOLD = ' style="font-weight:600"'


def aligned(rows: list[list[str]], width: float = inf) -> list[str]:
    """Return lines of text, the first column aligned left, without the last columns if `width` is too small."""
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    n_shown = int(np.count_nonzero(np.cumsum(widths) - 2 <= width))
    name_width, *others = widths[:n_shown]
    return [(row[0].ljust(name_width - 2) + "".join(map(str.rjust, row[1:], others))).rstrip() for row in rows]


def _cells(tag: str, row: list[str]) -> str:
    name, *numbers = row
    aligned_right = "".join(f'<{tag} style="text-align:right;white-space:nowrap">{cell}</{tag}>' for cell in numbers)
    return f'<{tag} style="text-align:left">{name}</{tag}>{aligned_right}'


def _rounded(value: float, sign: str = "") -> str:
    return f"{round(value, 3) + 0.0:{sign}.3f}"  # + 0.0 makes -0 equal to 0


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


_UNITS = {
    "accuracy": "points of accuracy",
    "mrr": "points of mean reciprocal rank",
    "cosine_spearman": "points of Spearman's correlation",
    "silhouette": "points of silhouette",
    "adjusted_rand": "points of the adjusted Rand index",
}


def answered(
    task: str,
    score: str,
    rows: list[Judged],
    estimators: Mapping[str, Any],
    confidence: float,
    n_rows: int,
    n_folds: int,
    notes: tuple[str, ...],
) -> Judgement:
    """Return the judgement that follows from a table."""
    first, *others = rows
    leader = max(others, key=lambda row: row.score)
    answer: str | None = None
    if task == "neighbours":
        verdict = _without_a_task(others)
    else:
        answer, verdict = _answer(first, leader, score, confidence)
        n_worse = sum(row.effect == "worse" for row in others)
        verdict += f" {n_worse} of {len(others)} transforms measurably lose." if n_worse else ""
    recommended = estimators[leader.name if answer == "yes" else first.name]
    return Judgement(task, score, tuple(rows), answer, verdict, recommended, confidence, n_rows, n_folds, notes)


def _answer(first: Judged, leader: Judged, score: str, confidence: float) -> tuple[str, str]:
    """Return whether the best of the others beats the first, with a sentence."""
    amount = f"{100 * abs(leader.difference):.1f} ± {100 * leader.margin:.1f} {_UNITS[score]} ({100 * confidence:g}%)"
    if leader.difference <= 0:
        return "no", f"No: nothing is ahead of {first.name}; the next, {leader.name}, is behind by {amount}."
    if leader.effect == "better":
        return "yes", f"Yes: {leader.name} gains {amount} over {first.name}."
    return "not measurable", f"No measurable difference: the best, {leader.name}, is ahead of {first.name} by {amount}."


def _without_a_task(others: list[Judged]) -> str:
    """Return a sentence on how far the transforms move the neighbours."""
    least = min(others, key=lambda row: row.score)
    return (
        "Without a task nothing can be recommended. The transform that changes the neighbours most, "
        f"{least.name}, keeps {least.score:.0%} of the ten nearest of a row."
    )
