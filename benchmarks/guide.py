"""What the guide says of embeddings that are not bundled: STS-B whitened in part, five languages, two modalities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
from sklearn.metrics.pairwise import paired_cosine_distances
from sklearn.preprocessing import normalize

from benchmarks._harness import Settings, limited
from skgeom._core._correlation import spearman
from skgeom.alignment import GeneralizedProcrustes, ProcrustesAligner
from skgeom.metrics import mixed_retrieval, recall_at_k
from skgeom.model_selection import judge_similarity, row_groups
from skgeom.model_selection._intervals import compared
from skgeom.preprocessing import GroupCentering, Whitening

TRANSFORMS = {"as is": None, **{f"power {p:g}": Whitening(power=p) for p in (0.25, 0.5, 1.0)}}
KS = (1, 10)
LANGUAGES = ("de", "es", "fr", "it", "en")


def table(settings: Settings) -> Iterator[str]:
    """Yield the tables."""
    if settings.data is None:
        yield "No real data (--data, SKGEOM_DATA)."
        return
    with limited(settings.threads):
        yield from similarity(Path(settings.data))
        yield from languages(Path(settings.data))
        yield from modalities(Path(settings.data))


def similarity(folder: Path) -> Iterator[str]:
    """Yield Spearman's correlation of cosines and scores on the test pairs, whitened as the other sentences ask for."""
    with np.load(folder / "stsb_en_minilm.npz") as stored:
        is_test = stored["split"] == list(stored["split_names"]).index("test")
        x, scores = stored["X_raw"], stored["score"]
        pairs = np.stack([x[stored["i"]], x[stored["j"]]], axis=1)
        others = np.unique(np.concatenate([stored["i"][~is_test], stored["j"][~is_test]]))
    cosines = []
    for transform in TRANSFORMS.values():
        rows = pairs[is_test].reshape(-1, x.shape[1])
        sides = rows if transform is None else transform.fit(x[others]).transform(rows)
        cosines.append(1 - paired_cosine_distances(sides[::2], sides[1::2]))
    wanted = scores[is_test]
    found = compared(
        np.stack(cosines),
        np.zeros(wanted.size, dtype=np.int64),
        row_groups(pairs[is_test]),
        lambda observed, rows, weights: np.stack([spearman(c, wanted[rows], weights) for c in observed], axis=1),
        confidence=0.95,
        n_resamples=1000,
        rng=np.random.default_rng(0),
    )
    yield "STS-B, test pairs, whitened as the sentences of the other splits ask for; intervals hold for all at once."
    yield ""
    yield "| transform | Spearman | ahead, points |"
    yield "|---|---|---|"
    for name, value, lead, margin in zip(TRANSFORMS, *found, strict=True):
        yield f"| {name} | {value:.3f} | {100 * lead:.1f} ± {100 * margin:.1f} |"
    yield ""
    for name, chosen in (("test pairs alone", is_test), ("all pairs", np.ones_like(is_test))):
        yield f"{name}, {np.count_nonzero(chosen):,}: {judge_similarity(pairs[chosen], scores[chosen]).verdict}"
        yield ""


def languages(folder: Path) -> Iterator[str]:
    """Yield how many translations are found by the nearest row, with spaces rotated onto English or all at once."""
    with np.load(folder / "stsb_parallel_minilm.npz") as stored:
        spaces = [normalize(stored[f"X_{language}"].astype(np.float32)) for language in LANGUAGES]
    known, new = np.split(np.random.default_rng(0).permutation(len(spaces[0])), [len(spaces[0]) // 2])
    english = len(spaces) - 1
    others = list(permutations(range(english), 2))
    together = GeneralizedProcrustes(tol=1e-6).fit([space[known] for space in spaces])

    def turned(source: int, target: int) -> np.ndarray:
        rotation = ProcrustesAligner().fit(spaces[source][known], spaces[target][known])
        return rotation.transform(spaces[source][new])

    def row(name: str, query: Callable[[int, int], np.ndarray], candidates: Callable[[int, int], np.ndarray]) -> str:
        def found(i: int, j: int) -> float:
            return float(recall_at_k(query(i, j), candidates(i, j)))

        to_english = [found(i, english) for i in range(english)]
        rest = np.mean([found(i, j) for i, j in others])
        return f"| {name} | {' | '.join(f'{value:.3f}' for value in (*to_english, rest))} |"

    yield f"STS-B in five languages: recall@1 among {len(new):,} sentences, maps fitted to {len(known):,} others."
    yield ""
    yield f"| | {' | '.join(LANGUAGES[:-1])} | the 12 pairs without English |"
    yield "|---|---|---|---|---|---|"
    yield row("as they are", lambda i, j: spaces[i][new], lambda i, j: spaces[j][new])
    yield row(
        "each rotated onto English",
        lambda i, j: turned(i, english),
        lambda i, j: spaces[j][new] if j == english else turned(j, english),
    )
    placed = [together.transform(space[new], space=k) for k, space in enumerate(spaces)]
    yield row("all at once", lambda i, j: placed[i], lambda i, j: placed[j])
    yield row("each pair separately", turned, lambda i, j: spaces[j][new])
    yield ""


def modalities(folder: Path) -> Iterator[str]:
    """Yield how images and captions find each other among both, with the means of the other half removed."""
    with np.load(folder / "modality_gap_pairs.npz") as stored:
        images, captions = stored["clip"].astype(np.float64)
    kind = np.repeat(["images", "captions"], len(images[1::2]))
    centring = GroupCentering().fit(np.concatenate([images[::2], captions[::2]]), groups=kind)
    plain = images[1::2], captions[1::2]
    centred = np.split(centring.transform(np.concatenate(plain), groups=kind), 2)
    yield "CLIP, 250 pairs of images and captions, centred with the means of the other 250."
    yield ""
    yield "| queries | recall@1, @10 among the other modality | among both | own share of ten | own AUC |"
    yield "|---|---|---|---|---|"
    for query in (1, 0):
        for name, sides in (("as they are", plain), ("each modality centred", centred)):
            both = sides[query], sides[1 - query]
            alone, among = [recall_at_k(*both, k=k) for k in KS], mixed_retrieval(*both, k=KS)
            recalls = (", ".join(f"{value:.3f}" for value in values) for values in (alone, among.recall))
            end = f"{among.own_share[-1]:.3f} | {among.own_auc:.3f}"
            yield f"| {('images', 'captions')[query]}, {name} | {' | '.join(recalls)} | {end} |"
