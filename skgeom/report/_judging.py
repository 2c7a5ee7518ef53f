"""The judges for a space, which depend on the data beyond its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from skgeom.model_selection import (
    Judgement,
    judge_classes,
    judge_clusters,
    judge_neighbours,
    judge_retrieval,
    judge_similarity,
)
from skgeom.model_selection._trial import progress_to
from skgeom.report._space import N_FOLDS, Space

TITLES = {
    "classes": "Does a transform help a classifier?",
    "retrieval": "Does a transform help rows find their partners?",
    "similarity": "Does a transform help cosines agree with the judgements?",
    "clusters": "Does a transform help k-means?",
    "neighbours": "How much does a transform change the neighbours?",
}
"""The question that each judge answers."""


def judges(space: Space, n_clusters: int | None = None) -> dict[str, Callable[[], Judgement]]:
    """Return the judges to call, by task; without labels, partners, scores or clusters, the judge of neighbours."""
    found: dict[str, Callable[[], Judgement]] = {}
    if space.labels is not None:
        found["classes"] = partial(judge_classes, space.x, space.labels, groups=space.equal_rows, n_folds=N_FOLDS)
    if space.pair is not None and space.scores is None:
        both = space.directed_pairs
        found["retrieval"] = partial(judge_retrieval, space.x[both], space.pair[both])
    if space.scores is not None:
        pairs = space.judged_pairs()
        directed = np.all(np.any(pairs, axis=2), axis=1)
        found["similarity"] = partial(judge_similarity, pairs[directed], space.scores[directed])
    if n_clusters is not None:
        found["clusters"] = partial(judge_clusters, space.x, space.labels, n_clusters=n_clusters)
    return found or {"neighbours": partial(judge_neighbours, space.x[space.directed])}


def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""


def judged(
    tasks: dict[str, Callable[[], Judgement]], step: Callable[[str, int, int], None] = silent
) -> Iterator[Judgement | str]:
    """Yield each judgement, or the reason why one is missing, and report progress."""
    for task, judge in tasks.items():
        try:
            with progress_to(partial(step, f"judging {task}")):
                judgement = judge()
            yield judgement
        except ValueError as error:
            yield f"{TITLES[task]} Not judged: {error}"
