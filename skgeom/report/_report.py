"""The report of a space: of arrays here, of files in `_command`.

Data flow in one direction: `_files` reads files into a space (`_space`); `_card` measures it, and `_judging` calls the
judges of `skgeom.model_selection`; `_text`, `_figure` and `_page` show the results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np

from skgeom import __version__
from skgeom._array import is_foreign, to_numpy
from skgeom._validation import check_classes, check_count, check_numbers
from skgeom.model_selection import Judgement
from skgeom.report._card import Section, card
from skgeom.report._figure import pictures
from skgeom.report._judging import judged, judges
from skgeom.report._page import fragment, page
from skgeom.report._space import (
    Space,
    check_directed_pairs,
    check_directions,
    check_large_classes,
    check_pair_shape,
    check_positions_of_pairs,
)
from skgeom.report._text import card_text, judgement_text, printable


class Report:
    """The geometry card of a space and the answers of the judges, as returned by `geometry_report`.

    A notebook shows it as a page; ``print`` shows the text of ``skgeom report``.

    Parameters
    ----------
    space : Space
        The space.
    card : sequence of Section
        The card.
    found : sequence of Judgement or str
        The judgements, or the reason why one is missing.

    Attributes
    ----------
    title : str
        Name of the space.
    card : list of Section
        Sections are tuples (title, entries). Entries have `name`, `value`, `low`, `high`, `direction` (+1 if more is
        better, -1 if less is better), `hint`, `error` (the standard error, NaN if it has none) and `about` (the
        function that computes the value).
    judgements : list of skgeom.model_selection.Judgement
        The judgements.
    not_judged : list of str
        The reasons why judgements are missing.

    See Also
    --------
    geometry_report : From arrays to a report.
    """

    def __init__(self, space: Space, card: Sequence[Section], found: Sequence[Judgement | str]) -> None:
        self.title, self.card = space.title, list(card)
        self.judgements = [one for one in found if isinstance(one, Judgement)]
        self.not_judged = [one for one in found if isinstance(one, str)]
        self._space, self._found = space, list(found)

    @property
    def values(self) -> dict[str, float]:
        """The numbers of the card by the names that ``skgeom report --fail-on`` uses."""
        return values_of(self.card)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dict of plain numbers and strings.

        Returns
        -------
        dict
            The contents of `to_json`; numbers that are not finite are None.
        """
        return {
            "skgeom": __version__,
            "title": self.title,
            "notes": list(self._space.notes),
            "card": {
                section.title: [
                    {
                        "name": entry.name,
                        "value": _finite(entry.value),
                        "standard_error": _finite(entry.error),
                        "low": _finite(entry.low),
                        "high": _finite(entry.high),
                        "direction": entry.direction,
                        "hint": entry.hint,
                    }
                    for entry in section.entries
                ]
                for section in self.card
            },
            "judgements": [one.to_dict() for one in self.judgements],
            "not_judged": self.not_judged,
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

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as a page, and write it to a file if `path` is given.

        The page needs no network and no script. It has the card, the tables of the judges, the meaning and the source
        of each number, and, if matplotlib is installed, pictures by `skgeom.inspection` as SVG.

        Parameters
        ----------
        path : str or Path, default=None
            The file to write, which is overwritten; None writes no file.

        Returns
        -------
        str
            The page.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        text = page(self.title, self._fragment)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @cached_property
    def _fragment(self) -> str:
        shown = pictures(self._space, self.judgements)
        return fragment(self.title, self._space.notes, self.card, self._found, shown)

    def _repr_html_(self) -> str:
        return self._fragment

    def __repr__(self) -> str:
        n, d = self._space.x.shape
        return f"<Report on {printable(self.title)!r}: {n:,} × {d:,}>"

    def __str__(self) -> str:
        return printable(
            "\n".join([card_text(self.title, self._space.notes, self.card), *map(judgement_text, self._found)])
        )


def geometry_report(
    X: Any,
    *,
    labels: Any = None,
    paired: Any = None,
    pairs: Any = None,
    scores: Any = None,
    words: Any = None,
    n_clusters: int | None = None,
    title: str = "embeddings",
) -> Report:
    """Measure a space and judge whether a transform helps the task: ``skgeom report`` for arrays.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,), default=None
        Class of each row: adds separation to the card, and a judge of a linear probe.
    paired : array of shape (n_samples, n_features), default=None
        A second space; its row k is the partner of row k of X: adds the gap, and a judge of retrieval.
    pairs : array of shape (n_pairs, 2), default=None
        Positions of the two rows of each pair in `scores`; None if these are pairs of rows and partners.
    scores : array of shape (n_pairs,), default=None
        How similar the two rows of each pair are: adds a judge of cosines, which takes the place of retrieval.
    words : sequence of str of length n_samples, default=None
        Names of the rows, to show the most and the least typical ones.
    n_clusters : int, default=None
        Number of clusters, at least 2: adds a judge of k-means.
    title : str, default="embeddings"
        Name of the space in the report.

    Returns
    -------
    Report
        The report; its pictures are drawn on demand.

    Raises
    ------
    TypeError
        If X is sparse or not numeric, a score is not a number, or a word is not text.
    ValueError
        If X or `paired` is not a finite matrix with two rows that are not zero, in the same places for both, the two
        differ in shape, there are not two classes with five different rows each, or pairs, scores, words or
        `n_clusters` do not fit.

    See Also
    --------
    skgeom.metrics.estimate : A single measure with its interval.
    skgeom.model_selection.judge_classes : One judge by itself.

    Notes
    -----
    The judges fit each transform to some folds and score the other. They take most of the time, seconds for ten
    thousand rows. Errors keep equal rows together and treat all others as independent.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgeom.report import geometry_report
    >>> X, y = load_digits(return_X_y=True)
    >>> report = geometry_report(X[:400], labels=y[:400], title="digits")
    >>> round(report.values["isoscore"], 2), report.judgements[0].answer
    (0.16, 'not measurable')
    >>> page = report.to_html()  # or report.to_html("digits.html")
    """
    space = Space(title, X, pair=paired, scores=None if scores is None else check_numbers(scores, "scores"))
    n = len(space.x)
    check_directions("X", space.x)
    if space.pair is not None:
        check_pair_shape("paired", space.pair.shape, "X", space.x.shape)
        check_directed_pairs("paired", space)
    if labels is not None:
        classes, codes = check_classes(to_numpy(labels) if is_foreign(labels) else labels, n)
        space.labels = classes[codes]
        check_large_classes("labels", space)
    if words is not None:
        space.words = np.asarray(words, dtype=object)
        other = next((word for word in space.words.ravel() if not isinstance(word, str)), "")
        if other != "":
            raise TypeError(
                f"words must be text, got {other!r}: pass list(map(str, words)), with '' where one is missing."
            )
        if space.words.shape != (n,):
            raise ValueError(f"words: expected one for each of {n:,} rows, got the shape {space.words.shape}.")
    if pairs is not None:
        space.positions = check_positions_of_pairs("pairs", to_numpy(pairs) if is_foreign(pairs) else pairs, n)
    _check_scores(space)
    if n_clusters is not None:
        check_count(n_clusters, "n_clusters", 2)
    return Report(space, card(space), list(judged(judges(space, n_clusters))))


def values_of(sections: Sequence[Section]) -> dict[str, float]:
    """Return the numbers of a card by name."""
    entries = (entry for section in sections for entry in section.entries)
    return {slug(entry.name): float(entry.value) for entry in entries if not isinstance(entry.value, str)}


def slug(name: str) -> str:
    """Return the key of an entry in `Report.values`, in ASCII."""
    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w@%]+", "_", plain.strip().lower()).strip("_")


def _check_scores(space: Space) -> None:
    """Raise if pairs have no scores, or the scores are not one per pair."""
    if space.scores is None:
        if space.positions is not None:
            raise ValueError("pairs go with scores, the judgement of each pair: pass both.")
        return
    if space.positions is None and space.pair is None:
        raise ValueError("scores go with pairs or paired, which define the pairs: pass one of them.")
    n_pairs = len(space.x if space.positions is None else space.positions)
    if space.scores.shape != (n_pairs,):
        raise ValueError(f"scores: expected one for each of {n_pairs:,} pairs, got the shape {space.scores.shape}.")


def _finite(value: float | str | None) -> Any:
    """Return a value for JSON, with None for numbers that are not finite."""
    if value is None or isinstance(value, str):
        return value
    number = value.item() if isinstance(value, np.generic) else value
    return number if np.isfinite(number) else None
