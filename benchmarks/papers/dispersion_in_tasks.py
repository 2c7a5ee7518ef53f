"""What dispersion is good for in tasks: prototypes of classes, and a regulariser of a map between languages.

The source is Tokarchuk et al. 2025, arXiv:2502.08231, which spreads prototypes of image classes and the embeddings of a
translation model. Neither ImageNet nor a trained translator can be had. Digits and the questions of TREC stand in for
the one: codes of classes are spread by SphereDispersion, a ridge from features to codes is fitted by
LstsqAligner(alpha="gcv"), and ZeroShotClassifier takes the nearest code. Sentence embeddings and those of translations
stand in for the other: EmbeddingOptimizer learns a map under an alignment loss with a dispersion loss beside it.

With --runs, each fit that is finished is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from benchmarks.papers._inputs import (
    QUESTIONS_FILE,
    TRANSLATIONS_FILE,
    Labelled,
    Pairs,
    arguments,
    found,
    missing,
    questions,
    translations,
    unit,
)
from benchmarks.papers._markdown import Report
from benchmarks.papers._runs import Result, Runs, add_runs_option
from skgeom.alignment import LstsqAligner, ProcrustesAligner
from skgeom.metrics import average_cosine, cosine_spearman, retrieval_score, spherical_variance
from skgeom.multimodal import ZeroShotClassifier
from skgeom.optim import EmbeddingOptimizer, SphereDispersion

SEEDS = (0, 1, 2)
WEIGHTS = (0.1, 1.0, 10.0)
REGULARISERS = ("uniformity", "koleo", "kernel_energy")
UPDATES, BATCH = 200, 512
SIDES = 2
"""The two sentences of a judged pair."""


def main(argv: list[str] | None = None) -> None:
    parser = arguments("dispersion_in_tasks", "Dispersed prototypes, and dispersion as a regulariser.")
    add_runs_option(parser)
    options = parser.parse_args(argv)
    report, runs = Report(), Runs(options.runs)
    report.add_heading("Keep your distance: dispersion in tasks")
    report.add(*(__doc__ or "").split("\n\n")[1:])
    report_prototypes(report, runs, [digits(), *questions(options.data)])
    if found(options.data, QUESTIONS_FILE) is None:
        report.add(missing(options.data, QUESTIONS_FILE))
    languages = translations(options.data)
    if languages:
        report_map(report, runs, languages[0], judged_pairs(options.data))
    else:
        report.add(missing(options.data, TRANSLATIONS_FILE))
    report.write(options.out)


# Prototypes


def digits() -> Labelled:
    """Return one half of scikit-learn's digits, and the other held out."""
    x, c = load_digits(return_X_y=True)
    x, test, c, test_c = train_test_split(x / 16, c, test_size=0.5, random_state=0, stratify=c)
    return Labelled("digits (10 classes)", x, c, test, test_c)


def report_prototypes(report: Report, runs: Runs, sets: list[Labelled]) -> None:
    """Add the accuracy by codes of classes, drawn at random and spread."""
    report.add_heading("Prototypes of classes")
    report.add(
        f"""Per cent of held-out rows whose image under the ridge is nearest to the code of their class, mean ±
        standard deviation over {len(SEEDS)} draws of the codes. "Random" codes are drawn uniformly from the sphere,
        "spread" ones start there. One-hot codes need as many dimensions as there are classes, a simplex one less."""
    )
    rows = []
    for s in sets:
        k = int(s.c.max()) + 1
        logistic = LogisticRegression(C=10, max_iter=1000).fit(s.x, s.c).score(s.test, s.test_c)
        rows.append((f"{s.name}, one-hot, {k}", f"{100 * by_codes(s, np.eye(k)):.1f}", "", "90.0", ""))
        for d in dimensions(k):
            name = f"prototypes-{k}-classes-{len(s.x)}-rows-{d}"
            results = [runs.result(f"{name}-seed{seed}", partial(prototypes, s, k, d, seed)) for seed in SEEDS]
            cells = (spread_of([100 * float(r[key]) for r in results]) for key in ("spread", "random"))
            angles = (f"{np.mean([r[key] for r in results]):.1f}" for key in ("spread angle", "random angle"))
            rows.append((f"{s.name}, {d}", *cells, *angles))
        rows.append((f"{s.name}, logistic regression", f"{100 * logistic:.1f}", "", "", ""))
    header = ("dimensions of the codes", "spread", "random", "minimum angle, spread", "random")
    report.add_table(header, rows)
    report.add(
        """What to do: with room for k - 1 dimensions take the simplex, which is as good as one-hot codes. With fewer,
        spread the codes: 3 to 13 points over random ones, at the price of a fit without data, until there are too many
        classes for the room, as 35 on a circle, ten degrees apart. They do not beat a classifier that may have an
        output for each class: spread codes are for outputs that must be short."""
    )


def dimensions(classes: int) -> list[int]:
    """Return that of a simplex, and smaller ones down to 2."""
    return sorted({classes - 1, *(d for d in (classes // 2, classes // 4, 3, 2) if 2 <= d < classes - 1)}, reverse=True)


def prototypes(s: Labelled, k: int, d: int, seed: int) -> Result:
    """Return the accuracies by random and by spread codes, and their minimum angles in degrees."""
    random = unit(np.random.default_rng(seed).standard_normal((k, d)))
    spreader = SphereDispersion(max_iter=300, random_state=seed)
    spread = spreader.fit_transform(random)
    cosines = random @ random.T - 2 * np.eye(k)
    return {
        "spread": by_codes(s, spread),
        "random": by_codes(s, random),
        "spread angle": np.degrees(spreader.min_angle_),
        "random angle": np.degrees(np.arccos(cosines.max())),
    }


def by_codes(s: Labelled, codes: np.ndarray) -> float:
    """Return the accuracy of the nearest code after a ridge from features to codes."""
    ridge = LstsqAligner(alpha="gcv", fit_intercept=True).fit(s.x, codes[s.c])
    classifier = ZeroShotClassifier(aligner=ridge).fit(codes, np.arange(len(codes)))
    return float(classifier.score(s.test, s.test_c))


def spread_of(values: list[float], places: int = 1) -> str:
    return f"{np.mean(values):.{places}f} ± {np.std(values, ddof=1):.{places}f}"


# A map between languages


def judged_pairs(folder: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of pairs of sentences, and how similar people find them."""
    path = found(folder, TRANSLATIONS_FILE)
    assert path is not None
    with np.load(path) as stored:
        return np.column_stack([stored["i"], stored["j"]]), stored["score"]


def report_map(report: Report, runs: Runs, pairs: Pairs, judged: tuple[np.ndarray, np.ndarray]) -> None:
    """Add what a dispersion loss beside an alignment loss does to retrieval and to similarities."""
    report.add_heading(f"Dispersion as a regulariser: {pairs.modalities[0]} to {pairs.modalities[1]}")
    report.add(
        f"""A linear map of {pairs.modalities[0]} sentences towards their {pairs.modalities[1]} originals, all of unit
        length, is fitted on a half of the pairs; the other half is judged. Recall at 1 of the original, per cent;
        Spearman's correlation of cosines within the mapped language with what people say, of pairs with both sentences
        in that half; and the mapped rows' spherical variance and mean cosine. Weights stand before the dispersion loss.
        {UPDATES} updates with batches of {BATCH}, rate .001, on the sphere; mean ± standard deviation over
        {len(SEEDS)} seeds of the batches."""
    )
    fits: dict[str, dict[str, float]] = {"alignment": {"alignment_loss": 1.0}}
    fits |= {f"alignment + {w:g} {r}": {"alignment_loss": 1.0, r: w} for r in REGULARISERS for w in WEIGHTS}
    fits |= {"CLIP's loss": {"clip_loss": 1.0}, "CLIP's loss + 0.1 koleo": {"clip_loss": 1.0, "koleo": 0.1}}
    rows = [
        (name, *(f"{v:.{d}f}" for v, d in zip(described(mapped, pairs, judged).values(), DIGITS, strict=True)))
        for name, mapped in closed_forms(pairs).items()
    ]
    for name, objective in fits.items():
        results = [
            runs.result(f"map-{run_name(name)}-seed{seed}", partial(fitted, pairs, judged, objective, seed))
            for seed in SEEDS
        ]
        keys = list(results[0])
        rows.append(
            (name, *(spread_of([float(r[key]) for r in results], d) for key, d in zip(keys, DIGITS, strict=True)))
        )
    report.add_table(("fit", "recall", "Spearman", "spherical variance", "mean cosine"), rows)
    report.add(
        """What to do: put a dispersion loss beside an alignment loss, and choose its weight by recall on held-out
        pairs: too large a weight loses more than the right one gains. Alignment alone leaves rows near to one
        another, and what is near to everything is retrieved for everything. KoLeo, which parts nearest neighbours,
        gains most, with weight 1 more than the contrastive loss, and similarities within the language gain, too.
        Under the contrastive loss, which repels by itself, it adds next to nothing."""
    )


DIGITS = (1, 3, 3, 3)


def run_name(name: str) -> str:
    return name.translate(str.maketrans(" .", "-_", "+'"))


def halves(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are fitted and those that are judged, in random order."""
    fitted_rows, judged_rows = np.array_split(np.random.default_rng(0).permutation(len(pairs.x)), 2)
    return fitted_rows, judged_rows


def closed_forms(pairs: Pairs) -> Mapping[str, np.ndarray]:
    """Return all rows, as they are and by maps that need no descent."""
    x, y = unit(pairs.x), unit(pairs.y)
    train, _ = halves(pairs)
    aligners = {"Procrustes": ProcrustesAligner(), "least squares": LstsqAligner()}
    return {"none": x} | {name: a.fit(x[train], y[train]).transform(x) for name, a in aligners.items()}


def fitted(
    pairs: Pairs, judged: tuple[np.ndarray, np.ndarray], objective: dict[str, float], seed: int
) -> Mapping[str, float]:
    """Return what a map comes to that is learnt under an objective."""
    x, y = unit(pairs.x).astype(np.float32), unit(pairs.y).astype(np.float32)
    train, _ = halves(pairs)
    learner = EmbeddingOptimizer(
        objective, constraint="sphere", max_iter=UPDATES, batch_size=BATCH, monitor=None, random_state=seed
    )
    return described(learner.fit(x[train], y[train]).transform(x), pairs, judged)


def described(mapped: np.ndarray, pairs: Pairs, judged: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Return recall at 1 in per cent, Spearman's correlation, spherical variance and mean cosine of held-out rows."""
    _, test = halves(pairs)
    rows, scores = judged
    inside = np.isin(rows, test).sum(axis=1) == SIDES
    z = mapped[test]
    return {
        "recall": 100 * float(retrieval_score(z, unit(pairs.y)[test].astype(z.dtype)).recall),
        "Spearman": cosine_spearman(mapped[rows[inside]], scores[inside]),
        "spherical variance": spherical_variance(z),
        "mean cosine": average_cosine(z),
    }


if __name__ == "__main__":
    main()
