"""What a judge found: transforms side by side, and the answer that follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np


class Judged(NamedTuple):
    """One transform.

    Attributes
    ----------
    name : str
        Its name.
    n_features : int
        The number of columns it leaves.
    score : float
        What the judge decides by: the mean over held-out folds.
    difference : float
        How much better the score is than that of the rows as they are; more is better.
    margin : float
        Half the width of the interval of the difference. The intervals of all transforms hold at once.
    measures : dict from str to float
        What else was measured, means over held-out folds.
    """

    name: str
    n_features: int
    score: float
    difference: float
    margin: float
    measures: dict[str, float]

    @property
    def effect(self) -> str:
        """Where the interval leaves 0 out "better" or "worse" than the first, else "not measurable"."""
        if abs(self.difference) <= self.margin:
            return "not measurable"
        return "better" if self.difference > 0 else "worse"


@dataclass(frozen=True)
class Judgement:
    """Transforms side by side, judged on rows that they were not fitted to: what the judges return.

    Attributes
    ----------
    task : str
        What was asked: "classes", "retrieval", "similarity", "clusters" or "neighbours".
    score_name : str
        What decides, such as "accuracy".
    transforms : tuple of Judged
        The rows of the table; the first is what the others are compared with.
    answer : {"yes", "no", "not measurable", None}
        Whether some transform beats the first: "yes" if the interval of the best one is above 0; "no" if nothing is
        ahead of the first; "not measurable" between; None if the task has no score that more of is better.
    verdict : str
        The answer as a sentence.
    recommended : transformer or "passthrough"
        What to use, not fitted: the best transform if the answer is "yes", else "passthrough".
    confidence : float
        Joint confidence of the intervals.
    n_rows, n_folds : int
        How many rows, pairs or both took part, and in how many folds.
    notes : tuple of str
        What else the reader should know.

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
        """The transform of the highest score, the earlier of equal ones."""
        return max(self.transforms, key=lambda one: one.score)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the estimator as a dict of plain numbers and strings.

        Returns
        -------
        dict
            As `to_json` has it; what is not finite is None.
        """
        return {
            "task": self.task,
            "score": self.score_name,
            "answer": self.answer,
            "verdict": self.verdict,
            "recommended": "passthrough" if isinstance(self.recommended, str) else self.best.name,
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
            How far nested levels are indented; None writes one line.

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
            One row for each transform: transform, n_features, the score by its name, difference, margin, and the other
            measures.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("to_frame needs pandas, which is not installed: pip install pandas") from error
        return DataFrame([dict(zip(self._columns(), self._cells(one), strict=True)) for one in self.transforms])

    def __str__(self) -> str:
        head = self._columns()
        rows = [[head[0], *head[1:]], *([_text(cell) for cell in self._cells(one)] for one in self.transforms)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(w) if j == 0 else cell.rjust(w) for j, (cell, w) in enumerate(zip(r, widths, strict=True))
            )
            for r in rows
        ]
        return "\n".join([*(line.rstrip() for line in lines), "", self.verdict, *self.notes])

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:right">{escape(name)}</th>' for name in self._columns())
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:right">{escape(_text(cell))}</td>' for cell in self._cells(one))
            + "</tr>"
            for one in self.transforms
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<p><strong>{escape(self.verdict)}</strong></p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
        )

    def _columns(self) -> list[str]:
        return ["transform", "n_features", self.score_name, "difference", "margin", *self.transforms[0].measures]

    def _cells(self, one: Judged) -> list[Any]:
        return [*one[:5], *one.measures.values()]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else f"{cell:,}" if isinstance(cell, int) else f"{cell:.4f}"


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
    """Say whether the best of the others beats the first."""
    amount = f"{100 * abs(leader.difference):.1f} ± {100 * leader.margin:.1f} {_UNITS[score]} ({confidence:.0%})"
    if leader.difference <= 0:
        return "no", f"No: nothing is ahead of {first.name}; the next, {leader.name}, is behind by {amount}."
    if leader.effect == "better":
        return "yes", f"Yes: {leader.name} gains {amount} over {first.name}."
    return "not measurable", f"No measurable difference: the best, {leader.name}, is ahead of {first.name} by {amount}."


def _without_a_task(others: list[Judged]) -> str:
    """Say how far the transforms move the neighbours."""
    least = min(others, key=lambda row: row.score)
    return (
        "Without a task nothing can be recommended. The transform that changes the neighbours most, "
        f"{least.name}, keeps {least.score:.0%} of the ten nearest of a row."
    )
